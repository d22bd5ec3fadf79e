//! Choosing, holding and moving over the control socket.

use super::*;

fn remote(menu: &mut Menu, remote: Remote) -> Result<Vec<Effect>, RemoteRefusal> {
    menu.remote(remote, at(5))
}

/// A menu at a stage, by what led there.
fn menu_at(stage: &str) -> Menu {
    let mut menu = menu(TEN_SECONDS, None);
    let events = match stage {
        "awaiting-screen" => vec![],
        "countdown" => vec![Event::Shown],
        "failed" => vec![Event::Shown, legion(Phase::Failed, 0)],
        "starting" => vec![Event::Shown, legion(Phase::Preparing, 0)],
        "running" => vec![Event::Shown, legion(Phase::Running, 0)],
        "waiting" => vec![Event::Shown, legion(Phase::Running, 0), legion(Phase::Ended, 0)],
        "chosen" => vec![Event::Shown, Event::Key(Key::Confirm), RECORDED],
        "console" => vec![Event::Shown, Event::Key(Key::Back), Event::Key(Key::Confirm)],
        other => panic!("{other}"),
    };
    for event in events {
        menu.handle(event, at(0));
    }
    assert_eq!(menu.stage_word(), stage);
    menu
}

#[test]
fn whoever_is_root_chooses_at_any_moment_before_a_choice() {
    for stage in ["awaiting-screen", "countdown", "waiting", "failed"] {
        let mut menu = menu_at(stage);
        assert_eq!(remote(&mut menu, Remote::Choose(1)), Ok(chosen(1, Reason::Remote)), "{stage}");
        assert_eq!((menu.highlighted(), menu.playing(), menu.stage_word()), (1, Some(1), "chosen"), "{stage}");
        assert_eq!(remote(&mut menu, Remote::Choose(0)), Err(RemoteRefusal::Busy(Some(1))), "{stage}");
    }
}

#[test]
fn a_choice_from_afar_needs_no_pin_and_closes_what_lies_over_the_menu() {
    let mut menu = locked(&[(1, false)], None);
    menu.handle(Event::Shown, at(0));
    press(&mut menu, at(1), &[Key::Next, Key::Confirm]);
    assert_eq!(menu.over_word(), Some("pin"));
    assert_eq!(remote(&mut menu, Remote::MoveBy(-1)), Err(RemoteRefusal::PinIsEntered));
    assert_eq!(remote(&mut menu, Remote::Choose(1)), Ok(chosen(1, Reason::Remote)));
    assert_eq!(menu.over_word(), None);
}

#[test]
fn what_cannot_start_is_not_chosen_and_nothing_changes() {
    let mut menu = menu_at("countdown");
    menu.handle(Event::Refused(vec![false, true, false, false]), at(1));
    let before = menu.clone();
    for persona in [1, 99] {
        assert_eq!(remote(&mut menu, Remote::Choose(persona)), Err(RemoteRefusal::Refused));
    }
    assert_eq!(menu, before);
    menu.handle(Event::Refused(vec![false; 4]), at(2));
    assert_eq!(remote(&mut menu, Remote::Choose(1)), Ok(chosen(1, Reason::Remote)));
}

#[test]
fn legion_on_its_way_or_running_is_not_chosen_over() {
    for stage in ["chosen", "starting", "running"] {
        for persona in 0..4 {
            assert_eq!(remote(&mut menu_at(stage), Remote::Choose(persona)), Err(RemoteRefusal::Busy(Some(0))), "{stage}");
        }
    }
    // The user went to the console while it runs, or before it did.
    let mut menu = menu_at("running");
    press(&mut menu, at(1), &[Key::Back, Key::Confirm]);
    assert_eq!(remote(&mut menu, Remote::Choose(1)), Err(RemoteRefusal::Busy(Some(0))));
    let mut menu = menu_at("console");
    menu.handle(legion(Phase::Preparing, 1), at(2));
    assert_eq!(remote(&mut menu, Remote::Choose(0)), Err(RemoteRefusal::Busy(Some(1))));
    menu.handle(Event::Legion { phase: Phase::Running, persona: None, why: None }, at(3));
    assert!(remote(&mut menu, Remote::Choose(0)).is_err());
}

#[test]
fn a_choice_leaves_the_console_to_whoever_is_there() {
    for (persona, ended) in [(0, "waiting"), (2, "waiting"), (3, "console")] {
        let mut menu = menu_at("console");
        assert_eq!(remote(&mut menu, Remote::Choose(persona)), Ok(chosen(persona, Reason::Remote)));
        assert_eq!(menu.handle(legion(Phase::Running, persona), at(6)), []);
        assert!(menu.is_on_console());
        if persona < 3 {
            assert_eq!(menu.handle(legion(Phase::Ended, persona), at(9)), [Effect::TakeScreen]);
        }
        assert_eq!(menu.stage_word(), ended);
    }
}

#[test]
fn units_and_the_host_are_chosen_too_and_a_unit_may_run_beside() {
    let mut menu = menu_at("countdown");
    assert_eq!(remote(&mut menu, Remote::Choose(2)), Ok(chosen(2, Reason::Remote)));
    assert_eq!(remote(&mut menu, Remote::Choose(0)), Err(RemoteRefusal::Busy(Some(2))), "it starts");
    menu.handle(RECORDED, at(6));
    menu.handle(legion(Phase::Running, 2), at(6));
    assert_eq!(remote(&mut menu, Remote::Choose(0)), Ok(chosen(0, Reason::Remote)));
    let host = vec![Effect::Choose { persona: 3, reason: Reason::Remote }, Effect::LeaveToConsole];
    assert_eq!(remote(&mut menu_at("countdown"), Remote::Choose(3)), Ok(host));
}

#[test]
fn a_hold_stops_what_would_start_by_itself() {
    let mut counting = menu_at("countdown");
    assert_eq!(remote(&mut counting, Remote::Hold), Ok(vec![]));
    assert_eq!((counting.deadline(), counting.handle(Event::Tick, at(99))), (None, vec![]));
    assert_eq!(counting.stage_word(), "waiting");
    assert_eq!(press(&mut counting, at(100), &[Key::Confirm]), chosen(0, Reason::Picked), "a person still picks");

    for preset in [None, Some(("b", Reason::Override))] {
        let mut early = menu(TEN_SECONDS, preset);
        assert_eq!(remote(&mut early, Remote::Hold), Ok(vec![]));
        early.handle(Event::Shown, at(6));
        assert_eq!((early.handle(Event::Tick, at(99)), early.stage_word()), (vec![], "waiting"));
    }
}

#[test]
fn where_nothing_counts_down_there_is_nothing_to_hold() {
    for stage in ["waiting", "failed", "chosen", "starting", "running", "console"] {
        let mut menu = menu_at(stage);
        let before = menu.clone();
        assert_eq!(remote(&mut menu, Remote::Hold), Err(RemoteRefusal::NoCountdown), "{stage}");
        assert_eq!(menu, before, "{stage}");
    }
    assert_eq!(remote(&mut menu(Timeout::Never, None), Remote::Hold), Err(RemoteRefusal::NoCountdown));
}

#[test]
fn the_highlight_moves_within_the_shelf_and_gives_time_as_a_key_does() {
    let mut menu = menu_at("countdown");
    for (step, highlighted) in [
        (Remote::MoveBy(2), 2),
        (Remote::MoveBy(9), 3),
        (Remote::MoveBy(-1), 2),
        (Remote::MoveBy(i32::MIN), 0),
        (Remote::MoveTo(1), 1),
        (Remote::MoveTo(usize::MAX), 3),
    ] {
        assert_eq!(remote(&mut menu, step), Ok(vec![]));
        assert_eq!(menu.highlighted(), highlighted, "{step:?}");
    }
    assert_eq!(menu.countdown(at(5)), Some((MORE_TIME, MORE_TIME)));
    for (stage, outcome) in [("failed", "waiting"), ("waiting", "waiting"), ("awaiting-screen", "awaiting-screen")] {
        let mut menu = menu_at(stage);
        assert_eq!(remote(&mut menu, Remote::MoveTo(1)), Ok(vec![]), "{stage}");
        assert_eq!((menu.highlighted(), menu.stage_word()), (1, outcome));
    }
    for stage in ["chosen", "starting", "running", "console"] {
        assert_eq!(remote(&mut menu_at(stage), Remote::MoveBy(1)), Err(RemoteRefusal::NoShelf), "{stage}");
    }
}

#[test]
fn the_console_can_be_asked_for_twice() {
    for stage in ["awaiting-screen", "countdown", "waiting", "failed", "chosen", "starting", "running"] {
        let mut menu = menu_at(stage);
        assert_eq!(remote(&mut menu, Remote::Console), Ok(vec![Effect::LeaveToConsole]), "{stage}");
        assert_eq!(remote(&mut menu, Remote::Console), Ok(vec![]), "{stage}");
        assert_eq!(menu.deadline(), None);
    }
}

fn any_remote() -> impl Strategy<Value = Remote> {
    prop_oneof![
        (0..6usize).prop_map(Remote::Choose),
        Just(Remote::Hold),
        (0..6usize).prop_map(Remote::MoveTo),
        any::<i32>().prop_map(Remote::MoveBy),
        Just(Remote::Console),
    ]
}

fn any_step() -> impl Strategy<Value = Result<Event, Remote>> {
    let phases = [Phase::Preparing, Phase::Starting, Phase::Running, Phase::Stopping, Phase::Ended, Phase::Failed];
    let keys = [Key::Next, Key::Previous, Key::Confirm, Key::Back, Key::Help, Key::Digit(3)];
    prop_oneof![
        any_remote().prop_map(Err),
        proptest::sample::select(keys.to_vec()).prop_map(|key| Ok(Event::Key(key))),
        (proptest::sample::select(phases.to_vec()), 0..4usize).prop_map(|(phase, persona)| Ok(legion(phase, persona))),
        Just(Ok(Event::Tick)),
        Just(Ok(Event::Shown)),
        proptest::collection::vec(any::<bool>(), 4).prop_map(|refused| Ok(Event::Refused(refused))),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_a_refusal_changes_nothing_and_only_what_can_start_is_chosen(
        steps in proptest::collection::vec(any_step(), 0..40)
    ) {
        let mut menu = menu(TEN_SECONDS, None);
        let mut refused = vec![false; 4];
        for (second, step) in steps.into_iter().enumerate() {
            let now = at(second as u64);
            let before = menu.clone();
            match step {
                Ok(event) => {
                    if let Event::Refused(now_refused) = &event {
                        refused.clone_from(now_refused);
                    }
                    menu.handle(event, now);
                }
                Err(wanted) => match menu.remote(wanted, now) {
                    Err(_) => prop_assert_eq!(&menu, &before),
                    Ok(effects) => for effect in effects {
                        if let Effect::Choose { persona, reason } = effect {
                            prop_assert_eq!((Remote::Choose(persona), reason), (wanted, Reason::Remote));
                            prop_assert!(!refused[persona]);
                        }
                    },
                },
            }
            prop_assert!(menu.highlighted() < 4);
        }
    }
}
