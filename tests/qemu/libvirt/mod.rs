//! A libvirt domain under supervision, with a `virsh` that says what the test has it say.
#![allow(clippy::unwrap_used, clippy::panic)]

mod bench;

use bench::{Bench, NEVER};
use persona::legion::{Launch, LegionLock, libvirt};
use persona::state::Phase;
use persona::sys::paths::Paths;
use std::fs;
use std::path::Path;

#[test]
#[ignore = "the other tests run it, as a process of its own"]
fn the_supervisors_process() {
    let root = std::env::var_os("PERSONA_TEST_ROOT").expect("the other tests run this one");
    let paths = Paths::new(&root, None);
    let launch = Launch::read(&paths).unwrap();
    let lock = LegionLock::take(&paths).unwrap();
    let (ending, why) = match libvirt::run(&paths, &launch, &lock, launch.domain.as_deref().unwrap()) {
        Ok(ending) => (format!("{ending:?} good={}", ending.is_good()), ending.to_string()),
        Err(error) => (format!("error {}", error.code().unwrap_or_default()), error.to_string()),
    };
    fs::write(Path::new(&root).join("why"), why).unwrap();
    fs::write(Path::new(&root).join("ending"), ending).unwrap();
}

#[test]
fn ready_means_that_libvirt_has_started_it_and_not_before() {
    let mut running = Bench::new().start();
    running.await_question("start legion");
    assert_eq!(running.state().phase, Phase::Starting);
    running.notified.set_nonblocking(true).unwrap();
    assert!(running.notified.recv(&mut [0; 16]).is_err(), "something was announced before the guest ran");
    running.notified.set_nonblocking(false).unwrap();
    running.event("Started Booted");
    running.answer("start", "0 Domain 'legion' started");
    running.await_notice("READY=1");
    running.event("Shutdown Finished after guest request");
    running.event("Stopped Shutdown");
    assert_eq!(running.end(), "GuestPoweroff good=true");
}

#[test]
fn how_it_ended_is_told_apart() {
    for (events, ending) in [
        (&["Crashed Panicked", "Stopped Crashed"][..], "GuestPanic good=false"),
        (&["Stopped Failed"], "Domain("),
        (&["Shutdown Finished after host request", "Stopped Destroyed"], "Quit good=true"),
    ] {
        let running = Bench::new().start().runs();
        events.iter().for_each(|event| running.event(event));
        let ended = running.end();
        assert!(ended.starts_with(ending), "{ended}");
    }
}

#[test]
fn a_domain_that_libvirt_cannot_start_says_why() {
    let mut running = Bench::new().start();
    running.question("start legion", "1 Cannot access storage file '/slot/disk.raw'");
    running.question("domstate legion --reason", "0 shut off (failed)");
    assert_eq!(running.end(), "NotStarted(\"Cannot access storage file '/slot/disk.raw'\") good=false", "with libvirt's words");
}

#[test]
fn a_domain_that_runs_or_would_wake_up_is_left_alone() {
    for (from, to, code) in
        [("shut off", "running", "domain-not-off"), ("shut off", "paused", "domain-not-off"), ("save:   no", "save:   yes", "domain-saved")]
    {
        assert_eq!(Bench::new().information(from, to).start().end(), format!("error {code}"));
    }
}

#[test]
fn a_domain_that_somebody_else_starts_at_the_same_moment_is_theirs() {
    let mut running = Bench::new().start();
    running.question("start legion", "1 Domain is already active");
    assert_eq!(running.end(), "error domain-not-ours");
}

#[test]
fn a_guest_that_is_faster_than_virsh_is_seen_to_have_run() {
    let mut running = Bench::new().start();
    running.await_question("start legion");
    for event in ["Started Booted", "Shutdown Finished after guest request", "Stopped Shutdown"] {
        running.event(event);
    }
    running.answer("start", "0 Domain 'legion' started");
    running.await_notice("READY=1");
    assert_eq!(running.end(), "GuestPoweroff good=true");
}

#[test]
fn what_came_before_the_subscription_is_asked_for() {
    let mut running = Bench::new().start();
    running.question("start legion", "0 Domain 'legion' started");
    running.await_notice("READY=1");
    running.question("domstate legion --reason", "0 running (booted)");
    running.question("domstate legion --reason", "0 shut off (shutdown)");
    assert_eq!(running.end(), "GuestPoweroff good=true");
}

#[test]
fn the_ladder_is_taken_rung_by_rung() {
    let mut running = Bench::new().ladder(100, 200, 300).start().runs();
    running.stop();
    running.question("shutdown legion --mode acpi", "0 Domain 'legion' is being shutdown");
    running.question("shutdown legion --mode acpi", "0 Domain 'legion' is being shutdown");
    // libvirt's own ten seconds are the ladder's.
    running.question("destroy legion", "1 it is stuck");
    running.await_question("destroy legion");
    running.event("Stopped Destroyed");
    assert_eq!(running.end(), "Killed good=false");
}

#[test]
fn a_guest_that_obeys_came_to_a_good_end() {
    let mut running = Bench::new().start().runs();
    running.stop();
    running.question("shutdown legion --mode acpi", "0 Domain 'legion' is being shutdown");
    running.event("Shutdown Finished after guest request");
    running.event("Stopped Shutdown");
    assert_eq!(running.end(), "Stopped(PowerButton) good=true");
}

#[test]
fn who_asks_twice_is_in_a_hurry_and_the_disk_gets_its_time_all_the_same() {
    let mut running = Bench::new().start().runs();
    running.stop();
    running.question("shutdown legion --mode acpi", "0 Domain 'legion' is being shutdown");
    running.stop();
    // There is more than an hour until the next rung.
    running.question("destroy legion --graceful", "0 Domain 'legion' destroyed");
    running.event("Shutdown Finished after host request");
    running.event("Stopped Destroyed");
    assert_eq!(running.end(), "Stopped(Quit) good=true");
}

#[test]
fn a_stop_that_comes_before_the_guest_runs_is_not_forgotten() {
    let mut running = Bench::new().ladder(NEVER, NEVER, NEVER + 1).start();
    running.await_question("start legion");
    running.stop();
    running.await_notice("STOPPING=1");
    running.question("destroy legion", "1 Requested operation is not valid: domain is not running");
    running.event("Started Booted");
    running.answer("start", "0 Domain 'legion' started");
    running.await_question("destroy legion");
    running.event("Shutdown Finished after host request");
    running.event("Stopped Destroyed");
    assert!(running.end().starts_with("Stopped("), "it was stopped");
}

#[test]
fn a_libvirt_that_is_restarted_is_no_end() {
    let mut running = Bench::new().start().runs();
    running.hang_up();
    running.question("domstate legion --reason", "0 running (booted)");
    running.hang_on();
    running.event("Suspended Paused");
    assert_eq!(running.state().phase, Phase::Running);
    running.event("Shutdown Finished after guest request");
    running.event("Stopped Shutdown");
    assert_eq!(running.end(), "GuestPoweroff good=true");
}

#[test]
fn a_libvirt_that_is_gone_is_no_end_until_it_tells_one() {
    let mut running = Bench::new().start().runs();
    running.hang_up();
    running.question("domstate legion --reason", "1 failed to connect to the hypervisor");
    assert_eq!(running.state().phase, Phase::Running);
    running.question("domstate legion --reason", "0 shut off (crashed)");
    let ending = running.end();
    assert!(ending.starts_with("Domain(") && ending.ends_with("good=false"), "{ending}");
}

#[test]
fn a_stop_that_libvirt_could_not_hear_is_told_again() {
    let mut running = Bench::new().start().runs();
    running.stop();
    running.question("shutdown legion --mode acpi", "1 failed to connect to the hypervisor");
    running.question("domstate legion --reason", "0 running (booted)");
    running.question("shutdown legion --mode acpi", "0 Domain 'legion' is being shutdown");
    running.event("Shutdown Finished after guest request");
    running.event("Stopped Shutdown");
    assert_eq!(running.end(), "Stopped(PowerButton) good=true");
}

#[test]
fn without_virsh_it_is_told_that_this_is_missing() {
    assert_eq!(Bench::new().without_programs().start().end(), "error virsh-missing");
}
