//! The journal's entries, from `journalctl --output=json`.

use super::LogEvent;
use crate::sys::logger::{EVENT_FIELD, EVENT_IDENTIFIER};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// One of Persona's entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// The boot's ID.
    pub boot: String,
    /// When, since the kernel started.
    pub at: Duration,
    /// The same as wall-clock time, since 1970.
    pub wall: Duration,
    /// As in syslog(3): 3 is an error, 4 a warning, 6 informational.
    pub priority: u8,
    /// The message.
    pub message: String,
    /// What it tells of the boot, if it is one of Persona's events.
    pub event: Option<LogEvent>,
}

impl JournalEntry {
    /// The entries in the journal's output. Lines that are no entries are skipped: a partial log is better than none. Any user can write
    /// into the journal under Persona's name: only root's entries count, and of `legion` (a user ID) what it says of its own phases.
    pub fn read(output: &str, legion: Option<u32>) -> Vec<Self> {
        let mut entries: Vec<Self> = output.lines().filter_map(|line| Self::parse(line, legion)).collect();
        // journald stores the entries that the kernel log kept from the initramfs after entries that it received itself.
        let mut boots: BTreeMap<String, usize> = BTreeMap::new();
        for entry in &entries {
            let next = boots.len();
            boots.entry(entry.boot.clone()).or_insert(next);
        }
        entries.sort_by_key(|entry| (boots.get(&entry.boot).copied(), entry.at));
        entries
    }

    /// Reads `systemd.journal-fields(7)`.
    fn parse(line: &str, legion: Option<u32>) -> Option<Self> {
        let fields: Value = serde_json::from_str(line).ok()?;
        // Fields with an underscore are journald's own. The kernel log has no user: only root writes there.
        let user: Option<u32> = fields.get("_UID").and_then(|user| user.as_str()?.parse().ok());
        let is_kernel_log = fields.get("_TRANSPORT").and_then(Value::as_str) == Some("kernel");
        let is_root = is_kernel_log || user == Some(0);
        if !is_root && (user.is_none() || user != legion) {
            return None;
        }
        let micros = |name: &str| fields.get(name)?.as_str()?.parse().ok().map(Duration::from_micros);
        let heard = micros("__MONOTONIC_TIMESTAMP")?;
        // The kernel's own time stamp for an entry of its log, which journald has read later.
        let at = micros("_SOURCE_MONOTONIC_TIMESTAMP").filter(|at| *at <= heard).unwrap_or(heard);
        let message = match fields.get("MESSAGE")? {
            Value::String(text) => text.clone(),
            // Text that is not printable UTF-8 is an array of bytes.
            Value::Array(bytes) => {
                let bytes: Option<Vec<u8>> = bytes.iter().map(|byte| u8::try_from(byte.as_u64()?).ok()).collect();
                String::from_utf8_lossy(&bytes?).into_owned()
            }
            _ => return None,
        };
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        // In the initramfs without a journal, the kernel log has the event in a line of its own.
        let in_kernel_log = || text("SYSLOG_IDENTIFIER").filter(|identifier| *identifier == EVENT_IDENTIFIER).map(|_| message.as_str());
        let event = text(EVENT_FIELD).or_else(in_kernel_log).and_then(LogEvent::parse);
        let event = event.filter(|event| is_root || matches!(event, LogEvent::Phase { .. }));
        Some(Self {
            event,
            boot: fields.get("_BOOT_ID")?.as_str()?.to_owned(),
            at,
            wall: micros("__REALTIME_TIMESTAMP")?.saturating_sub(heard - at),
            priority: fields.get("PRIORITY").and_then(|priority| priority.as_str()?.parse().ok()).unwrap_or(6),
            // It is printed on a terminal.
            message: message.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect(),
        })
    }

    /// A warning, or worse.
    pub fn is_trouble(&self) -> bool {
        self.priority <= 4
    }

    /// The wall-clock time at which the kernel started.
    pub(super) fn began(&self) -> Duration {
        self.wall.saturating_sub(self.at)
    }
}

/// The numbers of the boots and their IDs, from what `journalctl --list-boots` prints.
pub fn numbers(list: &str) -> Vec<(i64, String)> {
    let boot = |line: &str| {
        let mut words = line.split_whitespace();
        let number = words.next()?.parse().ok()?;
        let id = words.next().filter(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        Some((number, id.to_owned()))
    };
    list.lines().filter_map(boot).collect()
}
