//! Where things are on the pictures that no person reviews: rectangles, order, highlight and whole texts.
//!
//! None of this depends on what the product says: where a text is looked for, it is the test's own.

use crate::views::{
    CONTRAST, FULL_HD, LARGE, Picture, STANDARD, WHY, countdown, gliding, guarded, inserting, overlaid, picture, pictures, view,
};
use ElementKind::{
    Address, BottomLine, Cartridge, CartridgeNumber, CartridgeTitle, CountdownNumber, CountdownRing, CountdownText, DefaultMark, HelpHead,
    HelpRow, HostName, KeyHint, Keycap, LockedBadge, Notice, Panel, PanelShadow, PanelTitle, PinAnswer, PinCursor, PinKey, PinPlace,
    Pointer, PowerEntry, PowerEntryDetail, PowerHighlight, Reason, ReasonHint, RefusedBadge, RunningEmblem, Slot, SlotLamp, Step, StepLine,
    Tagline, Title, TitleSign, Veil, WordMark,
};
use persona_paint::{Appearance, Area, Card, Element, ElementKind, Gallery, Layout, Overlay, Painter, Shape, Stage, layout};

/// Fractions of a pixel that do not count.
const CLOSE: f32 = 0.6;
/// Units that are kept free at the left and the right, at the top, and at the bottom.
const MARGINS: (f32, f32, f32) = (72.0, 42.0, 51.0);
/// The size of a cartridge that is not highlighted, in units, and how much larger the highlighted one is.
const CARTRIDGE: (f32, f32) = (264.0, 352.0);
const HIGHLIGHTED: f32 = 1.22;

fn close(a: f32, b: f32) -> bool {
    (a - b).abs() < CLOSE
}

fn center(area: &Area) -> (f32, f32) {
    (area.x + area.width / 2.0, area.y + area.height / 2.0)
}

fn holds(outer: &Area, inner: &Area) -> bool {
    inner.x >= outer.x - CLOSE
        && inner.y >= outer.y - CLOSE
        && inner.right() <= outer.right() + CLOSE
        && inner.bottom() <= outer.bottom() + CLOSE
}

/// The first area of a kind, which must be there.
fn area(layout: &Layout, kind: ElementKind) -> Area {
    layout.find(kind).unwrap_or_else(|| panic!("there is no {kind:?}")).area
}

/// The areas of a kind that is numbered: the first one of each, in their order.
fn numbered(layout: &Layout, kind: fn(usize) -> ElementKind) -> Vec<Area> {
    (0..99).map_while(|index| Some(layout.find(kind(index))?.area)).collect()
}

/// The text line of a kind.
fn line(layout: &Layout, kind: ElementKind) -> &Element {
    layout.all(kind).find(|element| element.text().is_some()).unwrap_or_else(|| panic!("there is no text of {kind:?}"))
}

/// The text of a kind, its lines joined.
fn text(layout: &Layout, kind: ElementKind) -> String {
    layout.all(kind).filter_map(Element::text).collect::<Vec<_>>().join(" ")
}

/// All lines of a paragraph, joined.
fn paragraph(layout: &Layout, kind: fn(usize) -> ElementKind) -> String {
    (0..99).map_while(|index| layout.find(kind(index))?.text()).collect::<Vec<_>>().join(" ")
}

fn size(element: &Element) -> f32 {
    match element.shape {
        Shape::Text { size, .. } => size,
        _ => panic!("{element:?} is no text"),
    }
}

fn sign(layout: &Layout, kind: ElementKind) -> Option<&'static str> {
    layout.all(kind).find_map(|element| match element.shape {
        Shape::Sign(name) => Some(name),
        _ => None,
    })
}

/// The light of a cartridge on the picture.
fn light(layout: &Layout, index: usize) -> Option<f32> {
    match layout.find(Cartridge(index))?.shape {
        Shape::Cartridge { light } => Some(light),
        _ => None,
    }
}

/// What is on a cartridge.
fn on_cartridge(index: usize) -> [ElementKind; 5] {
    [CartridgeTitle(index), CartridgeNumber(index), DefaultMark(index), LockedBadge(index), RefusedBadge(index)]
}

/// Whether it belongs to a shelf, of which the ends may lie outside of the picture.
fn scrolls(kind: ElementKind) -> bool {
    matches!(kind, Cartridge(_)) || kind.is_on_a_cartridge()
}

/// `check` for all pictures, with a name for what is said of a failure.
fn everywhere(mut check: impl FnMut(&Picture, &Layout, &str)) {
    for picture in pictures() {
        check(&picture, &picture.layout(), picture.name);
    }
}

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
fn the_highlighted_cartridge_is_larger_and_pointed_at() {
    everywhere(|picture, layout, name| {
        let at_rest = picture.view.pose.shelf.fract() == 0.0;
        if layout.find(Cartridge(picture.view.highlighted)).is_none() || !at_rest {
            return;
        }
        let body = area(layout, Cartridge(picture.view.highlighted));
        for index in 0..picture.view.cards.len() {
            let expected = if index == picture.view.highlighted { 1.0 } else { 0.0 };
            if let Some(light) = light(layout, index) {
                assert_eq!(light, expected, "{name}: {index}");
            }
            if let Some(other) = layout.find(Cartridge(index)).filter(|_| expected == 0.0) {
                assert!((body.width / other.area.width - HIGHLIGHTED).abs() < 0.001, "{name}: {body:?} {other:?}");
                assert!(body.y < other.area.y || matches!(picture.view.stage, Stage::Starting { .. }), "{name}: {body:?} is not raised");
            }
        }
        // It covers the light around it with its own: it is drawn last.
        let last = layout.elements.iter().rfind(|element| matches!(element.kind, Cartridge(_))).unwrap();
        assert_eq!(last.kind, Cartridge(picture.view.highlighted), "{name}");
        let starting = matches!(picture.view.stage, Stage::Starting { .. });
        assert_eq!(layout.find(Pointer).is_some(), !starting, "{name}");
        if let Some(pointer) = layout.find(Pointer) {
            assert!(close(center(&pointer.area).0, center(&body).0) && pointer.area.y > body.bottom(), "{name}: {pointer:?} {body:?}");
        }
    });
}

#[test]
fn the_highlighted_cartridge_is_seen_whole() {
    for count in 1..=12 {
        for highlighted in 0..count {
            let layout = layout(&view(count, highlighted, Stage::Waiting), STANDARD, 1920, 1080);
            let body = area(&layout, Cartridge(highlighted));
            assert!(body.x >= 72.0 - CLOSE && body.right() <= 1848.0 + CLOSE, "{highlighted} of {count}: {body:?}");
            // Those next to it are to be seen as well, if only in part.
            for neighbour in [highlighted.checked_sub(1), Some(highlighted + 1).filter(|next| *next < count)].into_iter().flatten() {
                let body = area(&layout, Cartridge(neighbour));
                assert!(body.x < 1920.0 - 60.0 && body.right() > 60.0, "{neighbour} of {count}: {body:?}");
            }
        }
    }
}

#[test]
fn a_few_cartridges_stand_in_the_middle() {
    for count in 1..=4 {
        let layout = layout(&view(count, 0, Stage::Waiting), STANDARD, 1920, 1080);
        let bodies = numbered(&layout, Cartridge);
        assert_eq!(bodies.len(), count);
        let free = (bodies[0].x, 1920.0 - bodies[count - 1].right());
        assert!((free.0 - free.1).abs() < 42.0, "{count}: {bodies:?}");
    }
}

#[test]
fn a_gliding_highlight_moves_from_one_cartridge_to_the_next() {
    let at = |shelf: f32| layout(&gliding(4, 1, shelf, Stage::Waiting), STANDARD, 1920, 1080);
    let pointer = |shelf: f32| center(&area(&at(shelf), Pointer)).0;
    for step in 0..30_u8 {
        let (now, next) = (f32::from(step) / 10.0, f32::from(step + 1) / 10.0);
        assert!(pointer(next) > pointer(now), "the pointer goes back at {now}");
        let layout = at(now);
        let lights: Vec<f32> = (0..4).map(|index| light(&layout, index).unwrap()).collect();
        assert!((lights.iter().sum::<f32>() - 1.0).abs() < 0.001, "{now}: {lights:?}");
        for (index, light) in lights.iter().enumerate() {
            let width = CARTRIDGE.0 * (1.0 + (HIGHLIGHTED - 1.0) * light);
            assert!((area(&layout, Cartridge(index)).width - width).abs() < 1.0, "{now}: {index} is not as large as its light");
        }
    }
    let scrolling = picture("gliding-scrolling").layout();
    assert!(light(&scrolling, 4).unwrap() < 0.5 && light(&scrolling, 5).unwrap() > 0.5);
}

#[test]
fn a_glide_begins_and_ends_as_the_shelf_at_rest() {
    let pixels = |shelf: f32| {
        let mut painter = Painter::new(960, 540);
        painter.paint(&gliding(4, 1, shelf, Stage::Waiting));
        painter.pixels().to_vec()
    };
    for (moving, still) in [(0.003, 0.0), (0.997, 1.0), (1.003, 1.0)] {
        let [moving_pixels, still_pixels] = [moving, still].map(pixels);
        let apart = moving_pixels.iter().zip(&still_pixels).map(|(a, b)| u32::from(a.abs_diff(*b)));
        let mean = f64::from(apart.sum::<u32>()) / moving_pixels.len() as f64;
        assert!(mean < 0.6, "{moving}: {mean}");
    }
}

#[test]
fn the_chosen_cartridge_is_lifted_and_falls_into_the_slot() {
    let at = |insertion: f32| layout(&inserting(insertion), STANDARD, 1920, 1080);
    let shelf = at(0.0);
    assert!(shelf.find(Slot).is_none(), "the slot is there before anything moves");
    let [lifted, falling, inserted] = [0.3, 0.75, 1.0].map(at);
    let body = |layout: &Layout| area(layout, Cartridge(0));
    assert!(body(&lifted).y < body(&shelf).y, "it is not lifted");
    assert!(body(&falling).y > body(&lifted).y && body(&inserted).y > body(&falling).y, "it does not fall");
    // From its place on the shelf to the middle.
    assert!(body(&shelf).x < body(&lifted).x && close(center(&body(&inserted)).0, 960.0));
    assert!(area(&lifted, Slot).y > area(&inserted, Slot).y, "the slot does not rise");
    for layout in [&falling, &inserted] {
        assert!(body(layout).bottom() > area(layout, Slot).y && body(layout).bottom() < area(layout, Slot).bottom());
    }
    // The slot is in front of what is in it.
    let position = |kind| inserted.elements.iter().position(|element| element.kind == kind).unwrap();
    assert!(position(Slot) > position(Cartridge(0)));
    // The others fade.
    let opacity = |layout: &Layout, index| layout.find(Cartridge(index)).map_or(0.0, |element| element.opacity);
    for other in 1..4 {
        let opacities = [&shelf, &lifted, &inserted].map(|layout| opacity(layout, other));
        assert!(opacities[0] == 1.0 && opacities.is_sorted_by(|a, b| a > b) && opacities[2] < 0.3, "{opacities:?}");
        assert_eq!(opacity(&inserted, 0), 1.0);
    }
    // The lamp shines when it is in.
    let lamp = |layout: &Layout| layout.all(SlotLamp).map(|part| part.opacity).fold(1.0, f32::min);
    assert!(lamp(&falling) == 0.0 && lamp(&inserted) > 0.2);
}

#[test]
fn the_status_line_says_what_it_knows() {
    let waiting = picture("waiting");
    let layout = waiting.layout();
    assert_eq!(text(&layout, HostName), waiting.view.host);
    assert!(text(&layout, Address).ends_with(waiting.view.address.as_deref().unwrap()));
    assert_eq!(Some(text(&layout, Notice)), waiting.view.notice);
    let ends = [WordMark, HostName, Address, Notice].map(|kind| line(&layout, kind).area);
    assert!(ends.windows(2).all(|pair| pair[0].right() < pair[1].x && close(pair[0].y, pair[1].y)), "{ends:?}");
    assert!(close(area(&layout, WordMark).x, 76.0) && close(line(&layout, Notice).area.right(), 1848.0));

    // Where there is no room beside, the notice is below and begins at the left.
    let narrow = persona_paint::layout(&waiting.view, STANDARD, 1080, 1920);
    assert!(line(&narrow, Notice).area.y > line(&narrow, HostName).area.bottom());
    let is_whole = Some(text(&narrow, Notice)) == waiting.view.notice;
    assert!(is_whole || text(&narrow, Notice).ends_with('…'));
    // The machine's own screen has no status line while legion has the other.
    for kind in [WordMark, HostName, Address, Notice] {
        assert!(picture("running").layout().find(kind).is_none());
    }
}

/// Whether a text was drawn in full.
fn is_whole(drawn: &str, text: &str) -> bool {
    drawn.split_whitespace().eq(text.split_whitespace())
}

/// Whether a text was drawn as far as it goes, with an ellipsis at the end.
fn is_cut(drawn: &str, text: &str) -> bool {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().concat();
    drawn.strip_suffix('…').is_some_and(|drawn| words(text).starts_with(&words(drawn)))
}

#[test]
fn titles_are_whole_or_visibly_cut() {
    everywhere(|picture, layout, name| {
        for (index, card) in picture.view.cards.iter().enumerate() {
            if layout.find(Cartridge(index)).is_none() {
                continue;
            }
            let title = text(layout, CartridgeTitle(index));
            let long = card.title.chars().count() > 30;
            assert!(is_whole(&title, &card.title) || long && is_cut(&title, &card.title), "{name}: {title}");
            assert_eq!(text(layout, CartridgeNumber(index)), if index < 9 { (index + 1).to_string() } else { String::new() }, "{name}");
            assert_eq!(layout.find(DefaultMark(index)).is_some(), card.is_default, "{name}: {index}");
            assert_eq!(sign(layout, LockedBadge(index)), card.is_locked.then_some("padlock"), "{name}: {index}");
            assert_eq!(sign(layout, RefusedBadge(index)), card.refused.is_some().then_some("barred"), "{name}: {index}");
        }
        let Some(card) = picture.view.cards.get(picture.view.highlighted).filter(|_| picture.view.overlay.is_none()) else { return };
        match picture.view.stage {
            Stage::Countdown { .. } | Stage::Waiting => {
                assert_eq!(text(layout, Title), card.title, "{name}");
                let tagline = if card.refused.is_some() { "" } else { &card.tagline };
                assert_eq!(text(layout, Tagline), tagline, "{name}");
                let barred = card.refused.is_some().then_some("barred");
                assert_eq!(sign(layout, TitleSign), barred.or(card.is_locked.then_some("padlock")), "{name}");
            }
            Stage::Starting { .. } | Stage::Running { .. } => assert!(text(layout, Title).contains(&card.title), "{name}"),
            Stage::Failed { .. } => assert!(text(layout, PanelTitle).contains(&card.title), "{name}"),
            Stage::Broken { .. } => {}
        }
    });
}

#[test]
fn the_words_below_the_shelf_are_centered_and_below_each_other() {
    everywhere(|picture, layout, name| {
        if picture.view.overlay.is_some() || matches!(picture.view.stage, Stage::Failed { .. } | Stage::Broken { .. }) {
            return;
        }
        let middle = layout.width as f32 / 2.0;
        let title = line(layout, Title).area;
        let (left, right) = (layout.find(TitleSign).map_or(title.x, |sign| sign.area.x), title.right());
        assert!(((left + right) / 2.0 - middle).abs() < 2.0, "{name}: {title:?}");
        for kind in [Tagline, Reason(0), Reason(1), ReasonHint(0), ReasonHint(1)] {
            if let Some(element) = layout.find(kind) {
                assert!(close(center(&element.area).0, middle), "{name}: {element:?}");
            }
        }
        let shelf = [Slot, Pointer, RunningEmblem].into_iter().find_map(|kind| layout.find(kind)).unwrap().area.bottom();
        let column = [Title, Tagline, Reason(0), Reason(1), ReasonHint(0), ReasonHint(1), CountdownRing, Step(0), Keycap];
        let column: Vec<(ElementKind, Area)> = column.into_iter().filter_map(|kind| Some((kind, layout.find(kind)?.area))).collect();
        assert!(column[0].1.y >= shelf, "{name}: {:?} is on what is above", column[0]);
        assert!(column.windows(2).all(|pair| pair[0].1.bottom() <= pair[1].1.y + CLOSE), "{name}: {column:?}");
    });
}

#[test]
fn what_is_selected_by_keys_is_offered_by_keys() {
    let keys = |name: &str| text(&picture(name).layout(), Keycap);
    assert_eq!(keys("waiting"), "← → Enter Esc F1");
    assert_eq!(keys("countdown-1920x1080"), "← → Enter Esc F1 any key");
    assert_eq!(keys("personas-1"), "Enter Esc F1", "there is nothing to choose from");
    assert_eq!(keys("refused"), "← → Esc F1", "it cannot be started");
    assert_eq!(keys("running"), "Esc");
    assert_eq!(keys("power"), "↑ ↓ Enter Esc");
    assert_eq!(keys("pin"), "0–9 Enter Esc Backspace");
    assert_eq!(keys("starting"), "");
    // What has no room at all is left out, the least important first.
    assert!(keys("countdown-640x480").starts_with("← → Enter Esc"));
    everywhere(|_, layout, name| {
        for hint in numbered(layout, KeyHint) {
            let cap = layout.all(Keycap).filter(|cap| cap.area.right() <= hint.x).map(|cap| cap.area.right()).fold(0.0, f32::max);
            assert!((1.0..40.0).contains(&(hint.x - cap)), "{name}: {hint:?} is {} from its key", hint.x - cap);
        }
    });
}

#[test]
fn the_countdown_shows_what_is_left() {
    let share = |layout: &Layout| match layout.find(CountdownRing).map(|ring| &ring.shape) {
        Some(Shape::Ring { share }) => *share,
        other => panic!("{other:?}"),
    };
    for (remaining, total, number) in [(6400, 10, "7"), (300, 10, "1"), (10_000, 10, "10"), (125_000, 150, "2:05"), (0, 10, "0")] {
        let layout = layout(&view(4, 0, countdown(remaining, total)), STANDARD, 1920, 1080);
        assert_eq!(text(&layout, CountdownNumber), number);
        assert!((share(&layout) - remaining as f32 / total as f32 / 1000.0).abs() < 0.002, "{number}: {}", share(&layout));
        let (ring, words) = (area(&layout, CountdownRing), line(&layout, CountdownText).area);
        assert!(words.x > ring.right() && words.x - ring.right() < ring.width, "{ring:?} {words:?}");
        assert!((center(&ring).1 - center(&words).1).abs() < 0.2 * words.height);
        assert!(text(&layout, CountdownText).starts_with("Rivendale"), "the default is what it starts");
    }
    // Over a panel, and below a reason, it is one line: a small ring without a number.
    for name in ["help", "power", "pin-wrong-640x480", "refused-countdown-1280x1024"] {
        let layout = picture(name).layout();
        assert!(layout.find(CountdownNumber).is_none() && layout.find(CountdownText).is_some(), "{name}");
    }
    for name in ["waiting", "starting", "failed", "running", "broken", "pin"] {
        assert!(picture(name).layout().find(CountdownRing).is_none(), "{name}");
    }
    // The words do not move while the seconds lose a digit.
    let start = |remaining| line(&layout(&view(4, 0, countdown(remaining, 10)), STANDARD, 1920, 1080), CountdownText).area.x;
    assert_eq!(start(10_000), start(9000));
}

#[test]
fn a_reason_is_whole_where_there_is_room_and_cut_where_there_is_none() {
    let (reason, hint) = WHY.split_once('\n').unwrap();
    for (width, height) in [FULL_HD, (3840, 2160), (1280, 1024), (1080, 1920), (1024, 768)] {
        for appearance in [STANDARD, LARGE, CONTRAST] {
            let mut refused = guarded(2, Stage::Waiting);
            refused.cards[2].refused = Some(WHY.into());
            let refused = layout(&refused, appearance, width, height);
            assert!(is_whole(&paragraph(&refused, Reason), reason), "{width}x{height}: {}", paragraph(&refused, Reason));
            let drawn = paragraph(&refused, ReasonHint);
            assert!(is_whole(&drawn, hint) || is_cut(&drawn, hint), "{width}x{height}: {drawn}");
            let failed = layout(&view(4, 2, Stage::Failed { why: WHY.into() }), appearance, width, height);
            let drawn = paragraph(&failed, Reason);
            assert!(is_whole(&drawn, WHY) || is_cut(&drawn, WHY), "{width}x{height}: {drawn}");
            let panel = area(&failed, Panel);
            for element in [TitleSign, PanelTitle].into_iter().map(|kind| area(&failed, kind)).chain(numbered(&failed, Reason)) {
                assert!(holds(&panel, &element), "{width}x{height}: {element:?} is not on {panel:?}");
            }
        }
    }
    for name in ["failed", "refused"] {
        assert!(!paragraph(&picture(name).layout(), Reason).ends_with('…'), "{name}");
    }
    let endless = Stage::Failed { why: WHY.repeat(40) };
    assert!(is_cut(&paragraph(&layout(&view(4, 2, endless), STANDARD, 1920, 1080), Reason), &WHY.repeat(40)));
}

#[test]
fn a_launch_shows_how_far_it_is() {
    for (name, signs) in [
        ("starting", ["check", "ring-with-dot", "ring"]),
        ("contrast-starting", ["check", "ring-with-dot", "ring"]),
        ("large-starting-1024x768", ["check", "check", "ring-with-dot"]),
    ] {
        let layout = picture(name).layout();
        let shown: Vec<(String, Vec<&str>)> = (0..3)
            .map(|index| {
                let signs = layout.all(Step(index)).filter_map(|part| if let Shape::Sign(name) = part.shape { Some(name) } else { None });
                (text(&layout, Step(index)), signs.collect())
            })
            .collect();
        for (index, ((drawn, drawn_signs), word)) in shown.iter().zip(["devices", "cartridge", "power"]).enumerate() {
            assert_eq!((drawn.as_str(), *drawn_signs.last().unwrap()), (word, signs[index]), "{name}");
            // A check is on a disc.
            assert_eq!(drawn_signs.len(), if signs[index] == "check" { 2 } else { 1 }, "{name}");
            let (sign, word) = (area(&layout, Step(index)), line(&layout, Step(index)).area);
            assert!(sign.right() < word.x && word.x - sign.right() < sign.width, "{name}: {sign:?} {word:?}");
        }
        for index in 1..3 {
            let joint = area(&layout, StepLine(index));
            assert!(joint.x > line(&layout, Step(index - 1)).area.right() && joint.right() < area(&layout, Step(index)).x, "{name}");
        }
    }
}

#[test]
fn what_lies_over_the_menu_is_in_front_of_a_veil_and_in_its_panel() {
    everywhere(|picture, layout, name| {
        let Some(overlay) = &picture.view.overlay else { return assert!(layout.find(Veil).is_none(), "{name}") };
        let position = |kind| layout.elements.iter().position(|element| element.kind == kind);
        if picture.appearance.high_contrast {
            assert!(position(Veil).is_none() && position(Cartridge(0)).is_none(), "{name}: nothing is dimmed in high contrast");
        } else {
            let last = layout.elements.iter().rposition(|element| scrolls(element.kind));
            assert!(last < position(Veil) && position(Veil) < position(Panel), "{name}");
        }
        let panel = area(layout, Panel);
        assert!(close(center(&panel).0, layout.width as f32 / 2.0), "{name}: {panel:?}");
        let kinds: &[fn(usize) -> ElementKind] = match overlay {
            Overlay::Help => &[HelpRow, HelpHead],
            Overlay::Power { .. } => &[PowerEntry, PowerEntryDetail],
            Overlay::Pin { .. } => &[PinKey, PinPlace],
        };
        let padding = 20.0 * panel.width / 1000.0;
        let inside = Area { x: panel.x + padding, width: panel.width - 2.0 * padding, ..panel };
        for kind in kinds {
            for element in (0..20).flat_map(|index| layout.all(kind(index))) {
                assert!(holds(&inside, &element.area), "{name}: {element:?} is not on {panel:?}");
            }
        }
        assert!(holds(&inside, &line(layout, PanelTitle).area), "{name}");
        if let Some(words) = layout.find(CountdownText) {
            assert!(holds(&inside, &words.area) && holds(&inside, &area(layout, CountdownRing)), "{name}: {words:?}");
        }
    });
}

#[test]
fn the_power_menu_marks_one_entry() {
    for appearance in [STANDARD, LARGE, CONTRAST] {
        for highlighted in 0..3 {
            let view = overlaid(Overlay::Power { highlighted }, guarded(0, Stage::Waiting));
            let layout = layout(&view, appearance, 1920, 1080);
            assert_eq!(["console", "restart", "power"].map(Some), [0, 1, 2].map(|index| sign(&layout, PowerEntry(index))));
            assert_eq!(text(&layout, PanelTitle), view.host);
            let row = area(&layout, PowerHighlight);
            assert_eq!(sign(&layout, PowerHighlight), Some("marker"));
            assert!(layout.all(PowerHighlight).all(|part| holds(&row, &part.area)));
            for index in 0..3 {
                let parts = layout.all(PowerEntry(index)).chain(layout.all(PowerEntryDetail(index)));
                let inside = parts.map(|part| (holds(&row, &part.area), row.overlaps(&part.area))).collect::<Vec<_>>();
                let lit = index == highlighted;
                assert!(inside.len() == 3 && inside.iter().all(|it| *it == (lit, lit)), "{highlighted}: {index} {inside:?}");
            }
        }
    }
}

#[test]
fn the_number_pad_marks_one_key() {
    let keys = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "", ""];
    for cursor in [None, Some(0), Some(4), Some(11)] {
        let pin = Overlay::Pin { entered: 3, cursor, answer: persona_paint::PinAnswer::None };
        let layout = layout(&overlaid(pin, guarded(1, Stage::Waiting)), STANDARD, 1920, 1080);
        assert_eq!(layout.find(PinCursor).is_some(), cursor.is_some());
        for (index, key) in keys.iter().enumerate() {
            assert_eq!(text(&layout, PinKey(index)), *key);
            let body = layout.all(PinKey(index)).find(|part| part.shape == Shape::Frame).unwrap().area;
            assert!(close(body.width, body.height), "{body:?}");
            if let Some(around) = layout.find(PinCursor) {
                assert_eq!(holds(&around.area, &body), cursor == Some(index), "{index}");
            }
        }
        assert_eq!([10, 11].map(|index| sign(&layout, PinKey(index))), [Some("erase"), Some("enter")]);
    }
}

#[test]
fn every_digit_of_a_pin_has_a_place() {
    for entered in [0, 1, 3, 4, 7, 16, 40] {
        let pin = Overlay::Pin { entered, cursor: None, answer: persona_paint::PinAnswer::None };
        let layout = layout(&overlaid(pin, guarded(1, Stage::Waiting)), STANDARD, 1920, 1080);
        let places = numbered(&layout, PinPlace);
        assert_eq!(places.len(), entered.clamp(4, 16));
        let full = (0..places.len()).filter(|index| layout.find(PinPlace(*index)).unwrap().shape == Shape::Box).count();
        assert_eq!(full, entered.min(16));
        assert!(close((places[0].x + places[places.len() - 1].right()) / 2.0, 960.0));
    }
    // What is said of a wrong one has a sign of its own, besides the padlock.
    let signs = |name: &str| picture(name).layout().all(TitleSign).count();
    assert_eq!((signs("pin"), signs("pin-wrong-640x480"), signs("contrast-large-pin")), (1, 3, 3));
    for name in ["pin", "pin-wrong-640x480", "contrast-large-pin"] {
        let layout = picture(name).layout();
        let (places, answer, keys) = (area(&layout, PinPlace(0)), line(&layout, PinAnswer).area, area(&layout, PinKey(0)));
        assert!(places.bottom() < answer.y && answer.bottom() < keys.y, "{name}: {places:?} {answer:?} {keys:?}");
    }
}

#[test]
fn the_help_is_a_table() {
    for (name, appearance, columns) in
        [("help", STANDARD, 3), ("help", LARGE, 3), ("help-1080x1920", STANDARD, 3), ("help-1080x1920", LARGE, 2)]
    {
        let layout = Picture { appearance, ..picture(name) }.layout();
        let heads = numbered(&layout, HelpHead);
        assert_eq!((heads.len(), numbered(&layout, HelpRow).len()), (columns, 6), "{name}");
        let on_panel = |cap: &&Element| cap.shape == Shape::Frame && cap.area.bottom() < area(&layout, Panel).bottom();
        for row in numbered(&layout, HelpRow) {
            // Caps stand in the middle of the row.
            let caps: Vec<Area> =
                layout.all(Keycap).filter(on_panel).map(|cap| cap.area).filter(|cap| cap.overlaps(&row_of(&row))).collect();
            assert!(caps.iter().all(|cap| (center(cap).1 - center(&row).1).abs() < 0.1 * cap.height), "{name}: {row:?} {caps:?}");
            assert!(!caps.is_empty() && caps.iter().all(|cap| cap.x > row.right()), "{name}: {row:?} {caps:?}");
        }
        // Each column begins where its head does.
        let caps = layout.all(Keycap).filter(on_panel).map(|cap| cap.area.x).collect::<Vec<_>>();
        for head in heads {
            assert!(caps.iter().any(|x| close(*x, head.x)), "{name}: {head:?}");
        }
    }
}

/// All of the picture's width at the height of `line`.
fn row_of(line: &Area) -> Area {
    Area { x: 0.0, width: 16384.0, ..*line }
}

#[test]
fn the_screen_without_a_menu_quotes_the_settings_in_columns() {
    let broken = picture("broken");
    let Stage::Broken { why } = &broken.view.stage else { panic!("{:?}", broken.view.stage) };
    let layout = broken.layout();
    let lines: Vec<&str> = (0..99).map_while(|index| layout.find(Reason(index))?.text()).collect();
    assert!(is_whole(&paragraph(&layout, Reason), why), "{lines:#?}");
    assert!(why.lines().filter(|line| line.contains(" | ")).all(|line| lines.contains(&line)), "{lines:#?}");
    let left = [TitleSign, Title, Reason(0), BottomLine].map(|kind| area(&layout, kind).x);
    assert!(left.iter().all(|x| close(*x, MARGINS.0)), "{left:?}");
    // A caret stands below what it points to: every letter is as wide as any other.
    let widths =
        numbered(&layout, Reason).iter().zip(&lines).map(|(area, line)| area.width / line.chars().count() as f32).collect::<Vec<_>>();
    assert!(widths.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 0.1), "{widths:?}");
}

#[test]
fn a_persona_that_runs_is_named_in_the_middle_of_a_dark_screen() {
    let layout = picture("running").layout();
    let (emblem, title, tagline) = (layout.find(RunningEmblem).unwrap(), line(&layout, Title), line(&layout, Tagline));
    assert!(emblem.area.bottom() < title.area.y && title.area.bottom() < tagline.area.y);
    assert!([emblem, title, tagline].iter().all(|element| close(center(&element.area).0, 960.0)));
    assert!([emblem, title, tagline].iter().all(|element| element.opacity < 0.7), "this may be on a monitor for hours");
    assert!(text(&layout, Tagline).contains("RTX 2070 SUPER"), "where its picture is");
    assert!((0..4).all(|index| layout.find(Cartridge(index)).is_none()));
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
        ("help", &[(Panel, [455, 204, 1010, 660])]),
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
