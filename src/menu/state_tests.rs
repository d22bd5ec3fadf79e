#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use persona_paint::{PinAnswer, Progress};
use proptest::prelude::*;

const SETTINGS: &str = r#"
[[persona]]
name = "a"
[[persona]]
name = "b"
on_poweroff = "host"
[[persona]]
name = "lab"
starts = "lab.service"
[[persona]]
name = "host"
starts = "host"
"#;

const TEN_SECONDS: Timeout = Timeout::After(Duration::from_secs(10));

fn menu(timeout: Timeout, preset: Option<(&str, Reason)>) -> Menu {
    Menu::new(&Settings::parse(SETTINGS, "test").unwrap(), "a", preset, timeout)
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn legion(phase: Phase, persona: usize) -> Event {
    Event::Legion { phase, persona: Some(persona), why: None }
}

/// How far the steps of the launch are.
fn progress(menu: &Menu) -> Vec<Progress> {
    let Some(Stage::Starting { steps }) = menu.stage(Duration::ZERO) else { panic!("{menu:?} is not starting") };
    steps.iter().map(|step| step.progress).collect()
}

/// Presses keys one after the other; what the last one caused.
fn press(menu: &mut Menu, now: Duration, keys: &[Key]) -> Vec<Effect> {
    keys.iter().map(|key| menu.handle(Event::Key(*key), now)).last().unwrap()
}

fn chosen(persona: usize, reason: Reason) -> Vec<Effect> {
    vec![Effect::Choose { persona, reason }]
}

#[test]
fn the_countdown_starts_with_the_first_frame_not_with_the_process() {
    let mut menu = menu(TEN_SECONDS, None);
    assert_eq!(menu.handle(Event::Tick, at(30)), []);
    menu.handle(Event::Shown, at(30));
    assert_eq!(menu.deadline(), Some(at(40)));
    assert_eq!(menu.handle(Event::Tick, at(39)), []);
    assert_eq!(menu.handle(Event::Tick, at(40)), chosen(0, Reason::Timeout));
    assert_eq!(menu.handle(Event::Tick, at(41)), [], "a choice is made once");
}

#[test]
fn without_a_screen_or_a_keyboard_the_default_still_starts() {
    let mut menu = menu(TEN_SECONDS, None);
    menu.handle(Event::NoScreen, at(15));
    assert_eq!(menu.handle(Event::Tick, at(25)), chosen(0, Reason::Timeout));
}

#[test]
fn a_key_gives_a_minute_and_never_for_ever() {
    let mut menu = menu(TEN_SECONDS, None);
    menu.handle(Event::Shown, at(0));
    menu.handle(Event::Key(Key::Other), at(9));
    assert_eq!(menu.deadline(), Some(at(69)));
    menu.handle(Event::Key(Key::Next), at(20));
    assert_eq!(menu.handle(Event::Tick, at(80)), chosen(0, Reason::Timeout), "the default starts, wherever the highlight is");
}

#[test]
fn a_key_never_shortens_a_long_countdown() {
    let mut menu = menu(Timeout::After(at(300)), None);
    menu.handle(Event::Shown, at(0));
    menu.handle(Event::Key(Key::Next), at(10));
    assert_eq!(menu.deadline(), Some(at(300)));
}

#[test]
fn arrows_and_digits_move_and_only_confirm_picks() {
    let mut menu = menu(Timeout::Never, None);
    menu.handle(Event::Shown, at(0));
    for (key, highlighted) in [
        (Key::Previous, 0),
        (Key::Next, 1),
        (Key::Digit(4), 3),
        (Key::Next, 3),
        (Key::Digit(5), 3),
        (Key::Other, 3),
        (Key::Previous, 2),
        (Key::Digit(2), 1),
    ] {
        assert_eq!(menu.handle(Event::Key(key), at(1)), []);
        assert_eq!(menu.highlighted(), highlighted, "{key:?}");
    }
    assert_eq!(menu.handle(Event::Key(Key::Confirm), at(2)), chosen(1, Reason::Picked));
}

#[test]
fn an_override_waits_for_nothing() {
    let mut menu = menu(Timeout::Never, Some(("b", Reason::Override)));
    assert_eq!(menu.deadline(), Some(Duration::ZERO));
    assert_eq!(menu.handle(Event::Tick, at(0)), chosen(1, Reason::Override));
    assert_eq!(progress(&menu), [Progress::Busy, Progress::Pending, Progress::Pending]);
}

#[test]
fn an_override_of_a_vanished_persona_is_none() {
    let mut menu = menu(TEN_SECONDS, Some(("gone", Reason::Override)));
    assert_eq!(menu.handle(Event::Tick, at(0)), []);
    menu.handle(Event::Shown, at(0));
    assert_eq!(menu.deadline(), Some(at(10)));
}

#[test]
fn a_timeout_of_zero_starts_the_default_at_once_and_never_waits() {
    assert_eq!(menu(Timeout::After(Duration::ZERO), None).handle(Event::Tick, at(0)), chosen(0, Reason::Timeout));
    let mut never = menu(Timeout::Never, None);
    never.handle(Event::Shown, at(0));
    assert_eq!((never.deadline(), never.stage(at(99))), (None, Some(Stage::Waiting)));
}

#[test]
fn legion_comes_and_goes_and_the_menu_waits_for_a_person_then() {
    let mut menu = menu(TEN_SECONDS, None);
    menu.handle(Event::Shown, at(0));
    menu.handle(Event::Key(Key::Confirm), at(1));
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
    let mut menu = menu(TEN_SECONDS, None);
    for (phase, wanted) in
        [(Phase::Preparing, [Busy, Pending, Pending]), (Phase::Inserting, [Done, Busy, Pending]), (Phase::Starting, [Done, Done, Busy])]
    {
        menu.handle(legion(phase, 0), at(1));
        assert_eq!(progress(&menu), wanted);
    }
    menu.handle(legion(Phase::Starting, 2), at(1));
    assert_eq!(progress(&menu), [], "a unit has none of legion's steps");
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
fn the_power_menu_is_one_key_away_wherever_a_person_sees_the_menu() {
    let mut waiting = menu(Timeout::Never, None);
    waiting.handle(Event::Shown, at(0));
    let mut counting = menu(TEN_SECONDS, None);
    counting.handle(Event::Shown, at(0));
    let mut failed = menu(TEN_SECONDS, None);
    failed.handle(legion(Phase::Failed, 0), at(0));
    let mut starting = menu(TEN_SECONDS, None);
    starting.handle(legion(Phase::Preparing, 0), at(0));
    for mut menu in [waiting, counting, failed, starting] {
        let before = menu.clone();
        assert_eq!(press(&mut menu, at(1), &[Key::Back, Key::Back]), [], "in and out");
        assert_eq!(menu.highlighted(), before.highlighted());
        assert_eq!(press(&mut menu, at(1), &[Key::Back, Key::Next, Key::Confirm]), [Effect::Restart]);
        assert_eq!(press(&mut menu, at(1), &[Key::Back, Key::Next, Key::Next, Key::Confirm]), [Effect::PowerOff]);
        assert_eq!(press(&mut menu, at(1), &[Key::Back, Key::Confirm]), [Effect::LeaveToConsole]);
    }
}

#[test]
fn nothing_starts_while_the_machine_goes_down() {
    let mut menu = menu(TEN_SECONDS, None);
    menu.handle(Event::Shown, at(0));
    press(&mut menu, at(1), &[Key::Back, Key::Next, Key::Confirm]);
    assert_eq!((menu.stage(at(1)), menu.deadline()), (Some(Stage::Waiting), None));
}

#[test]
fn the_countdown_goes_on_below_an_overlay_and_ends_it() {
    let mut menu = menu(TEN_SECONDS, None);
    menu.handle(Event::Shown, at(0));
    menu.handle(Event::Key(Key::Help), at(1));
    assert_eq!(menu.overlay(at(1)), Some(Overlay::Help));
    let deadline = menu.deadline().unwrap();
    assert_eq!(deadline, at(61), "a key gave more time");
    assert_eq!(menu.handle(Event::Tick, deadline), chosen(0, Reason::Timeout));
    assert_eq!(menu.overlay(deadline), None);
}

#[test]
fn what_cannot_start_cannot_be_picked_until_it_can() {
    let mut menu = menu(Timeout::Never, None);
    menu.handle(Event::Shown, at(0));
    menu.handle(Event::Refused(vec![true, true, false, false]), at(0));
    assert_eq!(press(&mut menu, at(1), &[Key::Next, Key::Confirm]), [Effect::LookAgain]);
    assert_eq!((menu.highlighted(), menu.stage(at(1))), (1, Some(Stage::Waiting)));
    menu.handle(Event::Refused(vec![true, false, false, false]), at(2));
    assert_eq!(press(&mut menu, at(2), &[Key::Confirm]), chosen(1, Reason::Picked));
}

#[test]
fn a_default_that_cannot_start_is_tried_at_its_time_and_says_why() {
    let mut menu = menu(TEN_SECONDS, None);
    menu.handle(Event::Refused(vec![true; 4]), at(0));
    menu.handle(Event::Shown, at(0));
    assert_eq!(menu.handle(Event::Tick, at(10)), chosen(0, Reason::Timeout), "the launch looks again, and knows best");
}

/// The personas with a lock on some; `unattended` ones may start without.
fn locked(locks: &[(usize, bool)], preset: Option<(&str, Reason)>) -> Menu {
    let mut settings = Settings::parse(SETTINGS, "test").unwrap();
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for (index, unattended) in locks {
        settings.personas[*index].pin = Some(hash.parse().unwrap());
        settings.personas[*index].unattended = *unattended;
    }
    Menu::new(&settings, &settings.default_persona(None).name, preset, TEN_SECONDS)
}

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

fn any_key() -> impl Strategy<Value = Key> {
    prop_oneof![
        Just(Key::Previous),
        Just(Key::Next),
        (0..10u8).prop_map(Key::Digit),
        Just(Key::Confirm),
        Just(Key::Back),
        Just(Key::Erase),
        Just(Key::Help),
        Just(Key::Other)
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    let key = any_key();
    let phase = prop_oneof![
        Just(Phase::Preparing),
        Just(Phase::Inserting),
        Just(Phase::Starting),
        Just(Phase::Running),
        Just(Phase::Stopping),
        Just(Phase::Ended),
        Just(Phase::Failed)
    ];
    let legion = (phase, proptest::option::of(0..6usize)).prop_map(|(phase, persona)| Event::Legion { phase, persona, why: None });
    let refused = proptest::collection::vec(any::<bool>(), 0..6).prop_map(Event::Refused);
    let pin = any::<bool>().prop_map(|right| Event::PinChecked { right });
    prop_oneof![
        1 => Just(Event::Shown),
        1 => Just(Event::NoScreen),
        1 => Just(Event::Tick),
        8 => key.prop_map(Event::Key),
        1 => refused,
        1 => pin,
        2 => legion
    ]
}

proptest! {
    #[test]
    fn no_sequence_panics_and_the_highlight_stays_on_the_shelf(events in proptest::collection::vec((any_event(), 0..100u64), 0..60)) {
        let mut menu = menu(TEN_SECONDS, None);
        let mut now = Duration::ZERO;
        for (event, later) in events {
            now += Duration::from_secs(later);
            menu.handle(event, now);
            prop_assert!(menu.highlighted() < 4);
            if let Some(Stage::Countdown { remaining, total }) = menu.stage(now) {
                prop_assert!(remaining <= total);
            }
        }
    }

    #[test]
    fn whatever_was_pressed_time_ends_in_a_choice_unless_a_person_decided_otherwise(
        keys in proptest::collection::vec((any_key(), 0..50u64), 0..40),
    ) {
        let mut menu = locked(&[(1, false)], None);
        let mut now = Duration::ZERO;
        let mut effects = menu.handle(Event::Shown, now);
        for (key, pause) in keys {
            now += Duration::from_secs(pause);
            effects.extend(menu.handle(Event::Tick, now));
            effects.extend(menu.handle(Event::Key(key), now));
        }
        effects.extend(menu.handle(Event::Tick, now + Duration::from_secs(61)));
        let decided = |effect: &Effect| matches!(effect, Effect::Choose { .. } | Effect::Restart | Effect::PowerOff | Effect::LeaveToConsole);
        prop_assert!(effects.iter().any(decided), "{effects:?}");
    }

    #[test]
    fn keys_alone_never_keep_the_default_from_starting(keys in proptest::collection::vec(0..50u64, 0..40)) {
        let mut menu = menu(TEN_SECONDS, None);
        let mut now = Duration::ZERO;
        menu.handle(Event::Shown, now);
        for pause in keys {
            now += Duration::from_secs(pause);
            menu.handle(Event::Key(Key::Other), now);
        }
        let deadline = menu.deadline().unwrap();
        prop_assert!(deadline <= now + Duration::from_secs(60));
        prop_assert_eq!(menu.handle(Event::Tick, deadline), chosen(0, Reason::Timeout));
    }
}
