//! Why legion ended.

use crate::config::ladder::Rung;
use crate::legion::qemu::watch::{Shutdown, Watch};
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How legion ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The guest powered itself off.
    GuestPoweroff,
    /// The guest reset itself, and the owner's `extra_args` make that end QEMU (`-no-reboot`).
    GuestReset,
    /// The guest's kernel panicked.
    GuestPanic,
    /// It was asked to stop and did, after this rung of the ladder.
    Stopped(Rung),
    /// QEMU was told to quit, not by Persona.
    Quit,
    /// It did not stop in time and was killed.
    Killed,
    /// QEMU died while the guest ran.
    Crashed(Death),
    /// QEMU ended before the guest ran.
    NeverRan(Death),
    /// libvirt did not start the domain; its message.
    NotStarted(String),
    /// The domain ended abnormally, a sentence without a full stop.
    Domain(String),
}

/// A process that ended abnormally.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// Its exit status, such as `exit status: 1`.
    pub how: String,
    /// Its last lines on stderr, oldest first.
    pub words: Vec<String>,
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.how)?;
        if self.words.is_empty() {
            return f.write_str("; QEMU printed nothing");
        }
        // QEMU starts its lines with its own name.
        let words: Vec<_> = self.words.iter().map(|line| line.strip_prefix("qemu-system-x86_64: ").unwrap_or(line)).collect();
        write!(f, "; QEMU printed: {}", words.join(" / "))
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GuestPoweroff => f.write_str("the guest powered off"),
            Self::GuestReset => f.write_str("the guest reset, and QEMU is set to exit on a guest reset"),
            Self::GuestPanic => f.write_str("the guest's kernel panicked"),
            Self::Stopped(rung) => write!(f, "it was stopped by {rung}"),
            Self::Quit => f.write_str("QEMU was told to quit"),
            Self::Killed => f.write_str("it did not stop in time and was killed; the guest may find its file systems dirty"),
            Self::Crashed(death) => write!(f, "QEMU ended unexpectedly while the guest ran: {death}"),
            Self::NeverRan(death) => write!(f, "QEMU did not start the guest: {death}"),
            Self::NotStarted(words) => write!(f, "libvirt did not start the domain: {words}"),
            Self::Domain(what) => f.write_str(what),
        }
    }
}

impl Ending {
    /// Determines the ending from what QMP reported, the last rung taken to stop it, the exit status and stderr.
    pub fn conclude(watch: &Watch, stop: Option<Rung>, exit: ExitStatus, words: Vec<String>) -> Self {
        let death = |how: String| Death { how, words };
        if stop == Some(Rung::Kill) && exit.signal() == Some(nix::libc::SIGKILL) {
            return Self::Killed;
        }
        if watch.panicked || watch.shutdown == Some(Shutdown::GuestPanic) {
            return Self::GuestPanic;
        }
        // QEMU dies of a SIGTERM that comes very early, as requested.
        if let (Some(rung), Some(nix::libc::SIGTERM)) = (stop, exit.signal()) {
            return Self::Stopped(rung);
        }
        // A bad exit status outweighs whatever QEMU announced before: its disk may not have been flushed.
        match (&watch.shutdown, stop) {
            _ if !exit.success() && watch.ran => Self::Crashed(death(exit.to_string())),
            _ if !exit.success() => Self::NeverRan(death(exit.to_string())),
            (Some(Shutdown::Other(reason)), _) => Self::Crashed(death(format!("{exit}, {reason}"))),
            (_, Some(rung)) => Self::Stopped(rung),
            (Some(Shutdown::Guest), None) => Self::GuestPoweroff,
            (Some(Shutdown::GuestReset), None) => Self::GuestReset,
            (Some(Shutdown::Host), None) => Self::Quit,
            (Some(Shutdown::GuestPanic), None) => Self::GuestPanic,
            (None, None) if watch.ran => Self::Crashed(death(exit.to_string())),
            (None, None) => Self::NeverRan(death(exit.to_string())),
        }
    }

    /// Whether it is an end that was requested.
    pub fn is_good(&self) -> bool {
        match self {
            Self::GuestPoweroff | Self::GuestReset | Self::Stopped(_) | Self::Quit => true,
            Self::GuestPanic | Self::Killed | Self::Crashed(_) | Self::NeverRan(_) | Self::NotStarted(_) | Self::Domain(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(ran: bool, shutdown: Option<Shutdown>) -> Watch {
        Watch { ran, ready: ran, shutdown, ..Watch::default() }
    }

    fn exit(code: i32) -> ExitStatus {
        ExitStatus::from_raw(code << 8)
    }

    fn signal(number: i32) -> ExitStatus {
        ExitStatus::from_raw(number)
    }

    fn conclude(watch: &Watch, stop: Option<Rung>, exit: ExitStatus) -> Ending {
        Ending::conclude(watch, stop, exit, vec!["qemu-system-x86_64: vfio 0000:0a:00.0: Permission denied".into()])
    }

    #[test]
    fn good_ends() {
        for (shutdown, stop, ending) in [
            (Some(Shutdown::Guest), None, Ending::GuestPoweroff),
            (Some(Shutdown::GuestReset), None, Ending::GuestReset),
            (Some(Shutdown::Host), None, Ending::Quit),
            (Some(Shutdown::Guest), Some(Rung::PowerButton), Ending::Stopped(Rung::PowerButton)),
            (Some(Shutdown::Host), Some(Rung::Quit), Ending::Stopped(Rung::Quit)),
            // Killed at the moment when it quit by itself.
            (Some(Shutdown::Host), Some(Rung::Kill), Ending::Stopped(Rung::Kill)),
            (None, Some(Rung::Quit), Ending::Stopped(Rung::Quit)),
        ] {
            let concluded = conclude(&watch(true, shutdown), stop, exit(0));
            assert_eq!(concluded, ending);
            assert!(concluded.is_good());
        }
    }

    #[test]
    fn a_stop_before_the_guest_ran_is_a_stop() {
        assert_eq!(conclude(&watch(false, None), Some(Rung::Quit), signal(15)), Ending::Stopped(Rung::Quit));
        assert!(matches!(conclude(&watch(false, None), None, signal(15)), Ending::NeverRan(_)));
    }

    #[test]
    fn bad_ends_are_told_apart_and_say_what_qemu_said() {
        let crashed: fn(&Ending) -> bool = |ending| matches!(ending, Ending::Crashed(_));
        let never_ran: fn(&Ending) -> bool = |ending| matches!(ending, Ending::NeverRan(_));
        let panicked: fn(&Ending) -> bool = |ending| *ending == Ending::GuestPanic;
        let killed: fn(&Ending) -> bool = |ending| *ending == Ending::Killed;
        // The text comes from the system and from QEMU.
        for (watch, stop, exit, is_expected, words) in [
            (watch(false, None), None, exit(1), never_ran, "exit status: 1"),
            (watch(false, None), None, exit(1), never_ran, "vfio 0000:0a:00.0: Permission denied"),
            (watch(false, None), None, exit(0), never_ran, "exit status: 0"),
            (watch(true, None), None, signal(11), crashed, "SIGSEGV"),
            (watch(true, None), None, exit(0), crashed, "exit status: 0"),
            (watch(true, Some(Shutdown::Guest)), None, signal(6), crashed, "signal: 6"),
            (watch(true, Some(Shutdown::Other("host-error".into()))), None, exit(0), crashed, "host-error"),
            (watch(true, None), Some(Rung::PowerButton), signal(9), crashed, "signal: 9"),
            (watch(true, None), Some(Rung::Kill), signal(9), killed, ""),
            (watch(true, Some(Shutdown::GuestPanic)), None, exit(0), panicked, ""),
            (Watch { panicked: true, ..watch(true, Some(Shutdown::Host)) }, Some(Rung::Quit), exit(0), panicked, ""),
        ] {
            let ending = conclude(&watch, stop, exit);
            assert!(!ending.is_good() && is_expected(&ending) && ending.to_string().contains(words), "{ending:?}");
        }
    }
}
