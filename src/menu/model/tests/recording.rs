//! Choices whose disk is slow.

use super::*;
use crate::menu::model::event::RemoteRefusal;

/// A menu in which this persona was picked at the first second, and whose screen says at the fifth that it is not recorded yet.
fn overdue(persona: usize) -> Menu {
    let mut menu = menu(Timeout::Never, None);
    menu.handle(Event::Shown, at(0));
    for _ in 0..persona {
        menu.handle(Event::Key(Key::Next), at(1));
    }
    assert_eq!(menu.handle(Event::Key(Key::Confirm), at(1)), vec![Effect::Choose { persona, reason: Reason::Picked }]);
    assert_eq!(menu.deadline(), Some(at(4)), "the screen is to say so");
    menu.handle(Event::Tick, at(3));
    assert!(menu.is_recording() && !menu.is_recording_overdue());
    assert_eq!(menu.handle(Event::Tick, at(5)), vec![]);
    assert!(menu.is_recording_overdue());
    menu
}

#[test]
fn recording_in_time_shows_nothing() {
    let mut menu = menu(Timeout::Never, None);
    menu.handle(Event::Shown, at(0));
    menu.handle(Event::Key(Key::Confirm), at(1));
    let before = menu.stage(at(2));
    menu.handle(RECORDED, at(2));
    assert!(!menu.is_recording() && menu.stage(at(2)) == before);
    assert_eq!(menu.deadline(), Some(at(62)), "legion is waited for from there on");
}

#[test]
fn recording_overdue_is_said_and_the_highlight_moves() {
    for persona in [0, 2] {
        let mut menu = overdue(persona);
        let Some(Stage::Failed { why }) = menu.stage(at(5)) else { panic!("{menu:?}") };
        assert!(why.contains("not recorded yet") && why.contains("lock"), "{why}");
        menu.handle(Event::Key(Key::Next), at(6));
        assert_eq!((menu.highlighted(), menu.stage(at(6))), (persona + 1, Some(Stage::Waiting)));
        assert_eq!(menu.deadline(), None, "it is said once");
    }
}

#[test]
fn recording_overdue_refuses_every_other_choice() {
    let mut menu = overdue(0);
    menu.handle(Event::Key(Key::Next), at(6));
    assert_eq!(menu.handle(Event::Key(Key::Confirm), at(6)), vec![]);
    let Some(Stage::Failed { why }) = menu.stage(at(6)) else { panic!("{menu:?}") };
    assert!(why.contains("earlier choice is still being recorded"), "{why}");
    assert_eq!(menu.remote(Remote::Choose(1), at(7)), Err(RemoteRefusal::Busy(Some(0))));
    menu.handle(RECORDED, at(8));
    assert_eq!((menu.highlighted(), menu.playing()), (0, Some(0)));
}

#[test]
fn recording_done_late_lands() {
    let mut menu = overdue(0);
    menu.handle(Event::Key(Key::Next), at(6));
    menu.handle(RECORDED, at(30));
    assert!(matches!(menu.stage(at(30)), Some(Stage::Starting { .. })) && menu.highlighted() == 0, "{menu:?}");
    assert_eq!(menu.deadline(), Some(at(90)));

    let mut unit = overdue(2);
    unit.handle(RECORDED, at(30));
    assert!(matches!(unit.stage(at(30)), Some(Stage::Starting { .. })), "{unit:?}");
    unit.handle(legion(Phase::Running, 2), at(31));
    assert!(matches!(unit.stage(at(31)), Some(Stage::Running { .. })));

    // legion.path was faster than the menu's own thread.
    let mut started = overdue(0);
    started.handle(legion(Phase::Running, 0), at(7));
    started.handle(RECORDED, at(8));
    assert!(matches!(started.stage(at(8)), Some(Stage::Running { .. })), "{started:?}");
}

#[test]
fn recording_failed_is_told_whenever_it_fails() {
    let failed = || Event::Recorded { failed: Some("the disk is full".into()) };
    let mut early = menu(Timeout::Never, None);
    early.handle(Event::Shown, at(0));
    early.handle(Event::Key(Key::Confirm), at(1));
    let mut late = overdue(0);
    late.handle(Event::Key(Key::Next), at(6));
    for mut menu in [early, late] {
        menu.handle(failed(), at(7));
        assert_eq!(menu.stage(at(7)), Some(Stage::Failed { why: "the disk is full".into() }));
        menu.handle(Event::Key(Key::Other), at(8));
        assert_eq!(menu.handle(Event::Key(Key::Confirm), at(9)).len(), 1, "it can be chosen again");
    }
}

#[test]
fn recording_overdue_leaves_the_console_alone() {
    let mut menu = menu(Timeout::Never, None);
    menu.handle(Event::Shown, at(0));
    (0..3).for_each(|_| drop(menu.handle(Event::Key(Key::Next), at(1))));
    menu.handle(Event::Key(Key::Confirm), at(1));
    menu.handle(Event::Tick, at(5));
    assert!(menu.is_on_console() && menu.is_recording_overdue());
    menu.handle(RECORDED, at(6));
    assert!(menu.is_on_console() && !menu.is_recording());
}
