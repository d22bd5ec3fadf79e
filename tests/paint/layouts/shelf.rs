//! The cartridges: which one is highlighted, how they stand, glide, and are inserted.

use super::*;

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
