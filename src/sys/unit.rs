//! The state of a unit, as systemd reports it.

use crate::error::Result;
use crate::sys::systemd;

/// The queried properties of a unit (`org.freedesktop.systemd1(5)`).
const PROPERTIES: &str = "LoadState,LoadError,ActiveState,Result,ExecMainCode,ExecMainStatus,ConditionResult,InvocationID";

/// The state of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// `active`, `reloading`, `activating`, `deactivating`, `inactive` or `failed`.
    pub active: String,
    /// Why it failed or cannot be started, as systemd reports it.
    pub why: Option<String>,
    /// Whether its conditions were met at its last start; false, too, if it never was started.
    pub conditions_held: bool,
    /// Identifies the run; empty if it never ran.
    pub invocation: String,
}

impl Unit {
    /// Asks systemd.
    ///
    /// # Errors
    /// When it does not answer. A unit that does not exist is not an error: [`Unit::why`] says so.
    pub fn ask(name: &str) -> Result<Self> {
        systemd::ask(&["show", "-p", PROPERTIES, "--", name], &format!("asking systemd about {name}")).map(|text| Self::parse(&text))
    }

    /// Reads what `systemctl show` prints.
    pub fn parse(text: &str) -> Self {
        let get = |key: &str| text.lines().find_map(|line| line.split_once('=').filter(|(name, _)| *name == key)).map_or("", |pair| pair.1);
        let active = get("ActiveState").to_owned();
        let why = match (get("LoadState"), active.as_str()) {
            ("loaded", "failed") => Some(match (get("Result"), get("ExecMainCode"), get("ExecMainStatus")) {
                // CLD_EXITED, CLD_KILLED and CLD_DUMPED of waitid(2).
                (result, "1", status) => format!("{result}, exit status {status}"),
                (result, "2" | "3", signal) => format!("{result}, signal {signal}"),
                (result, ..) => result.to_owned(),
            }),
            ("loaded", _) => None,
            // LoadError=org.freedesktop.systemd1.NoSuchUnit "Unit x.service not found."
            (load, _) => {
                Some(get("LoadError").split('"').nth(1).filter(|words| !words.is_empty()).map_or(format!("it is {load}"), str::to_owned))
            }
        };
        Self { active, why, conditions_held: get("ConditionResult") == "yes", invocation: get("InvocationID").to_owned() }
    }

    /// Whether it is up.
    pub fn is_up(&self) -> bool {
        // `refreshing` is of systemd 257.
        matches!(self.active.as_str(), "active" | "reloading" | "refreshing")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(lines: &[&str]) -> Unit {
        Unit::parse(&lines.join("\n"))
    }

    fn why(lines: &[&str]) -> Option<String> {
        unit(lines).why
    }

    #[test]
    fn a_unit_that_runs_has_no_trouble() {
        let runs = unit(&["Result=success", "ExecMainCode=0", "LoadState=loaded", "ActiveState=active", "InvocationID=4f", "LoadError="]);
        assert!(runs.is_up() && runs.why.is_none());
        assert_eq!(runs.invocation, "4f");
        assert!(!unit(&["LoadState=loaded", "ActiveState=inactive", "Result=success"]).is_up());
    }

    #[test]
    fn a_failure_is_told_in_systemds_words() {
        let failed = ["LoadState=loaded", "ActiveState=failed"];
        let with = |more: &[&str]| why(&[&failed[..], more].concat());
        assert_eq!(with(&["Result=exit-code", "ExecMainCode=1", "ExecMainStatus=3"]).as_deref(), Some("exit-code, exit status 3"));
        assert_eq!(with(&["Result=signal", "ExecMainCode=2", "ExecMainStatus=9"]).as_deref(), Some("signal, signal 9"));
        // A mount has no main process.
        assert_eq!(with(&["Result=timeout"]).as_deref(), Some("timeout"));
    }

    #[test]
    fn a_unit_that_cannot_be_started_says_why() {
        let missing =
            ["LoadState=not-found", "ActiveState=inactive", r#"LoadError=org.freedesktop.systemd1.NoSuchUnit "Unit x not found.""#];
        assert_eq!(why(&missing).as_deref(), Some("Unit x not found."));
        assert_eq!(why(&["LoadState=masked", "ActiveState=inactive", "LoadError="]).as_deref(), Some("it is masked"));
    }
}
