#![allow(clippy::unwrap_used)]
use super::*;
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
    assert_eq!(menu.stage(at(0)), Some(Stage::Starting { steps: Vec::new() }));
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
fn escape_leaves_a_running_legion_for_the_console_and_its_end_brings_the_menu_back() {
    let mut menu = menu(TEN_SECONDS, None);
    menu.handle(legion(Phase::Running, 0), at(0));
    assert_eq!(menu.handle(Event::Key(Key::Back), at(1)), [Effect::LeaveToConsole]);
    assert_eq!(menu.stage(at(1)), None);
    assert_eq!(menu.handle(legion(Phase::Ended, 0), at(2)), [Effect::TakeScreen]);
    assert_eq!(menu.stage(at(2)), Some(Stage::Waiting));
}

#[test]
fn escape_leads_to_the_console_wherever_nothing_is_about_to_start() {
    let mut waiting = menu(Timeout::Never, None);
    waiting.handle(Event::Shown, at(0));
    assert_eq!(waiting.handle(Event::Key(Key::Back), at(1)), [Effect::LeaveToConsole]);
    let mut failed = menu(TEN_SECONDS, None);
    failed.handle(legion(Phase::Failed, 0), at(0));
    assert_eq!(failed.handle(Event::Key(Key::Back), at(1)), [Effect::LeaveToConsole]);
    let mut counting = menu(TEN_SECONDS, None);
    counting.handle(Event::Shown, at(0));
    assert_eq!(counting.handle(Event::Key(Key::Back), at(1)), [], "in the countdown it is any key");
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

fn any_event() -> impl Strategy<Value = Event> {
    let key = prop_oneof![
        Just(Key::Previous),
        Just(Key::Next),
        (0..10u8).prop_map(Key::Digit),
        Just(Key::Confirm),
        Just(Key::Back),
        Just(Key::Other)
    ];
    let phase = prop_oneof![
        Just(Phase::Preparing),
        Just(Phase::Starting),
        Just(Phase::Running),
        Just(Phase::Stopping),
        Just(Phase::Ended),
        Just(Phase::Failed)
    ];
    let legion = (phase, proptest::option::of(0..6usize)).prop_map(|(phase, persona)| Event::Legion { phase, persona, why: None });
    prop_oneof![Just(Event::Shown), Just(Event::NoScreen), Just(Event::Tick), key.prop_map(Event::Key), legion]
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
