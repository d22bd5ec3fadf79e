//! Readers of bytes and texts.

use persona::boot_log::{BootLog, JournalEntry, entry, text};
use persona::config::kernel_command_line::KernelCommandLine;
use persona::config::{DefaultPersona, Settings, with_default};
use persona::control::{Asked, reply};
use persona::legion::libvirt::check_domain;
use persona::legion::qemu::agent::Replies;
use persona::legion::qemu::qmp::Reader;
use persona::sys::file::MAX_SETTINGS;
use persona::sys::kernel_parameters;
use persona::sys::pci::PciAddress;
use persona::sys::style::Style;
use persona::sys::uevent::Changes;
use persona::sys::unit::Unit;
use std::path::Path;

/// The settings file, and changing its default.
pub(super) fn settings(data: &[u8]) {
    // A larger file is not read.
    let Some(text) = std::str::from_utf8(data).ok().filter(|text| text.len() as u64 <= MAX_SETTINGS) else { return };
    let settings = match Settings::parse(text, "persona.toml") {
        Ok(settings) => settings,
        Err(error) => {
            assert_eq!(error.exit_code(), 2);
            return;
        }
    };
    settings.default_persona(None);
    let last = settings.personas.last().expect("settings have a persona");
    if let Ok(changed) = with_default(text, &last.name, "persona.toml") {
        let changed = Settings::parse(&changed, "persona.toml").expect("what was written can be read");
        assert_eq!(changed.menu.default, DefaultPersona::Named(last.name.clone()));
    }
}

/// A line of the menu's control socket, either way. A request that is understood is written and read as the same.
pub(super) fn request(data: &[u8]) {
    if let Ok(asked) = Asked::parse(data) {
        let line = asked.line();
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(Asked::parse(line.trim_end().as_bytes()).ok(), Some(asked));
    }
    if let Ok(state) = reply::read(data) {
        persona::control::shown::in_words(&state);
    }
}

/// `/proc/cmdline`.
pub(super) fn kernel_command_line(data: &[u8]) {
    // A longer one is not read.
    if data.len() > 64 << 10 {
        return;
    }
    let parameters = kernel_parameters::parse(data);
    let found = KernelCommandLine::of(&parameters);
    // Whatever comes before it without a quote, and without the end of the line.
    if !data.contains(&b'"') && !data.contains(&0) && !data.windows(2).any(|two| two == b"--") {
        let with_off = KernelCommandLine::of(&kernel_parameters::parse(&[data, b" persona=off"].concat()));
        assert!(with_off.off.is_some(), "{found:?}");
    }
}

/// QMP's stream. It does not matter how the bytes are cut.
pub(super) fn qmp(data: &[u8]) {
    let whole = Reader::default().feed(data);
    let middle = data.first().map_or(0, |byte| usize::from(*byte)).min(data.len());
    let mut reader = Reader::default();
    let mut pieces = reader.feed(&data[..middle]);
    pieces.extend(reader.feed(&data[middle..]));
    assert_eq!(pieces, whole);
}

/// What the guest sends to the question number 7, as it arrives.
pub(super) fn guest_agent(data: &[u8]) {
    let mut replies = Replies::to(7);
    for piece in data.chunks(512) {
        if replies.feed(piece).is_some() {
            return;
        }
    }
}

/// The journal's entries as JSON, and the list of boots.
pub(super) fn journal(data: &[u8]) {
    let output = String::from_utf8_lossy(data);
    let entries = JournalEntry::read(&output, Some(972));
    let logs = BootLog::all(&entries, &entry::numbers(&output));
    let style = Style::decide(false, None, None);
    text::summary(&logs, style);
    for log in &logs {
        text::full(log, style);
    }
}

/// An emblem.
pub(super) fn emblem(data: &[u8]) {
    // What is no PNG costs nothing.
    let _ = persona_paint::Art::decode(data);
}

/// A domain of libvirt's.
pub(super) fn libvirt_domain(data: &[u8]) {
    let devices: Vec<PciAddress> = ["0000:0a:00.0", "0000:0a:00.1"].iter().filter_map(|address| address.parse().ok()).collect();
    // Any answer will do.
    let _ = check_domain(&String::from_utf8_lossy(data), &devices, Path::new("/var/lib/legion/slot"));
}

/// The kernel's message about a device.
pub(super) fn uevent(data: &[u8]) {
    Changes::default().note(data);
}

/// What `systemctl show` prints.
pub(super) fn unit(data: &[u8]) {
    Unit::parse(&String::from_utf8_lossy(data)).is_up();
}
