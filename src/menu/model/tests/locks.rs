//! PINs.

use super::*;
use crate::config::pin::Tries;
use persona_paint::PinAnswer;

#[test]
fn a_locked_persona_starts_with_its_pin_only() {
    let mut menu = locked(&[(1, false)], None);
    menu.handle(Event::Shown, at(0));
    assert_eq!(press(&mut menu, at(1), &[Key::Next, Key::Confirm]), []);
    let tried = press(&mut menu, at(1), &[Key::Digit(1), Key::Digit(2), Key::Confirm]);
    assert_eq!(tried, [Effect::CheckPin { persona: 1, digits: "12".into() }]);
    assert_eq!(menu.handle(Event::PinChecked { right: false }, at(2)), []);
    assert_eq!(menu.overlay(at(2)), Some(Overlay::Pin { entered: 0, cursor: None, answer: PinAnswer::Wrong }));
    press(&mut menu, at(3), &[Key::Digit(1), Key::Confirm]);
    assert_eq!(menu.handle(Event::PinChecked { right: true }, at(3)), chosen(1, Reason::Picked));
}

#[test]
fn a_pin_that_is_right_too_late_starts_nothing() {
    let mut menu = locked(&[(1, false)], None);
    menu.handle(Event::Shown, at(0));
    press(&mut menu, at(1), &[Key::Next, Key::Confirm, Key::Digit(1), Key::Confirm, Key::Back]);
    assert_eq!(menu.handle(Event::PinChecked { right: true }, at(2)), [], "the person had left");
}

#[test]
fn a_right_pin_unlocks_only_the_persona_it_was_entered_for() {
    let mut menu = locked(&[(1, false), (2, false)], None);
    menu.handle(Event::Shown, at(0));
    press(&mut menu, at(1), &[Key::Digit(2), Key::Confirm, Key::Digit(1), Key::Confirm, Key::Back]);
    // The other persona's pad takes nothing until the answer is there, and that is not its own.
    assert_eq!(press(&mut menu, at(1), &[Key::Digit(3), Key::Confirm, Key::Digit(1), Key::Confirm]), []);
    assert_eq!(menu.overlay(at(1)), Some(Overlay::Pin { entered: 0, cursor: None, answer: PinAnswer::Checking }));
    assert_eq!(menu.handle(Event::PinChecked { right: true }, at(2)), []);
    assert_eq!(menu.overlay(at(2)), Some(Overlay::Pin { entered: 0, cursor: None, answer: PinAnswer::None }));
    // Nor is an answer for the same persona's earlier pad.
    press(&mut menu, at(3), &[Key::Digit(1), Key::Confirm, Key::Back, Key::Confirm]);
    assert_eq!(menu.handle(Event::PinChecked { right: true }, at(3)), []);
}

#[test]
fn wrong_pins_slow_down_and_leaving_does_not_help() {
    let mut menu = locked(&[(0, true)], None);
    menu.handle(Event::Shown, at(0));
    press(&mut menu, at(1), &[Key::Confirm]);
    for _ in 0..3 {
        press(&mut menu, at(1), &[Key::Digit(1), Key::Confirm]);
        menu.handle(Event::PinChecked { right: false }, at(1));
    }
    press(&mut menu, at(1), &[Key::Back, Key::Confirm]);
    let Some(Overlay::Pin { answer: PinAnswer::Wait { seconds }, .. }) = menu.overlay(at(1)) else { panic!("{menu:?}") };
    assert!(seconds >= 1);
    assert!(menu.next_change(at(1)).is_some(), "the seconds are counted down on the screen");
    assert_eq!(press(&mut menu, at(1), &[Key::Digit(1), Key::Confirm]), []);
}

#[test]
fn a_locked_default_gives_way_unless_the_settings_say_otherwise() {
    assert_eq!(locked(&[], None).default(), Some(0));
    assert_eq!(locked(&[(0, true)], None).default(), Some(0));
    assert_eq!(locked(&[(0, false)], None).default(), Some(1));
    let mut all = locked(&[(0, false), (1, false), (2, false), (3, false)], None);
    all.handle(Event::Shown, at(0));
    assert_eq!((all.default(), all.stage(at(0)), all.deadline()), (None, Some(Stage::Waiting), None));
    let mut set_by_root = locked(&[(1, false)], Some(("b", Reason::Override)));
    assert_eq!(set_by_root.handle(Event::Tick, at(0)), chosen(1, Reason::Override));
}

#[test]
fn wrong_pins_of_an_earlier_menu_slow_down_this_one() {
    let mut menu = locked(&[(0, true)], None);
    menu.handle(Event::Shown, at(0));
    press(&mut menu, at(1), &[Key::Confirm]);
    menu.handle(Event::EarlierTries(Tries::resumed(6, at(17))), at(1));
    assert_eq!(press(&mut menu, at(1), &[Key::Digit(1), Key::Confirm]), []);
    press(&mut menu, at(17), &[Key::Digit(1), Key::Confirm]);
    menu.handle(Event::PinChecked { right: false }, at(17));
    let wait = |menu: &Menu| menu.overlay(at(17));
    assert!(matches!(wait(&menu), Some(Overlay::Pin { answer: PinAnswer::Wait { seconds: 32 }, .. })), "{menu:?}");
    menu.handle(Event::EarlierTries(Tries::resumed(1, at(0))), at(17));
    assert!(matches!(wait(&menu), Some(Overlay::Pin { answer: PinAnswer::Wait { seconds: 32 }, .. })), "it never becomes shorter");
}
