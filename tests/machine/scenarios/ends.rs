//! Every way in which a guest can end: it is told how, and what was taken is given back.

use crate::common::{is_over, tell_guest, text};
use crate::profiles::GONDOR;
use persona::error::Result;
use persona_machine::wire::REPORT_FILE;
use persona_machine::{Artifacts, Keyboard, STEP};

/// A restart is the guest's own affair; a panic of its kernel is a failure.
pub(crate) fn restart_and_panic(artifacts: &Artifacts) -> Result<()> {
    let mut machine = GONDOR.restore(artifacts, "restart")?;
    tell_guest(&mut machine, "r")?;
    machine.wait_until("the guest has restarted", &format!("test $(grep -c started {REPORT_FILE}) = 2"), STEP)?;
    let status = machine.status()?;
    assert_eq!((text(&status, "/legion/state"), text(&status, "/legion/persona")), ("running", "gondor"));
    machine.wait_until("it reads its keyboard again", &format!("test $(grep -c 'USB Keyboard' {REPORT_FILE}) = 2"), STEP)?;
    machine.press(Keyboard::Legion, "c")?;
    is_over(&mut machine, "failed", "failure").map(drop)
}

/// A guest that hangs is taken down step by step.
pub(crate) fn stop_ladder(artifacts: &Artifacts) -> Result<()> {
    let mut machine = GONDOR.restore(artifacts, "stop-ladder")?;
    tell_guest(&mut machine, "h")?;
    machine.ssh("persona stop")?;
    is_over(&mut machine, "ended", "stopped")?;
    // Each rung is told: the button twice, then QEMU is told to quit.
    let log: serde_json::Value = machine.persona_json("log")?;
    let lines = log[0]["lines"].as_array().unwrap();
    let stops = lines.iter().filter(|line| line["what"].as_str().is_some_and(|what| what.starts_with("gondor: stopping"))).count();
    assert!(stops >= 3, "{log:#}");
    Ok(())
}

pub(crate) fn forced(artifacts: &Artifacts) -> Result<()> {
    let mut machine = GONDOR.restore(artifacts, "forced")?;
    let again = machine.try_ssh("persona start mordor")?;
    assert_eq!(again.status, 1, "it is on already: {again:?}");
    assert_eq!(text(&machine.status()?, "/legion/state"), "running");
    machine.ssh("persona stop --force")?;
    is_over(&mut machine, "ended", "stopped").map(drop)
}

pub(crate) fn qemu_killed(artifacts: &Artifacts) -> Result<()> {
    let mut machine = GONDOR.restore(artifacts, "qemu-killed")?;
    machine.run("pkill -KILL qemu-system")?;
    is_over(&mut machine, "failed", "failure").map(drop)
}

pub(crate) fn supervisor_killed(artifacts: &Artifacts) -> Result<()> {
    let mut machine = GONDOR.restore(artifacts, "supervisor-killed")?;
    machine.run("kill -KILL $(systemctl show -P MainPID legion.service)")?;
    is_over(&mut machine, "failed", "failure")?;
    // The next one starts.
    machine.ssh("persona start gondor").map(drop)
}
