//! What lies over the menu or stands in its place.

use super::*;

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
