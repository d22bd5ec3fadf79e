//! What holds for every picture: margins, overlaps, order, sizes, and that the layout is what is drawn.

use super::*;

#[test]
fn elements_are_inside_the_margins() {
    everywhere(|picture, layout, name| {
        let (unit, (width, height)) = (picture.unit(), (layout.width as f32, layout.height as f32));
        let (side, top, bottom) = (MARGINS.0 * unit, MARGINS.1 * unit, MARGINS.2 * unit);
        let inside = Area { x: side, y: top, width: width - 2.0 * side, height: height - top - bottom };
        // A shadow and the depth of a keycap reach further down.
        let reaches = |element: &&Element| !scrolls(element.kind) && !matches!(element.kind, Veil | PanelShadow | Keycap);
        for element in layout.elements.iter().filter(reaches) {
            // The line on a screen without a menu hangs a little lower.
            let below = if element.kind == BottomLine { 16.0 * unit } else { 0.0 };
            let inside = Area { height: inside.height + below, ..inside };
            assert!(holds(&inside, &element.area), "{name}: {element:?}");
        }
        for element in layout.all(Keycap) {
            assert!(holds(&Area { height: inside.height + 6.0 * unit * 1.6, ..inside }, &element.area), "{name}: {element:?}");
        }
    });
}

#[test]
fn texts_do_not_overlap() {
    everywhere(|_, layout, name| {
        let lines: Vec<&Element> = layout.elements.iter().filter(|element| element.text().is_some()).collect();
        let veil = layout.elements.iter().position(|element| element.kind == Veil);
        for (index, element) in lines.iter().enumerate() {
            for other in &lines[index + 1..] {
                // Below an overlay there are the cartridges that it covers.
                let covered = veil.is_some() && element.kind.is_on_a_cartridge() != other.kind.is_on_a_cartridge();
                // The two lines of a label's title are so close that the room for accents reaches into the upper one.
                let accents = if element.kind == other.kind { 0.05 * size(element) } else { 0.0 };
                let area = Area { height: element.area.height - accents, ..element.area };
                assert!(covered || !area.overlaps(&other.area), "{name}: {element:?} and {other:?}");
            }
        }
    });
}

#[test]
fn cartridges_stand_in_menu_order_and_apart() {
    everywhere(|_, layout, name| {
        let shown: Vec<(usize, Area)> = (0..99).filter_map(|index| Some((index, layout.find(Cartridge(index))?.area))).collect();
        for pair in shown.windows(2) {
            assert_eq!(pair[0].0 + 1, pair[1].0, "{name}: one in between is not shown");
            assert!(pair[0].1.right() + 20.0 * pair[0].1.width / CARTRIDGE.0 < pair[1].1.x, "{name}: {pair:?}");
        }
        for (index, body) in shown {
            let proportion = body.height / body.width;
            assert!((proportion - CARTRIDGE.1 / CARTRIDGE.0).abs() < 0.01, "{name}: {index} {body:?}");
            for part in on_cartridge(index).into_iter().flat_map(|kind| layout.all(kind)) {
                assert!(holds(&body, &part.area), "{name}: {part:?} is not on {body:?}");
            }
            let title = center(&area(layout, CartridgeTitle(index)));
            assert!(close(title.0, center(&body).0), "{name}: the title of {index} is not in the middle");
        }
    });
}

#[test]
fn what_is_drawn_in_something_is_in_its_middle() {
    everywhere(|_, layout, name| {
        let mut ground: Option<&Element> = None;
        for element in &layout.elements {
            match (element.kind, &element.shape) {
                (Keycap | PinKey(_) | CartridgeNumber(_) | DefaultMark(_), Shape::Box) => ground = Some(element),
                (Keycap | PinKey(_) | CartridgeNumber(_) | DefaultMark(_), Shape::Text { size, baseline, .. }) => {
                    let ground = ground.filter(|it| it.kind == element.kind).unwrap_or_else(|| panic!("{name}: {element:?} is on nothing"));
                    assert!(holds(&ground.area, &element.area), "{name}: {element:?} in {:?}", ground.area);
                    let (x, y) = center(&ground.area);
                    // Letters stand on the baseline; capitals are 0.727 em high. Tracking ends after the last letter.
                    let middle = (center(&element.area).0, baseline - 0.727 / 2.0 * size);
                    assert!((middle.0 - x).abs() < 1.0 && close(middle.1, y), "{name}: {element:?} in {:?}", ground.area);
                }
                _ => {}
            }
        }
        if let Some(number) = layout.find(CountdownNumber) {
            let ring = area(layout, CountdownRing);
            // Tracking adds a fiftieth of an em at the right.
            let off = (center(&ring).0 - center(&number.area).0).abs();
            assert!(holds(&ring, &number.area) && off < CLOSE + 0.01 * size(number), "{name}: {number:?} in {ring:?}");
        }
    });
}

#[test]
fn what_is_numbered_is_in_order() {
    everywhere(|_, layout, name| {
        for kind in [Step as fn(usize) -> ElementKind, KeyHint, HelpHead, PinPlace, PinKey] {
            let areas = numbered(layout, kind);
            assert!(areas.windows(2).all(|pair| pair[0].right() < pair[1].x), "{name}: {:?} {areas:?}", kind(0));
            // In one row.
            assert!(areas.windows(2).all(|pair| close(pair[0].y, pair[1].y)), "{name}: {:?} {areas:?}", kind(0));
        }
        for kind in [PowerEntry as fn(usize) -> ElementKind, PowerEntryDetail, HelpRow, Reason, ReasonHint] {
            let areas = numbered(layout, kind);
            let pitches: Vec<f32> = areas.windows(2).map(|pair| pair[1].y - pair[0].y).collect();
            assert!(areas.windows(2).all(|pair| pair[0].bottom() <= pair[1].y), "{name}: {:?} {areas:?}", kind(0));
            assert!(pitches.windows(2).all(|pair| close(pair[0], pair[1])), "{name}: {:?} is uneven: {pitches:?}", kind(0));
        }
        for kind in [PinPlace as fn(usize) -> ElementKind, PinKey] {
            let pitches: Vec<f32> = numbered(layout, kind).windows(2).map(|pair| pair[1].x - pair[0].x).collect();
            assert!(pitches.windows(2).all(|pair| close(pair[0], pair[1])), "{name}: {:?} is uneven: {pitches:?}", kind(0));
        }
    });
}

#[test]
fn keycaps_are_apart() {
    everywhere(|_, layout, name| {
        let caps: Vec<Area> = layout.all(Keycap).filter(|it| it.shape == Shape::Frame).map(|it| it.area).collect();
        for (index, cap) in caps.iter().enumerate() {
            assert!(caps[index + 1..].iter().all(|other| !cap.overlaps(other)), "{name}: {cap:?}");
            for hint in numbered(layout, KeyHint).iter().chain(&numbered(layout, HelpRow)) {
                assert!(!cap.overlaps(hint), "{name}: {cap:?} and {hint:?}");
            }
        }
    });
}

#[test]
fn text_is_large_enough() {
    everywhere(|picture, layout, name| {
        let unit = picture.unit();
        for (element, _) in layout.lines() {
            // The smallest is 22 units, and may shrink to 7 tenths of that before it is cut.
            assert!(size(element) >= 15.4 * unit - 0.01, "{name}: {element:?}");
        }
        let shown = (0..picture.view.cards.len()).filter(|index| layout.find(Cartridge(*index)).is_some());
        for index in shown {
            assert!(area(layout, Cartridge(index)).width >= 0.5 * CARTRIDGE.0 * unit - CLOSE, "{name}: {index}");
            // A label's title: 27 units of its drawing, on two lines 0.72 of it.
            let title = size(line(layout, CartridgeTitle(index))) / area(layout, Cartridge(index)).width * CARTRIDGE.0;
            assert!(title >= 27.0 * 0.72 - 0.01, "{name}: {title} of {index}");
        }
    });
}

#[test]
fn large_text_is_larger_everywhere_and_the_cartridges_make_room() {
    let views = [guarded(0, countdown(6400, 10)), guarded(2, Stage::Waiting), picture("starting").view, picture("failed").view];
    for view in views {
        let [standard, large] = [STANDARD, LARGE].map(|appearance| layout(&view, appearance, 1920, 1080));
        for (element, text) in standard.lines() {
            // Steps, hints and reasons may be on other lines, or left out for want of room.
            if matches!(element.kind, KeyHint(_) | Keycap | Reason(_) | ReasonHint(_)) {
                continue;
            }
            let larger = large.lines().find(|(other, other_text)| other.kind == element.kind && *other_text == text);
            let larger = larger.unwrap_or_else(|| panic!("{text} is missing")).0;
            assert!(size(larger) > 1.1 * size(element), "{text}: {} and {}", size(larger), size(element));
        }
        let width = |layout: &Layout| area(layout, Cartridge(1)).width;
        assert!(width(&large) < width(&standard) && width(&large) > 0.7 * width(&standard));
    }
}

/// An element with its x, y, width and height.
type Place = (ElementKind, [i32; 4]);

#[test]
fn where_the_main_parts_are_on_full_hd() {
    // In whole pixels. What depends on words has its own tests.
    let expected: [(&str, &[Place]); 6] = [
        (
            "countdown-1920x1080",
            &[
                (Cartridge(0), [331, 151, 322, 429]),
                (Cartridge(1), [714, 244, 264, 352]),
                (Cartridge(2), [1020, 244, 264, 352]),
                (Cartridge(3), [1326, 244, 264, 352]),
                (CartridgeNumber(1), [734, 257, 27, 27]),
                (DefaultMark(0), [546, 169, 83, 27]),
                (Pointer, [475, 610, 34, 17]),
                (WordMark, [76, 72, 14, 8]),
            ],
        ),
        ("starting", &[(Cartridge(1), [799, 213, 322, 429]), (Slot, [707, 581, 506, 80]), (Cartridge(0), [473, 244, 264, 352])]),
        ("running", &[(RunningEmblem, [888, 260, 144, 144])]),
        ("waiting", &[(LockedBadge(1), [886, 224, 49, 49]), (RefusedBadge(2), [1057, 304, 40, 40])]),
        ("gliding-first", &[(Cartridge(0), [328, 179, 304, 406]), (Cartridge(1), [694, 216, 281, 375]), (Pointer, [569, 610, 34, 17])]),
        ("help", &[(Panel, [476, 204, 967, 660])]),
    ];
    for (name, parts) in expected {
        let layout = picture(name).layout();
        for (kind, rectangle) in parts {
            let Area { x, y, width, height } = area(&layout, *kind);
            let seen = [x, y, width, height].map(|pixels| pixels.round() as i32);
            assert!(seen.iter().zip(rectangle).all(|(a, b)| a.abs_diff(*b) <= 1), "{name}: {kind:?} is at {seen:?}, not {rectangle:?}");
        }
    }
    let baseline = |name: &str, kind| match picture(name).layout().all(kind).find(|it| it.text().is_some()).map(|it| it.shape.clone()) {
        Some(Shape::Text { size, baseline, .. }) => (size.round(), baseline.round()),
        other => panic!("{other:?}"),
    };
    assert_eq!(baseline("countdown-1920x1080", Title), (76.0, 710.0));
    assert_eq!(baseline("countdown-1920x1080", Tagline), (31.0, 764.0));
    assert_eq!(baseline("countdown-1920x1080", CountdownText), (33.0, 884.0));
    assert_eq!(baseline("countdown-1920x1080", KeyHint(0)), (24.0, 1015.0));
    assert_eq!(baseline("countdown-1920x1080", HostName), (22.0, 74.0));
    assert_eq!(baseline("starting", Title), (76.0, 774.0));
    assert_eq!(baseline("failed", PanelTitle), (38.0, 742.0));
}

#[test]
fn every_size_shows_the_same() {
    let kinds = |layout: &Layout| {
        // What is told on several lines is told on more of them where they are short.
        let counts = |kind: &ElementKind| !matches!(kind, Keycap | KeyHint(_) | Reason(1..));
        let mut kinds: Vec<ElementKind> = layout.elements.iter().map(|element| element.kind).filter(counts).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    };
    let sizes = [FULL_HD, (3840, 2160), (2560, 1080), (1080, 1920), (1024, 768), (3440, 1440), (1280, 720)];
    let views =
        [guarded(1, countdown(6400, 10)), picture("failed").view, picture("starting").view, picture("power").view, picture("pin").view];
    for view in views {
        let usual = kinds(&layout(&view, STANDARD, 1920, 1080));
        for (width, height) in sizes {
            let seen = kinds(&layout(&view, STANDARD, width, height));
            // A narrow shelf shows fewer cartridges.
            let without_shelf = |kinds: &[ElementKind]| kinds.iter().copied().filter(|kind| !scrolls(*kind)).collect::<Vec<_>>();
            assert_eq!(without_shelf(&seen), without_shelf(&usual), "{width}x{height} {:?}", view.stage);
        }
        // Twice as large is the same composition.
        let [small, large] = [(1920, 1080), (3840, 2160)].map(|(width, height)| layout(&view, STANDARD, width, height));
        for (small, large) in small.elements.iter().zip(&large.elements).filter(|(small, _)| small.kind != Veil) {
            assert_eq!(small.kind, large.kind);
            let (a, b) = (small.area, large.area);
            for (a, b) in [(a.x, b.x), (a.y, b.y), (a.right(), b.right()), (a.bottom(), b.bottom())] {
                assert!((2.0 * a - b).abs() < 3.0, "{small:?} {large:?}");
            }
        }
    }
}

#[test]
fn a_painter_tells_the_layout_that_it_has_drawn() {
    for name in ["countdown-640x480", "pin-wrong-640x480", "large-starting-1024x768"] {
        let picture = picture(name);
        let mut painter = Painter::with(picture.size.0, picture.size.1, Gallery::default(), picture.appearance);
        assert_eq!(painter.layout(), None);
        painter.paint(&picture.view);
        assert_eq!(painter.layout(), Some(picture.layout()));
    }
}

/// In high contrast the background is black: whatever is not black belongs to an element, and every element that is not black
/// itself shows.
#[test]
fn the_layout_is_what_is_drawn() {
    let (width, height) = (1280, 720);
    let cards = |view: persona_paint::View| {
        // An emblem has a colour of its own.
        let cards = view.cards.into_iter().map(|card| Card { emblem: persona_paint::Emblem::Initial, ..card }).collect();
        persona_paint::View { cards, ..view }
    };
    let appearance = Appearance { high_contrast: true, ..STANDARD };
    for picture in pictures().into_iter().filter(|picture| picture.appearance == CONTRAST || picture.size == FULL_HD) {
        let mut painter = Painter::with(width, height, Gallery::default(), appearance);
        painter.paint(&cards(picture.view));
        let layout = painter.layout().unwrap();
        let mut owned = vec![false; (width * height) as usize];
        let is_drawn = |index: usize| painter.pixels()[index * 4..][..3].iter().any(|part| *part > 60);
        for element in &layout.elements {
            // The edge of a highlighted cartridge lies around it.
            let around = if matches!(element.kind, Cartridge(_)) { 14.0 * element.area.width / CARTRIDGE.0 } else { 1.0 };
            let clip = |at: f32, end: u32| at.clamp(0.0, end as f32) as usize;
            let columns = clip((element.area.x - around).floor(), width)..clip((element.area.right() + around).ceil(), width);
            let rows = clip((element.area.y - around).floor(), height)..clip((element.area.bottom() + around).ceil(), height);
            let pixels = || rows.clone().flat_map(|y| columns.clone().map(move |x| y * width as usize + x));
            let shows =
                matches!(element.shape, Shape::Text { .. } | Shape::Sign(_) | Shape::Frame | Shape::Cartridge { .. } | Shape::Ring { .. });
            // A sign on a disc is black; a frame may be covered; those at the edges fade.
            let shows = shows && element.opacity == 1.0 && !scrolls(element.kind) && columns.len() > 1;
            let name = picture.name;
            assert!(!shows || pixels().any(is_drawn), "{name}: nothing is to be seen of {element:?}");
            pixels().for_each(|index| owned[index] = true);
        }
        let stray =
            (0..owned.len()).filter(|index| is_drawn(*index) && !owned[*index]).map(|index| (index as u32 % width, index as u32 / width));
        assert_eq!(stray.take(5).collect::<Vec<_>>(), [], "{}: drawn outside of every element", picture.name);
    }
}
