//! Pictures against the ones that were looked at and found good.

use crate::views::picture;
use persona_paint::{Art, Gallery, Painter};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The pictures that a person reviews. Everything else is tested by its layout.
const REVIEWED: [&str; 8] = ["countdown-1920x1080", "countdown-1080x1920", "starting", "running", "failed", "power", "large", "contrast"];

/// Pixels between the three parts of a difference picture.
const GAP: u32 = 8;
/// What is between them.
const BETWEEN: [u8; 3] = [0x40, 0x40, 0x40];
/// A part of a pixel (red, green or blue) that differs by more is plainly different: another processor may round otherwise.
const ROUNDING: u8 = 10;

/// A picture in red, green and blue.
#[derive(Debug, Clone, PartialEq)]
struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Picture {
    /// What is on the painter, made smaller by a whole factor: the dither averages out, and the repository stays small.
    fn reduced(painter: &Painter) -> Self {
        let (width, height) = painter.size();
        let factor = width.max(height).div_ceil(640);
        let (small_width, small_height) = (width / factor, height / factor);
        let mut rgb = Vec::new();
        for y in 0..small_height {
            for x in 0..small_width {
                for channel in [2, 1, 0] {
                    let at = |i: u32| ((y * factor + i / factor) * width + x * factor + i % factor) as usize * 4 + channel;
                    let sum: u32 = (0..factor * factor).map(|i| u32::from(painter.pixels()[at(i)])).sum();
                    rgb.push((sum / (factor * factor)) as u8);
                }
            }
        }
        Self { width: small_width, height: small_height, rgb }
    }

    fn filled(width: u32, height: u32, color: [u8; 3]) -> Self {
        Self { width, height, rgb: color.repeat((width * height) as usize) }
    }

    fn pixel(&self, x: u32, y: u32) -> Option<[u8; 3]> {
        let start = (y * self.width + x) as usize * 3;
        (x < self.width && y < self.height).then(|| std::array::from_fn(|channel| self.rgb[start + channel]))
    }

    fn set(&mut self, x: u32, y: u32, color: [u8; 3]) {
        let start = (y * self.width + x) as usize * 3;
        self.rgb[start..start + 3].copy_from_slice(&color);
    }

    fn save(&self, path: &Path) {
        let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_compression(png::Compression::High);
        encoder.write_header().unwrap().write_image_data(&self.rgb).unwrap();
    }

    fn load(path: &Path) -> Self {
        let file = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut rgb).unwrap();
        Self { width: info.width, height: info.height, rgb }
    }

    /// Whether the two are the same but for rounding.
    fn looks_like(&self, other: &Self) -> bool {
        if (self.width, self.height) != (other.width, other.height) {
            return false;
        }
        let differences = || self.rgb.iter().zip(&other.rgb).map(|(a, b)| a.abs_diff(*b));
        let plain = differences().filter(|difference| *difference > ROUNDING).count();
        let mean = differences().map(f64::from).sum::<f64>() / self.rgb.len() as f64;
        plain <= self.rgb.len() / 5000 && mean <= 0.3
    }
}

/// Both pictures side by side, then what differs: red on the darkened actual picture, the redder the more it differs.
fn difference(expected: &Picture, actual: &Picture) -> Picture {
    let (width, height) = (expected.width.max(actual.width), expected.height.max(actual.height));
    let mut picture = Picture::filled(3 * width + 2 * GAP, height, BETWEEN);
    for y in 0..height {
        for x in 0..width {
            let (wanted, seen) = (expected.pixel(x, y), actual.pixel(x, y));
            let marked = match (wanted, seen) {
                (Some(wanted), Some(seen)) => match wanted.iter().zip(seen).map(|(a, b)| a.abs_diff(b)).max() {
                    Some(most) if most > ROUNDING => [most.saturating_add(96), 0, 0],
                    _ => seen.map(|part| part / 4),
                },
                // Only one of the two has this pixel.
                _ => [0xff, 0, 0],
            };
            for (index, pixel) in [wanted, seen, Some(marked)].into_iter().enumerate() {
                if let Some(pixel) = pixel {
                    picture.set(x + index as u32 * (width + GAP), y, pixel);
                }
            }
        }
    }
    picture
}

/// Compares `actual` with the golden picture. If it is another one, leaves it and the difference in `folder`, and says where.
fn compare(golden: &Path, actual: &Picture, folder: &Path) -> Result<(), String> {
    let expected = Picture::load(golden);
    if actual.looks_like(&expected) {
        return Ok(());
    }
    let name = golden.file_stem().unwrap().to_str().unwrap();
    let [actual_path, difference_path] = ["actual", "difference"].map(|what| folder.join(format!("{name}.{what}.png")));
    actual.save(&actual_path);
    difference(&expected, actual).save(&difference_path);
    Err(format!(
        "{name} is not the golden picture\n  expected   {}\n  actual     {}\n  difference {}",
        golden.display(),
        actual_path.display(),
        difference_path.display()
    ))
}

#[test]
fn reviewed_pictures_are_as_before() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/menu");
    let mut failures = Vec::new();
    for name in REVIEWED {
        let picture = picture(name);
        let mut painter = Painter::with(picture.size.0, picture.size.1, gallery(), picture.appearance);
        painter.paint(&picture.view);
        let (seen, golden) = (Picture::reduced(&painter), folder.join(format!("{name}.png")));
        if std::env::var_os("PERSONA_BLESS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            seen.save(&golden);
        } else {
            failures.extend(compare(&golden, &seen, Path::new(env!("CARGO_TARGET_TMPDIR"))).err());
        }
    }
    assert!(failures.is_empty(), "{}\n(`make bless` accepts what is drawn now)", failures.join("\n"));
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name()).collect();
    let mut reviewed = REVIEWED.map(|name| OsString::from(format!("{name}.png")));
    files.sort_unstable();
    reviewed.sort_unstable();
    assert_eq!(files, reviewed, "a golden picture that no test compares");
}

/// A grey picture, and the same with a brighter square of 4 by 4 pixels at (10, 5).
fn two_pictures() -> (Picture, Picture) {
    let expected = Picture::filled(40, 30, [100; 3]);
    let mut actual = expected.clone();
    for (x, y) in (5..9).flat_map(|y| (10..14).map(move |x| (x, y))) {
        actual.set(x, y, [160, 100, 100]);
    }
    (expected, actual)
}

#[test]
fn a_difference_is_marked_where_it_is_and_nowhere_else() {
    let (expected, mut actual) = two_pictures();
    actual.set(30, 20, [100 + ROUNDING, 100, 100]);
    let picture = difference(&expected, &actual);
    assert_eq!((picture.width, picture.height), (3 * 40 + 2 * GAP, 30));
    for (x, y) in (0..30).flat_map(|y| (0..40).map(move |x| (x, y))) {
        assert_eq!(picture.pixel(x, y), expected.pixel(x, y), "left: expected");
        assert_eq!(picture.pixel(40 + GAP + x, y), actual.pixel(x, y), "middle: actual");
        let [red, green, blue] = picture.pixel(2 * (40 + GAP) + x, y).unwrap();
        let marked = red > 2 * green.max(blue);
        assert_eq!(marked, (10..14).contains(&x) && (5..9).contains(&y), "right: {x}, {y}");
    }
}

#[test]
fn pictures_of_different_sizes_have_a_difference_too() {
    let (expected, _) = two_pictures();
    let picture = difference(&expected, &Picture::filled(44, 20, [100; 3]));
    assert_eq!((picture.width, picture.height), (3 * 44 + 2 * GAP, 30));
    let marked = |x, y| picture.pixel(2 * (44 + GAP) + x, y) == Some([0xff, 0, 0]);
    assert!(!marked(39, 19) && marked(39, 20) && marked(43, 19));
}

#[test]
fn a_comparison_that_fails_leaves_both_pictures_and_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let (expected, actual) = two_pictures();
    let golden = folder.path().join("square.png");
    expected.save(&golden);
    assert_eq!(compare(&golden, &expected, folder.path()), Ok(()));
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files(), 1, "a picture that is right leaves nothing");

    let message = compare(&golden, &actual, folder.path()).unwrap_err();
    for (what, picture) in [("actual", actual.clone()), ("difference", difference(&expected, &actual))] {
        let path = folder.path().join(format!("square.{what}.png"));
        assert_eq!(Picture::load(&path), picture);
        assert!(message.contains(path.to_str().unwrap()), "{message}");
    }
    // A picture of another size is another picture.
    assert!(compare(&golden, &Picture::filled(41, 30, [100; 3]), folder.path()).is_err());
}

fn gallery() -> Gallery {
    let (red, clear) = ([0xe0, 0x40, 0x30, 0xff], [0, 0, 0, 0]);
    Gallery::of([(PathBuf::from("/owner.png"), Art::decode(&checkered(300, red, clear)).unwrap())])
}

/// A PNG of four squares in two colours.
fn checkered(size: u32, one: [u8; 4], other: [u8; 4]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, size, size);
    encoder.set_color(png::ColorType::Rgba);
    let pixel = |i: u32| if (i % size < size / 2) == (i / size < size / 2) { one } else { other };
    let data: Vec<u8> = (0..size * size).flat_map(pixel).collect();
    encoder.write_header().unwrap().write_image_data(&data).unwrap();
    file
}
