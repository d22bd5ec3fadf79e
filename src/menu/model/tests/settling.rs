use super::*;

/// The menu of the initramfs' settings, on the screen since second 0.
fn early(timeout: Timeout) -> Menu {
    let mut menu = menu(timeout, None).provisional();
    menu.handle(Event::Shown, at(0));
    menu
}

/// Every persona is where it was.
const SAME: &[Option<usize>] = &[Some(0), Some(1), Some(2), Some(3)];

fn never() -> Menu {
    menu(Timeout::Never, None)
}

fn usual() -> Menu {
    menu(TEN_SECONDS, None)
}

fn with_override() -> Menu {
    menu(TEN_SECONDS, Some(("b", Reason::Override)))
}

#[test]
fn nothing_starts_by_itself_before_the_host_is_there() {
    let mut menu = early(TEN_SECONDS);
    assert_eq!(menu.next_change(Duration::from_millis(9_500)), Some(at(10)));
    assert_eq!(menu.handle(Event::Tick, at(10)), []);
    assert_eq!((menu.deadline(), menu.next_change(at(10))), (None, None), "no timer fires for it again and again");
    assert!(matches!(menu.stage(at(11)), Some(Stage::Countdown { remaining: Duration::ZERO, .. })));
    assert_eq!(menu.adopt_host_config(usual(), SAME, at(12)), []);
    assert_eq!(menu.handle(Event::Tick, at(12)), chosen(0, Reason::Timeout), "the time was up long ago");

    for preset in [None, Some(("b", Reason::Override))] {
        let mut at_once = super::menu(Timeout::After(Duration::ZERO), preset).provisional();
        assert_eq!(at_once.handle(Event::Tick, at(0)), []);
        assert_eq!(at_once.deadline(), None);
        let opening = super::menu(Timeout::After(Duration::ZERO), preset);
        at_once.adopt_host_config(opening, SAME, at(3));
        assert_eq!(at_once.handle(Event::Tick, at(3)).len(), 1);
    }
}

/// A menu that was to start at once ignored its first picture: it is shown again as what it is now.
#[test]
fn what_was_to_start_at_once_in_the_initramfs_and_may_not_in_the_host_waits_for_a_person() {
    for opening in [usual(), never(), usual().without_autostart()] {
        let waits = opening.timeout == Timeout::Never;
        let mut menu = early(Timeout::After(Duration::ZERO));
        assert!(menu.is_awaiting_screen());
        menu.adopt_host_config(opening, SAME, at(3));
        assert!(menu.is_awaiting_screen(), "the session shows it");
        menu.handle(Event::Shown, at(3));
        assert_eq!(menu.deadline(), (!waits).then(|| at(13)));
        press(&mut menu, at(4), &[Key::Next]);
        assert_eq!(menu.handle(Event::Key(Key::Confirm), at(5)), chosen(1, Reason::Picked));
    }
}

#[test]
fn a_persona_that_the_host_does_not_have_is_told_of_and_not_waited_for() {
    let mut menu = early(TEN_SECONDS);
    menu.handle(Event::Key(Key::Confirm), at(2));
    menu.handle(RECORDED, at(2));
    menu.adopt_host_config(usual(), &[None, Some(1), Some(2), Some(3)], at(4));
    assert!(menu.why_failed().is_some_and(|why| why.contains("mkinitcpio")));
    press(&mut menu, at(5), &[Key::Other, Key::Next]);
    assert_eq!(menu.handle(Event::Key(Key::Confirm), at(6)), chosen(1, Reason::Picked));
}

#[test]
fn the_countdown_is_not_broken() {
    let mut menu = early(TEN_SECONDS);
    menu.adopt_host_config(usual(), SAME, at(4));
    assert_eq!(menu.deadline(), Some(at(10)));
    assert!(menu.is_settled());
}

#[test]
fn an_override_starts_the_moment_it_is_known() {
    for mut menu in [early(TEN_SECONDS), early(Timeout::Never)] {
        menu.handle(Event::Key(Key::Help), at(1));
        assert_eq!(menu.adopt_host_config(with_override(), SAME, at(4)), chosen(1, Reason::Override));
        assert_eq!(menu.handle(Event::Tick, at(30)), []);
    }
}

#[test]
fn the_hosts_own_timeout_counts_from_the_first_frame() {
    let mut menu = early(TEN_SECONDS);
    menu.adopt_host_config(super::menu(Timeout::After(at(30)), None), SAME, at(4));
    assert_eq!(menu.deadline(), Some(at(30)));

    let mut menu = early(TEN_SECONDS);
    menu.adopt_host_config(never(), SAME, at(4));
    assert_eq!(menu.stage(at(4)), Some(Stage::Waiting));

    let mut menu = early(Timeout::Never);
    menu.adopt_host_config(usual(), SAME, at(4));
    assert_eq!(menu.deadline(), Some(at(14)));
}

#[test]
fn what_a_person_did_stays() {
    let mut menu = early(TEN_SECONDS);
    menu.handle(Event::Key(Key::Next), at(2));
    menu.adopt_host_config(usual(), &[Some(0), Some(3), None, None], at(4));
    assert_eq!(menu.highlighted(), 3, "it is the same persona, at another place");
    assert_eq!(menu.deadline(), Some(at(62)), "the minute that a key gives");

    let mut menu = early(TEN_SECONDS);
    menu.handle(Event::Key(Key::Next), at(2));
    menu.adopt_host_config(usual(), &[Some(0), None], at(4));
    assert_eq!(menu.highlighted(), 0, "that persona is gone");

    let mut menu = early(TEN_SECONDS);
    press(&mut menu, at(1), &[Key::Back, Key::Next, Key::Next, Key::Confirm]);
    assert_eq!(menu.adopt_host_config(with_override(), SAME, at(4)), [], "nothing starts while the machine goes down");
    assert_eq!(menu.handle(Event::Tick, at(500)), []);
}

#[test]
fn who_holds_it_holds_it() {
    let waiting = [early(TEN_SECONDS), early(Timeout::Never), super::menu(TEN_SECONDS, None).provisional()];
    for mut menu in waiting {
        assert_eq!(menu.remote(Remote::Hold, at(1)), Ok(vec![]));
        assert_eq!(menu.adopt_host_config(with_override(), SAME, at(4)), []);
        menu.handle(Event::Shown, at(5));
        assert_eq!(menu.handle(Event::Tick, at(500)), []);
        assert_eq!(menu.stage(at(500)), Some(Stage::Waiting));
    }
}

#[test]
fn a_pick_stands() {
    let mut menu = early(TEN_SECONDS);
    menu.handle(Event::Key(Key::Next), at(1));
    assert_eq!(menu.handle(Event::Key(Key::Confirm), at(2)), chosen(1, Reason::Picked));
    menu.handle(RECORDED, at(2));
    assert_eq!(menu.handle(Event::Tick, at(100)), [], "legion has its time from when it can start");
    assert_eq!(menu.adopt_host_config(usual(), SAME, at(100)), []);
    assert_eq!((menu.highlighted(), menu.deadline()), (1, Some(at(160))));

    let mut menu = early(TEN_SECONDS);
    press(&mut menu, at(1), &[Key::Back, Key::Confirm]);
    menu.adopt_host_config(with_override(), SAME, at(4));
    assert!(menu.is_on_console());
}

proptest! {
    #[test]
    fn it_settles_whatever_was_pressed(keys in proptest::collection::vec(0u8..8, 0..12), places in proptest::collection::vec(proptest::option::of(0usize..4), 0..6)) {
        let mut menu = early(TEN_SECONDS);
        for key in keys {
            let key = [Key::Previous, Key::Next, Key::Confirm, Key::Back, Key::Help, Key::Erase, Key::Digit(key), Key::Other][usize::from(key)];
            menu.handle(Event::Key(key), at(1));
        }
        menu.adopt_host_config(with_override(), &places, at(5));
        prop_assert!(menu.highlighted() < 4 && menu.is_settled());
        menu.stage(at(6));
        menu.handle(Event::Tick, at(6));
    }
}
