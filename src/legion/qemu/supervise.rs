//! QEMU under supervision: one process, one poll(2) loop, no wake-up while nothing happens.

use crate::config::ladder::StopStep;
use crate::error::{Context, Result};
use crate::legion::ending::Ending;
use crate::legion::health::{Check, Health};
use crate::legion::launch::Launch;
use crate::legion::lock::LegionLock;
use crate::legion::qemu::agent::Agent;
use crate::legion::qemu::process::Qemu;
use crate::legion::status_reporter::{StatusReporter, reported};
use crate::legion::stopping::{PLUG, Stopping, block_signals};
use crate::sys::paths::Paths;
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

/// Runs QEMU until it ends. The lock is the proof that there is no other legion: QEMU inherits it.
///
/// Writes `/run/persona/legion.toml` at every change, tells the service manager that it is ready once QMP says that the guest runs, and
/// copies QEMU's stderr to its own. SIGTERM and SIGINT start the stop ladder, a second one and SIGUSR1 skip to `quit`. They, and SIGCHLD,
/// stay blocked in the calling thread: call it before other threads exist, which would get them.
///
/// # Errors
/// When QEMU could not be started or watched. It is killed then: legion stays off, and the state says why.
pub fn run(paths: &Paths, launch: &Launch, lock: &LegionLock) -> Result<Ending> {
    reported(paths, &launch.persona, |reporter| supervise(paths, launch, lock, reporter))
}

/// How long QEMU may take to end after it is killed: its memory is freed, and vfio resets the devices.
const GRACE: Duration = Duration::from_secs(15);

/// How long a guest stays paused after a disk write error before it may try again.
const RETRY: Duration = Duration::from_secs(5);

fn supervise(paths: &Paths, launch: &Launch, lock: &LegionLock, reporter: &mut StatusReporter<'_>) -> Result<Ending> {
    let signals = block_signals().context(|| "blocking signals".to_owned())?;
    let _claim = launch.expect_cartridge(paths, lock)?.claim(paths)?;
    let mut qemu = Qemu::start(paths, launch, lock)?;
    let mut stopping: Option<Stopping> = None;
    let mut health = Health::new(launch.running_well);
    let mut agent: Option<Agent> = None;
    loop {
        let mut timeout = match stopping.as_mut().map(|stopping| stopping.step(&launch.ladder)) {
            Some(StopStep::Take(rung)) => {
                reporter.happens(format!("stopping it by {rung}"));
                qemu.take(rung);
                continue;
            }
            Some(StopStep::Wait(wait)) => Some(wait),
            Some(StopStep::Top) | None => None,
        };
        if qemu.watch.ran && stopping.is_none() {
            match health.check(Instant::now()) {
                Check::Wait(wait) => timeout = Some(wait),
                Check::Ask => {
                    agent = Agent::ask(&paths.guest_agent_socket());
                    continue;
                }
                Check::Well => reporter.runs_well(),
                Check::Settled => {}
            }
        }
        if qemu.watch.stalled.is_some() {
            timeout = Some(timeout.map_or(RETRY, |timeout| timeout.min(RETRY)));
        }
        let woken = qemu.wait_for_news(&signals, agent.as_ref(), timeout).context(|| "waiting for QEMU".to_owned())?;
        qemu.listen();
        if let Some(answered) = agent.as_mut().and_then(Agent::listen) {
            agent = None;
            if answered && health.answered() {
                reporter.runs_well();
            }
        }
        if qemu.watch.ran && stopping.is_none() {
            let stalled = qemu.watch.stalled.as_ref();
            reporter.runs(stalled.map(|why| format!("paused: disk write error: {why}; it resumes by itself once writing works")));
        }
        if !woken && qemu.watch.stalled.is_some() {
            qemu.go_on();
        }
        while let Some(signal) = signals.read_signal().context(|| "reading signals".to_owned())? {
            if signal.ssi_signo != Signal::SIGCHLD as u32 {
                if stopping.is_none() {
                    reporter.stops(launch.ladder.kill + GRACE);
                }
                let has_a_button = qemu.watch.ran && signal.ssi_signo != PLUG as u32;
                stopping = Some(Stopping::asked(stopping, &launch.ladder, has_a_button));
            }
        }
        if let Some((exit, words)) = qemu.ended().context(|| "waiting for QEMU".to_owned())? {
            return Ok(Ending::conclude(&qemu.watch, stopping.as_ref().and_then(Stopping::last), exit, words));
        }
    }
}
