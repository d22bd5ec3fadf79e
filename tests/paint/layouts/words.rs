//! Titles, lines of text, the countdown and the steps of a launch.

use super::*;

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
