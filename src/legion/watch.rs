//! What QMP tells of the guest's life.

use super::qmp::Message;
use serde_json::Value;

/// What has been seen so far.
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
}

/// The reason of a SHUTDOWN event (`ShutdownCause` of QEMU's `qapi/run-state.json`), as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shutdown {
    /// The guest powered itself off.
    Guest,
    /// The guest reset itself, and QEMU was told to end then (`-no-reboot`).
    GuestReset,
    /// The guest panicked.
    GuestPanic,
    /// Somebody told QEMU to quit, by QMP or a signal.
    Host,
    /// QEMU gave up; its own word for why.
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
    /// Takes a message, and says which command to send next, if any.
    pub fn see(&mut self, message: &Message) -> Option<&'static str> {
        match message {
            Message::Greeting => return Some("qmp_capabilities"),
            Message::Done(command, _) if command == "qmp_capabilities" => {
                self.ready = true;
                // The guest may have begun to run before there was anybody to tell.
                return Some("query-status");
            }
            Message::Done(command, value) if command == "query-status" => self.ran |= value["running"] == true,
            Message::Event(event, data) => match event.as_str() {
                "RESUME" => self.ran = true,
                "GUEST_PANICKED" => self.panicked = true,
                "SHUTDOWN" => self.shutdown = Some(Shutdown::from_event(data)),
                _ => {}
            },
            Message::Done(..) | Message::Refused(..) => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seen(messages: &[Message]) -> (Watch, Vec<&'static str>) {
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
        assert_eq!((watch.ready, watch.ran, sent), (true, false, vec!["qmp_capabilities", "query-status"]));
        assert!(seen(&[status(true)]).0.ran);
        assert!(!seen(&[status(false)]).0.ran);
        assert!(seen(&[status(false), Message::Event("RESUME".into(), Value::Null)]).0.ran);
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
