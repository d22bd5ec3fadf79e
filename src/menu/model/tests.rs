#![allow(clippy::unwrap_used, clippy::panic)]
mod launches;
mod locks;
mod recording;
mod remote;
mod settling;

use super::*;
use crate::menu::model::view::Stage;
use persona_paint::{Overlay, Progress};
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

/// The disk is quick.
const RECORDED: Event = Event::Recorded { failed: None };

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

/// Presses keys one after the other; returns the effects of the last one.
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
