//! Determines the guest's life cycle from QMP messages.

use crate::legion::qemu::qmp::Message;
use serde_json::Value;

/// What is known so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch {
    /// Whether the guest has run.
    pub ran: bool,
    /// Whether QEMU takes commands.
    pub ready: bool,
    /// Whether the guest reported that its kernel panicked.
    pub panicked: bool,
    /// Why QEMU shut down.
    pub shutdown: Option<Shutdown>,
    /// Why the guest is paused, if QEMU has paused it because of a disk write error: QEMU's reason.
    pub stalled: Option<String>,
    /// Whether QEMU holds the guest until its CPUs are pinned.
    pub held: bool,
}

/// What to do after a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Send this command.
    Command(&'static str),
    /// Pin these threads, each by the index of its virtual CPU, and start the guest: [`CONTINUE`].
    Pin(Vec<(usize, i32)>),
}

/// Starts a held guest.
pub const CONTINUE: &str = "cont";

/// The reason of a SHUTDOWN event (`ShutdownCause` of QEMU's `qapi/run-state.json`), as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shutdown {
    /// The guest powered itself off.
    Guest,
    /// The guest reset itself, and QEMU was configured to end then (`-no-reboot`).
    GuestReset,
    /// The guest panicked.
    GuestPanic,
    /// QEMU was told to quit, by QMP or a signal.
    Host,
    /// QEMU gave up; its own reason.
    Other(String),
}

impl Shutdown {
    fn from_event(data: &Value) -> Self {
        match data["reason"].as_str() {
            Some("guest-shutdown") => Self::Guest,
            Some("guest-reset") => Self::GuestReset,
            Some("guest-panic") => Self::GuestPanic,
            Some("host-qmp-quit" | "host-signal" | "host-ui") => Self::Host,
            other => Self::Other(other.unwrap_or("no reason given").to_owned()),
        }
    }
}

impl Watch {
    /// Processes a message, and returns what to do next, if anything.
    pub fn see(&mut self, message: &Message) -> Option<Reply> {
        match message {
            Message::Greeting => return Some(Reply::Command("qmp_capabilities")),
            Message::Done(command, _) if command == "qmp_capabilities" => {
                self.ready = true;
                // The guest may have started to run before QMP was connected.
                return Some(Reply::Command(if self.held { "query-cpus-fast" } else { "query-status" }));
            }
            Message::Done(command, value) if command == "query-cpus-fast" => return Some(Reply::Pin(threads(value))),
            Message::Done(command, value) if command == "query-status" => self.ran |= value["running"] == true,
            Message::Event(event, data) => match event.as_str() {
                "RESUME" => {
                    self.ran = true;
                    self.stalled = None;
                }
                "BLOCK_IO_ERROR" if data["action"] == "stop" => {
                    self.stalled = Some(data["reason"].as_str().unwrap_or("QEMU gives no reason").to_owned());
                }
                "GUEST_PANICKED" => self.panicked = true,
                "SHUTDOWN" => self.shutdown = Some(Shutdown::from_event(data)),
                _ => {}
            },
            Message::Done(..) | Message::Refused(..) => {}
        }
        None
    }
}

/// The virtual CPUs' threads (`CpuInfoFast` of QEMU's `qapi/machine.json`).
fn threads(value: &Value) -> Vec<(usize, i32)> {
    let number = |cpu: &Value, key: &str| cpu[key].as_i64();
    let thread = |cpu: &Value| Some((number(cpu, "cpu-index")?.try_into().ok()?, number(cpu, "thread-id")?.try_into().ok()?));
    value.as_array().map(|cpus| cpus.iter().filter_map(thread).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seen(messages: &[Message]) -> (Watch, Vec<Reply>) {
        let mut watch = Watch::default();
        let sent = messages.iter().filter_map(|message| watch.see(message)).collect();
        (watch, sent)
    }

    fn status(running: bool) -> Message {
        Message::Done("query-status".into(), json!({"running": running, "status": if running { "running" } else { "prelaunch" }}))
    }

    #[test]
    fn running_is_asked_for_and_believed() {
        let greeted = [Message::Greeting, Message::Done("qmp_capabilities".into(), json!({}))];
        let (watch, sent) = seen(&greeted);
        assert_eq!((watch.ready, watch.ran, sent), (true, false, ["qmp_capabilities", "query-status"].map(Reply::Command).to_vec()));
        assert!(seen(&[status(true)]).0.ran);
        assert!(!seen(&[status(false)]).0.ran);
        assert!(seen(&[status(false), Message::Event("RESUME".into(), Value::Null)]).0.ran);
    }

    #[test]
    fn a_held_guest_runs_once_its_threads_are_pinned() {
        let mut watch = Watch { held: true, ..Watch::default() };
        assert_eq!(watch.see(&Message::Done("qmp_capabilities".into(), json!({}))), Some(Reply::Command("query-cpus-fast")));
        let cpus = json!([{"cpu-index": 0, "thread-id": 71}, {"cpu-index": 1, "thread-id": 72}, {"target": "none"}]);
        assert_eq!(watch.see(&Message::Done("query-cpus-fast".into(), cpus)), Some(Reply::Pin(vec![(0, 71), (1, 72)])));
        assert!(!watch.ran);
    }

    #[test]
    fn a_guest_whose_disk_is_full_stands_still_until_it_goes_on() {
        let full = json!({"device": "disk", "operation": "write", "action": "stop", "nospace": true, "reason": "No space left on device"});
        let report = json!({"device": "disk", "operation": "read", "action": "report", "reason": "Input/output error"});
        let mut watch = Watch::default();
        watch.see(&Message::Event("BLOCK_IO_ERROR".into(), report));
        assert_eq!(watch.stalled, None);
        watch.see(&Message::Event("BLOCK_IO_ERROR".into(), full));
        assert_eq!(watch.stalled.as_deref(), Some("No space left on device"));
        watch.see(&Message::Event("RESUME".into(), Value::Null));
        assert_eq!(watch.stalled, None);
    }

    #[test]
    fn why_it_shut_down_is_told_apart() {
        for (reason, meant) in [
            (json!({"guest": true, "reason": "guest-shutdown"}), Shutdown::Guest),
            (json!({"guest": true, "reason": "guest-reset"}), Shutdown::GuestReset),
            (json!({"guest": true, "reason": "guest-panic"}), Shutdown::GuestPanic),
            (json!({"guest": false, "reason": "host-qmp-quit"}), Shutdown::Host),
            (json!({"guest": false, "reason": "host-error"}), Shutdown::Other("host-error".into())),
            (Value::Null, Shutdown::Other("no reason given".into())),
        ] {
            assert_eq!(seen(&[Message::Event("SHUTDOWN".into(), reason)]).0.shutdown, Some(meant));
        }
        assert!(seen(&[Message::Event("GUEST_PANICKED".into(), json!({"action": "run"}))]).0.panicked);
    }
}
