//! A persona's own unit, from its start to its end, whatever kind it is: a service with Type=oneshot runs while it starts,
//! with RemainAfterExit=yes until it is stopped; so do targets, sockets and mounts.
//!
//! It runs in a thread and waits in `systemctl start`, which returns when the unit is active, and in `systemctl start --wait`, which
//! returns when it has ended. A unit that restarts itself (`Restart=`, a container that reboots) has not ended.

use crate::boot_log::LogEvent;
use crate::error::{Error, Result};
use crate::state::Phase;
use crate::sys::systemd;
use crate::sys::unit::Unit;

/// What to do about a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Next {
    /// It runs: wait for its end.
    AwaitEnd,
    /// It is starting: wait until it is active.
    AwaitStart,
    /// It ran, and ended.
    Ended,
    /// It failed, or did not start.
    Failed(Option<String>),
}

/// Starts the unit, and follows it until it ends.
pub(super) fn start(name: &str, report: &dyn Fn(Phase, Option<String>)) {
    follow(name, await_start(name).err(), false, report);
}

/// Follows a unit that an earlier menu has started in this boot.
pub(super) fn resume(name: &str, report: &dyn Fn(Phase, Option<String>)) {
    follow(name, None, true, report);
}

fn await_start(name: &str) -> Result<()> {
    systemd::ask(&["start", "--", name], &format!("starting {name}")).map(drop)
}

fn follow(name: &str, mut refused: Option<Error>, mut ran: bool, report: &dyn Fn(Phase, Option<String>)) {
    let failed = |error: Error| {
        let error = error.with_hint(format!("see `systemctl status {name}`"));
        LogEvent::Phase { subject: name.to_owned(), phase: Phase::Failed, why: Some(error.to_string()) }.log(log::Level::Error);
        report(Phase::Failed, Some(error.to_string()));
    };
    let mut waited_for = None;
    loop {
        let unit = match Unit::ask(name) {
            Ok(unit) => unit,
            Err(error) => return failed(refused.unwrap_or(error)),
        };
        match next(&unit, refused.is_some(), ran) {
            Next::AwaitEnd => {
                ran = true;
                if waited_for.is_none() {
                    LogEvent::Phase { subject: name.to_owned(), phase: Phase::Running, why: None }.info();
                    report(Phase::Running, None);
                } else if waited_for.as_ref() == Some(&unit.invocation) {
                    return log::warn!("cannot tell when {name} ends: `systemctl start --wait` did not wait");
                }
                // It needs D-Bus.
                if let Err(error) = systemd::ask(&["start", "--wait", "--", name], &format!("waiting for the end of {name}")) {
                    log::info!("{error}");
                }
                waited_for = Some(unit.invocation);
            }
            Next::AwaitStart => refused = await_start(name).err(),
            Next::Ended => {
                LogEvent::Phase { subject: name.to_owned(), phase: Phase::Ended, why: None }.info();
                return report(Phase::Ended, None);
            }
            Next::Failed(why) => {
                let words = why.map(|why| Error::caused_by(format!("{name} failed"), why));
                return failed(words.or(refused).unwrap_or_else(|| Error::new(format!("{name} failed"))));
            }
        }
    }
}

/// Decides by the state that systemd reports. `refused`: systemd refused the start; `ran`: the unit ran before.
fn next(unit: &Unit, refused: bool, ran: bool) -> Next {
    match unit.active.as_str() {
        _ if unit.is_up() => Next::AwaitEnd,
        "activating" => Next::AwaitStart,
        "failed" => Next::Failed(unit.why.clone()),
        // systemd unloads some units when they end.
        _ if ran => Next::Ended,
        _ if unit.why.is_some() || refused => Next::Failed(unit.why.clone()),
        "inactive" if !unit.conditions_held => Next::Failed(Some("its conditions do not hold".to_owned())),
        // A job that was done immediately.
        _ => Next::Ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(active: &str, why: Option<&str>) -> Unit {
        Unit { active: active.into(), why: why.map(str::to_owned), conditions_held: true, invocation: "1".into() }
    }

    #[test]
    fn what_is_up_is_waited_for_and_so_is_what_restarts_itself() {
        for (refused, ran) in [(false, false), (true, false), (false, true)] {
            assert_eq!(next(&unit("active", None), refused, ran), Next::AwaitEnd);
            assert_eq!(next(&unit("activating", None), refused, ran), Next::AwaitStart);
        }
    }

    #[test]
    fn an_end_is_good_unless_systemd_says_otherwise() {
        for ran in [false, true] {
            assert_eq!(next(&unit("inactive", None), false, ran), Next::Ended);
            assert_eq!(next(&unit("deactivating", None), false, ran), Next::Ended, "nothing is started again while it goes");
            assert_eq!(next(&unit("failed", Some("timeout")), false, ran), Next::Failed(Some("timeout".into())));
        }
    }

    #[test]
    fn what_did_not_start_says_why() {
        let missing = unit("inactive", Some("Unit x not found."));
        assert_eq!(next(&missing, true, false), Next::Failed(Some("Unit x not found.".into())));
        assert_eq!(next(&missing, false, true), Next::Ended, "it was there as long as it ran");
        assert_eq!(next(&unit("inactive", None), true, false), Next::Failed(None), "systemctl's own words tell");
        let unmet = Unit { conditions_held: false, ..unit("inactive", None) };
        assert!(matches!(next(&unmet, false, false), Next::Failed(Some(_))));
    }
}
