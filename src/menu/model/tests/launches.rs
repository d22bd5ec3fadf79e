//! What was chosen starts, runs, ends and fails.

use super::*;

#[test]
fn legion_comes_and_goes_and_the_menu_waits_for_a_person_then() {
    let mut menu = menu(TEN_SECONDS, None);
    menu.handle(Event::Shown, at(0));
    menu.handle(Event::Key(Key::Confirm), at(1));
    menu.handle(RECORDED, at(1));
    menu.handle(legion(Phase::Preparing, 0), at(2));
    assert_eq!(menu.deadline(), None, "preparing may take as long as it takes");
    menu.handle(legion(Phase::Running, 0), at(5));
    assert_eq!(menu.stage(at(5)), Some(Stage::Running { screen: None }));
    assert_eq!(menu.handle(legion(Phase::Ended, 0), at(500)), []);
    assert_eq!((menu.stage(at(500)), menu.deadline()), (Some(Stage::Waiting), None));
}

#[test]
fn a_choice_that_nobody_hears_is_reported() {
    let mut menu = menu(Timeout::Never, None);
    menu.handle(Event::Shown, at(0));
    menu.handle(Event::Key(Key::Confirm), at(1));
    menu.handle(RECORDED, at(1));
    let deadline = menu.deadline().unwrap();
    menu.handle(Event::Tick, deadline);
    assert!(matches!(menu.stage(deadline), Some(Stage::Failed { why }) if why.contains("legion.service")));
}

#[test]
fn a_failure_shows_its_reason_and_enter_only_dismisses_it() {
    let mut menu = menu(TEN_SECONDS, None);
    menu.handle(Event::Shown, at(0));
    menu.handle(Event::Legion { phase: Phase::Failed, persona: Some(1), why: Some("no IOMMU".into()) }, at(3));
    assert_eq!(menu.stage(at(3)), Some(Stage::Failed { why: "no IOMMU".into() }));
    assert_eq!(menu.handle(Event::Key(Key::Confirm), at(4)), []);
    assert_eq!(menu.stage(at(4)), Some(Stage::Waiting));
    assert_eq!(menu.highlighted(), 1);
}

#[test]
fn a_launch_ticks_its_steps_off() {
    use Progress::{Busy, Done, Pending};
    let (mut menu, mut other) = (menu(TEN_SECONDS, None), menu(TEN_SECONDS, None));
    for (phase, wanted) in
        [(Phase::Preparing, [Busy, Pending, Pending]), (Phase::Inserting, [Done, Busy, Pending]), (Phase::Starting, [Done, Done, Busy])]
    {
        menu.handle(legion(phase, 0), at(1));
        assert_eq!(progress(&menu), wanted);
    }
    other.handle(legion(Phase::Starting, 2), at(1));
    assert_eq!(progress(&other), [], "a unit has none of legion's steps");
}

#[test]
fn a_person_can_stay_on_the_host_and_the_end_of_legion_brings_the_menu_back() {
    let mut menu = menu(TEN_SECONDS, None);
    menu.handle(legion(Phase::Running, 0), at(0));
    assert_eq!(press(&mut menu, at(1), &[Key::Back]), []);
    assert_eq!(menu.overlay(at(1)), Some(Overlay::Power { highlighted: 0 }));
    assert_eq!(press(&mut menu, at(1), &[Key::Confirm]), [Effect::LeaveToConsole]);
    assert_eq!((menu.stage(at(1)), menu.overlay(at(1))), (None, None));
    assert_eq!(menu.handle(legion(Phase::Ended, 0), at(2)), [Effect::TakeScreen]);
    assert_eq!(menu.stage(at(2)), Some(Stage::Waiting));
}

#[test]
fn a_unit_leaves_the_menu_one_key_away() {
    let mut menu = menu(TEN_SECONDS, None);
    menu.handle(legion(Phase::Running, 2), at(0));
    press(&mut menu, at(1), &[Key::Next]);
    assert!(matches!(menu.stage(at(1)), Some(Stage::Running { .. })));
    press(&mut menu, at(1), &[Key::Confirm]);
    assert_eq!(menu.stage(at(1)), Some(Stage::Waiting));
    menu.handle(legion(Phase::Running, 0), at(2));
    press(&mut menu, at(3), &[Key::Confirm]);
    assert!(matches!(menu.stage(at(3)), Some(Stage::Running { .. })), "legion says itself when it ends");
}

#[test]
fn a_unit_starts_runs_and_ends_as_legion_does() {
    let mut menu = menu(Timeout::Never, None);
    menu.handle(Event::Shown, at(0));
    assert_eq!(press(&mut menu, at(0), &[Key::Digit(3), Key::Confirm]), chosen(2, Reason::Picked));
    menu.handle(RECORDED, at(0));
    assert_eq!((progress(&menu), menu.deadline()), (vec![], None), "it may take as long as it takes");
    menu.handle(legion(Phase::Running, 2), at(500));
    assert_eq!((menu.stage(at(500)), menu.light(at(500))), (Some(Stage::Running { screen: None }), Light::Bright));
    assert_eq!(menu.light(at(9000)), Light::Dark);
    menu.handle(legion(Phase::Ended, 2), at(9000));
    assert_eq!((menu.stage(at(9000)), menu.light(at(9000))), (Some(Stage::Waiting), Light::Bright));
    press(&mut menu, at(9000), &[Key::Confirm]);
    menu.handle(RECORDED, at(9000));
    menu.handle(Event::Legion { phase: Phase::Failed, persona: Some(2), why: Some("exit-code".into()) }, at(9001));
    assert_eq!(menu.stage(at(9001)), Some(Stage::Failed { why: "exit-code".into() }));
}

#[test]
fn a_unit_may_go_on_beside_what_is_chosen_after_it() {
    let mut menu = menu(Timeout::Never, None);
    menu.handle(Event::Shown, at(0));
    // Nothing was chosen here: it was by an earlier menu.
    menu.handle(legion(Phase::Running, 2), at(0));
    press(&mut menu, at(1), &[Key::Confirm]);
    assert_eq!(press(&mut menu, at(1), &[Key::Digit(1), Key::Confirm]), chosen(0, Reason::Picked));
    menu.handle(legion(Phase::Running, 0), at(2));
    for phase in [Phase::Ended, Phase::Failed] {
        assert_eq!(menu.handle(legion(phase, 2), at(3)), []);
        assert_eq!((menu.stage(at(3)), menu.highlighted()), (Some(Stage::Running { screen: None }), 0));
    }
}

#[test]
fn a_running_legion_dims_the_menu_and_a_key_only_wakes_it() {
    let mut menu = menu(TEN_SECONDS, None);
    menu.handle(legion(Phase::Running, 0), at(100));
    let mut now = at(100);
    for light in [Light::Dim, Light::Dark] {
        now = menu.next_change(now).unwrap();
        assert_eq!(menu.light(now), light);
    }
    assert_eq!(menu.next_change(now), None, "a dark menu sleeps");
    assert_eq!(press(&mut menu, now, &[Key::Back]), []);
    assert_eq!((menu.light(now), menu.overlay(now)), (Light::Bright, None));
    press(&mut menu, now, &[Key::Back]);
    assert_eq!(menu.overlay(now), Some(Overlay::Power { highlighted: 0 }));
    assert_eq!(menu.light(at(9000)), Light::Dark, "an overlay that was left open does not glow for hours");
    menu.handle(Event::Tick, at(9000));
    assert_eq!(menu.overlay(at(9000)), None);
}

#[test]
fn the_bare_host_gets_its_console() {
    let mut menu = menu(Timeout::Never, None);
    menu.handle(Event::Shown, at(0));
    menu.handle(Event::Key(Key::Digit(4)), at(0));
    let effects = menu.handle(Event::Key(Key::Confirm), at(0));
    assert_eq!(effects, [Effect::Choose { persona: 3, reason: Reason::Picked }, Effect::LeaveToConsole]);
}

#[test]
fn on_poweroff_host_leads_to_the_console() {
    let mut menu = menu(TEN_SECONDS, None);
    menu.handle(legion(Phase::Running, 1), at(0));
    assert_eq!(menu.handle(legion(Phase::Ended, 1), at(1)), [Effect::LeaveToConsole]);
}
