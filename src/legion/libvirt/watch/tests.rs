use super::*;

fn done(said: &str) -> Answer {
    Answer::new(true, said.as_bytes(), b"")
}

fn refused(words: &str) -> Answer {
    Answer::new(false, b"", words.as_bytes())
}

/// A guest that ran and had these lifecycle events.
fn lived(events: &[&str]) -> Watch {
    let mut watch = Watch::default();
    watch.started(&done("Domain 'legion' started"));
    for event in ["Resumed Unpaused", "Started Booted"].iter().chain(events) {
        assert!(watch.event(&format!("event 'lifecycle' for domain 'legion': {event}")));
    }
    watch
}

const BY_GUEST: &str = "Shutdown Finished after guest request";
const BY_HOST: &str = "Shutdown Finished after host request";

#[test]
fn good_ends() {
    for (events, stop, ending) in [
        (&[BY_GUEST, "Stopped Shutdown"][..], None, Ending::GuestPoweroff),
        (&["Shutdown Finished", "Stopped Shutdown"], None, Ending::GuestPoweroff),
        (&[BY_HOST, "Stopped Destroyed"], None, Ending::Quit),
        (&[BY_HOST, "Stopped Shutdown"], None, Ending::Quit),
        (&["Stopped Destroyed"], None, Ending::Quit),
        (&[BY_GUEST, "Stopped Shutdown"], Some(Rung::PowerButton), Ending::Stopped(Rung::PowerButton)),
        (&[BY_HOST, "Stopped Destroyed"], Some(Rung::Quit), Ending::Stopped(Rung::Quit)),
        // Killed at the moment when it quit by itself.
        (&[BY_HOST, "Stopped Destroyed"], Some(Rung::Kill), Ending::Stopped(Rung::Quit)),
    ] {
        let concluded = lived(events).ending(stop);
        assert!(concluded.as_ref().is_some_and(Ending::is_good), "{events:?}");
        assert_eq!(concluded, Some(ending));
    }
}

#[test]
fn bad_ends() {
    for (events, stop, words) in [
        (&["Crashed Panicked", "Stopped Crashed"][..], None, "panicked"),
        (&["Stopped Failed"], None, "QEMU ended unexpectedly"),
        (&["Stopped Saved"], None, "the guest's state was saved"),
        (&["Stopped Migrated"], None, "another machine"),
        (&["Stopped Astonished"], None, "astonished"),
        (&["Stopped Destroyed"], Some(Rung::Kill), "was killed"),
        (&["Stopped Destroyed"], Some(Rung::Quit), "was killed"),
        (&["Stopped Failed"], Some(Rung::PowerButton), "QEMU ended unexpectedly"),
    ] {
        let ending = lived(events).ending(stop);
        assert!(ending.as_ref().is_some_and(|ending| !ending.is_good() && ending.to_string().contains(words)), "{events:?}: {ending:?}");
    }
}

#[test]
fn a_guest_that_was_restarted_after_a_panic_is_well_again() {
    let watch = lived(&["Crashed Panicked", "Resumed Unpaused", BY_GUEST, "Stopped Shutdown"]);
    assert_eq!(watch.ending(None), Some(Ending::GuestPoweroff));
}

#[test]
fn it_is_over_only_when_libvirt_says_so() {
    for events in [&["Crashed Panicked"][..], &[BY_GUEST], &["Suspended Paused"], &["Undefined Removed"]] {
        assert_eq!(lived(events).ending(Some(Rung::Kill)), None, "{events:?}");
    }
    let mut watch = lived(&[]);
    for (answer, life) in [
        (done("running (booted)"), Life::On),
        (done("in shutdown (unknown)"), Life::On),
        (done("paused (user)"), Life::On),
        (done("no state"), Life::On),
        (refused("error: failed to connect to the hypervisor\nerror: Failed to connect socket"), Life::Unknown),
        (refused("error: Disconnected from qemu:///system due to end of file"), Life::Unknown),
        (refused(""), Life::Unknown),
    ] {
        assert_eq!(watch.state(&answer), life, "{answer:?}");
        assert_eq!(watch.ending(None), None);
    }
}

#[test]
fn what_was_missed_is_asked_for() {
    for (answer, ending) in [
        (done("shut off (shutdown)"), Ending::GuestPoweroff),
        (done("shut off (destroyed)"), Ending::Quit),
        (done("shut off (crashed)"), Ending::Domain("QEMU ended unexpectedly while the guest ran, or the guest's kernel panicked".into())),
        (done("shut off (unknown)"), Ending::Domain("the domain is off, and libvirt reports only: unknown".into())),
        (refused("error: failed to get domain 'legion'"), Ending::Domain("the domain is off, and libvirt reports only: undefined".into())),
    ] {
        let mut watch = lived(&[]);
        assert_eq!(watch.state(&answer), Life::Off);
        assert_eq!(watch.ending(None), Some(ending));
    }
}

#[test]
fn a_start_that_failed_is_believed_when_the_domain_is_off() {
    let mut watch = Watch::default();
    watch.started(&refused("error: Failed to start domain 'legion'\nerror: Cannot access storage file '/x'"));
    assert_eq!(watch.ending(None), None);
    watch.state(&done("shut off (failed)"));
    assert_eq!(watch.ending(None), Some(Ending::NotStarted("Failed to start domain 'legion': Cannot access storage file '/x'".into())));
    assert_eq!(watch.ending(Some(Rung::Quit)), Some(Ending::Stopped(Rung::Quit)));
}

#[test]
fn a_start_whose_answer_was_lost_is_a_start() {
    let mut watch = Watch::default();
    watch.started(&refused("error: Disconnected from qemu:///system due to end of file"));
    assert_eq!((watch.state(&done("running (booted)")), watch.ran), (Life::On, true));
    watch.event("event 'lifecycle' for domain 'legion': Stopped Shutdown");
    assert_eq!(watch.ending(None), Some(Ending::GuestPoweroff));
}

#[test]
fn a_domain_that_somebody_else_started_is_theirs() {
    let mut watch = Watch::default();
    watch.started(&refused("error: Domain is already active"));
    assert!(watch.was_forestalled());
}

#[test]
fn other_lines_are_no_events() {
    let mut watch = Watch::default();
    for line in ["", "events received: 0", "event 'reboot' for domain 'legion'", "error: Stopped Destroyed"] {
        assert!(!watch.event(line), "{line}");
    }
    assert_eq!(watch.ending(None), None);
}
