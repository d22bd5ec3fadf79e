//! systemd: requests through `systemctl`, notifications by its socket (`sd_notify(3)`).
//!
//! # Descriptors that systemd keeps
//!
//! A service may pass an open file to systemd (`FDSTORE=1`), which passes it on to the next main process of the service
//! (`sd_listen_fds(3)`). That needs `FileDescriptorStoreMax=` and, for commands other than `ExecStart=`, `NotifyAccess=exec` in the unit.
//! systemd closes its copy when requested (`FDSTOREREMOVE=1`), or when the service is fully stopped and no job is queued for it: a start
//! that waits for the end of the last one would still find it there (systemd.service(5)).

use crate::error::{Context, Error, Result};
use crate::sys::syscalls;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use sd_notify::NotifyState;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

/// How long systemd may take to read a notification, in milliseconds.
const BARRIER_TIMEOUT: u16 = 10_000;

/// The number of the first descriptor that systemd passes on (`SD_LISTEN_FDS_START`).
const FIRST_PASSED: RawFd = 3;

/// legion's unit.
pub const LEGION: &str = "legion.service";

/// A `systemctl` to be run.
pub fn systemctl(arguments: &[&str]) -> Command {
    let mut command = Command::new("systemctl");
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Notifies the service manager, if one has started this process, that it is ready (`sd_notify(3)`).
pub fn ready() {
    if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
        log::warn!("telling the service manager: {error}");
    }
}

/// Whether a service manager has started this process and accepts notifications.
pub fn is_service() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Makes the service manager keep an open file under a name, and waits until it has it. False without a service manager.
///
/// # Errors
/// When the service manager cannot be notified, or does not read the notification.
pub fn keep_descriptor(name: &str, file: BorrowedFd<'_>) -> Result<bool> {
    let told =
        notify(&format!("FDSTORE=1\nFDNAME={name}\n"), &[file.as_raw_fd()]).and_then(|told| if told { barrier() } else { Ok(false) });
    told.context(|| format!("passing {name} to the service manager"))
}

/// Makes the service manager close everything that it keeps under a name, and waits until it has. False without a service manager.
///
/// # Errors
/// As [`keep_descriptor`].
pub fn close_descriptor(name: &str) -> Result<bool> {
    let told = notify(&format!("FDSTOREREMOVE=1\nFDNAME={name}\n"), &[]).and_then(|told| if told { barrier() } else { Ok(false) });
    told.context(|| format!("having the service manager close {name}"))
}

/// The open file that the service manager has kept under a name and passed on to this process, if there is one.
///
/// # Errors
/// When the environment names a descriptor that is not open.
pub fn passed_descriptor(name: &str) -> Result<Option<File>> {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let (pid, count, names) = (variable("LISTEN_PID"), variable("LISTEN_FDS"), variable("LISTEN_FDNAMES"));
    let number = passed_number(std::process::id(), &pid, &count, &names, name);
    number.map(syscalls::inherited).transpose().context(|| format!("taking {name} from the service manager"))
}

/// Which descriptor has this name, by the variables of `sd_listen_fds(3)`.
fn passed_number(own_pid: u32, pid: &str, count: &str, names: &str, wanted: &str) -> Option<RawFd> {
    // The variables may have been inherited, and be meant for another process.
    if pid.parse() != Ok(own_pid) {
        return None;
    }
    let count: usize = count.parse().ok()?;
    let place = names.split(':').take(count).position(|name| name == wanted)?;
    Some(FIRST_PASSED + RawFd::try_from(place).ok()?)
}

/// Sends a message; false without a service manager.
fn notify(message: &str, files: &[RawFd]) -> io::Result<bool> {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(false) };
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => UnixAddr::new_abstract(name),
        path => UnixAddr::new(path),
    }?;
    let sender = UnixDatagram::unbound()?;
    let rights = [ControlMessage::ScmRights(files)];
    let rights = if files.is_empty() { &[] } else { &rights[..] };
    sendmsg(sender.as_raw_fd(), &[IoSlice::new(message.as_bytes())], rights, MsgFlags::MSG_NOSIGNAL, Some(&address))?;
    Ok(true)
}

/// Waits until the service manager has read all earlier notifications (`sd_notify_barrier(3)`): it closes the pipe then.
fn barrier() -> io::Result<bool> {
    let (end, pipe) = io::pipe()?;
    notify("BARRIER=1", &[pipe.as_raw_fd()])?;
    drop(pipe);
    let mut ends = [PollFd::new(end.as_fd(), PollFlags::empty())];
    match poll(&mut ends, PollTimeout::from(BARRIER_TIMEOUT))? {
        0 => Err(io::Error::new(io::ErrorKind::TimedOut, "the service manager does not read its notification socket")),
        _ => Ok(true),
    }
}

/// Runs `systemctl` to its end, and returns what it printed; `doing` says what for.
///
/// # Errors
/// With systemd's own message, when it refuses.
pub fn ask(arguments: &[&str], doing: &str) -> Result<String> {
    let output = systemctl(arguments).output().context(|| doing.to_owned())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::caused_by(doing, String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_descriptor_is_found_by_its_name_and_only_if_it_is_meant_for_this_process() {
        let number = |pid, count, names| passed_number(7, pid, count, names, "legion-lock");
        assert_eq!(number("7", "1", "legion-lock"), Some(3));
        assert_eq!(number("7", "3", "a.socket:unknown:legion-lock"), Some(5));
        assert_eq!(number("7", "2", "a.socket:unknown:legion-lock"), None, "there are not that many");
        assert_eq!(number("8", "1", "legion-lock"), None, "for another process");
        assert_eq!(number("7", "1", "legion"), None);
        assert_eq!(number("", "", ""), None);
    }
}
