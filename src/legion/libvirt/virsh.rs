//! `virsh`, libvirt's command, and its output.

use crate::error::{Context, Error, Result};
use crate::legion::qemu::argv;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Domains with real hardware belong to the system instance.
const URI: &str = "qemu:///system";

/// What libvirt answered.
#[cfg_attr(test, derive(Debug))]
pub(super) struct Answer {
    /// Whether `virsh` succeeded.
    pub(super) done: bool,
    /// Its stdout.
    pub(super) said: String,
    /// Its stderr, in one line.
    pub(super) words: String,
}

impl Answer {
    pub(super) fn new(done: bool, stdout: &[u8], stderr: &[u8]) -> Self {
        let stderr = String::from_utf8_lossy(stderr);
        let lines = stderr.lines().map(|line| line.strip_prefix("error: ").unwrap_or(line).trim()).filter(|line| !line.is_empty());
        Self { done, said: String::from_utf8_lossy(stdout).trim().to_owned(), words: lines.collect::<Vec<_>>().join(": ") }
    }

    /// Whether there is no such domain. An unreachable libvirt is another error.
    pub(super) fn is_no_domain(&self) -> bool {
        !self.done && self.words.starts_with("failed to get domain")
    }

    /// The refusal as an error, with its hint.
    pub(super) fn into_error(self, arguments: &[&str]) -> Error {
        let is_no_domain = self.is_no_domain();
        let is_unreachable = self.words.starts_with("failed to connect");
        let error = Error::caused_by(format!("running `{}`", shell_line(arguments)), self.words);
        if is_no_domain {
            error.with_code("domain-missing").with_hint(
                "define it (`persona export libvirt` prints one to begin with), or name yours with `domain = \"...\"` in the settings",
            )
        } else if is_unreachable {
            error.with_code("libvirt-unreachable").with_hint(
                "start libvirt (`systemctl enable --now libvirtd.socket`, or virtqemud.socket), and let the user legion in: `usermod -aG libvirt legion`",
            )
        } else {
            error
        }
    }
}

/// `virsh` with these arguments, with English messages, and without keepalive traffic.
pub(super) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new("virsh");
    command.args(["--connect", URI, "--keepalive-interval", "0"]).args(arguments);
    // Only the supervisor talks to the service manager, and only it gets Ctrl-C in a terminal.
    command.env("LC_ALL", "C").env_remove("NOTIFY_SOCKET").process_group(0).stdin(Stdio::null());
    command
}

/// The command as one would type it into a shell.
pub fn shell_line(arguments: &[&str]) -> String {
    let line: Vec<_> = ["virsh", "--connect", URI].iter().chain(arguments).map(|word| (*word).to_owned()).collect();
    argv::shell_line(&line)
}

/// The error of a `virsh` that could not be run at all.
pub(super) fn missing(error: Error) -> Error {
    error
        .with_code("virsh-missing")
        .with_hint("install libvirt's client: libvirt (Arch), libvirt-clients (Debian, Ubuntu), libvirt-client (Fedora)")
}

/// Runs the query, and waits for the answer.
///
/// # Errors
/// When `virsh` cannot be run, or does not end in time.
pub(super) fn ask(arguments: &[&str], timeout: Duration) -> Result<Answer> {
    let doing = || format!("running `{}`", shell_line(arguments));
    let mut child = command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context(doing).map_err(missing)?;
    let (Some(mut stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else { return Err(Error::new(doing())) };
    let until = Instant::now() + timeout;
    let (mut said, mut words, mut part) = (Vec::new(), Vec::new(), [0; 4096]);
    // It ends after its output; its errors are much shorter than a pipe's capacity.
    loop {
        let left = PollTimeout::try_from(until.saturating_duration_since(Instant::now())).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)], left) {
            Ok(0) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Error::caused_by(doing(), format!("libvirt did not answer within {} s", timeout.as_secs()))
                    .with_code("libvirt-silent")
                    .with_hint("see what it does: systemctl status libvirtd virtqemud"));
            }
            Err(nix::errno::Errno::EINTR) => continue,
            ready => ready.context(doing)?,
        };
        match stdout.read(&mut part) {
            Ok(0) => break,
            Ok(count) => said.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::caused_by(doing(), error)),
        }
    }
    stderr.read_to_end(&mut words).context(doing)?;
    let status = child.wait().context(doing)?;
    Ok(Answer::new(status.success(), &said, &words))
}

/// Queries something that must exist.
///
/// # Errors
/// As [`ask`], and when libvirt refuses.
pub(super) fn demand(arguments: &[&str], timeout: Duration) -> Result<String> {
    let answer = ask(arguments, timeout)?;
    if answer.done { Ok(answer.said) } else { Err(answer.into_error(arguments)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libvirts_words_are_one_line_with_a_hint() {
        let refused = |stderr: &str| Answer::new(false, b"\n", stderr.as_bytes());
        let no_domain = refused("error: failed to get domain 'legion'\n");
        assert!(no_domain.is_no_domain());
        let error = no_domain.into_error(&["dominfo", "legion"]);
        assert_eq!(error.code(), Some("domain-missing"));
        assert!(error.reason().contains("virsh --connect qemu:///system dominfo legion"), "what can be tried: {error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("persona export libvirt")), "{error}");
        let denied = refused("error: failed to connect to the hypervisor\nerror: authentication unavailable: no polkit agent\n");
        assert!(!denied.is_no_domain());
        let error = denied.into_error(&["start", "legion"]);
        assert_eq!(error.code(), Some("libvirt-unreachable"));
        assert!(error.reason().ends_with("failed to connect to the hypervisor: authentication unavailable: no polkit agent"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("usermod -aG libvirt legion")), "{error}");
    }
}
