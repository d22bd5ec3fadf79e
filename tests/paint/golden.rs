//! Pictures against the ones that were looked at and found good.

use persona_paint::{Appearance, Art, Gallery, Painter, View, write_png};
use std::path::{Path, PathBuf};

/// A picture made smaller by a whole factor: the dither averages out, and the repository stays small.
struct Small {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Small {
    fn of(painter: &Painter) -> Self {
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
}

pub(crate) fn golden(name: &str, size: (u32, u32), view: &View) {
    golden_as(name, size, view, Appearance::default());
}

pub(crate) fn golden_as(name: &str, (width, height): (u32, u32), view: &View, appearance: Appearance) {
    let (red, clear) = ([0xe0, 0x40, 0x30, 0xff], [0, 0, 0, 0]);
    let gallery = Gallery::of([(PathBuf::from("/owner.png"), Art::decode(&checkered(300, red, clear)).unwrap())]);
    let mut painter = Painter::with(width, height, gallery, appearance);
    painter.paint(view);
    let seen = Small::of(&painter);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/menu");
    let path = folder.join(format!("{name}.png"));
    if std::env::var_os("PERSONA_BLESS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        return seen.save(&path);
    }
    let wanted = Small::load(&path);
    assert_eq!((seen.width, seen.height), (wanted.width, wanted.height), "{name}");
    // Another processor may round differently; a pixel that is plainly different is another picture.
    let differences = || seen.rgb.iter().zip(&wanted.rgb).map(|(a, b)| a.abs_diff(*b));
    let plain = differences().filter(|difference| *difference > 10).count();
    let mean = differences().map(f64::from).sum::<f64>() / seen.rgb.len() as f64;
    if plain > seen.rgb.len() / 5000 || mean > 0.3 {
        let actual = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        write_png(&painter, std::fs::File::create(&actual).unwrap()).unwrap();
        panic!("{name}: {plain} parts of {} differ plainly, {mean:.2} in the mean; see {}", seen.rgb.len(), actual.display());
    }
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
