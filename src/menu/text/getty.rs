//! The login on a serial console. It waits while the menu holds the line, and starts however the menu ends.
//!
//! While a line is held, a link in `/run/persona/lines` points to the open file in `/proc/PID/fd`: its target exists
//! exactly as long as this process lives and has the line open. `serial-getty@.service.d/persona.conf` lets the login
//! start unless the target exists. Nothing else can block a login: no stale link of a killed menu, no missing folder,
//! no missing program.

use crate::sys::paths::Paths;
use std::fs;
use std::io::{self, Write};
use std::os::fd::RawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A held line. Drop it after closing the line: that starts the login there.
pub(super) struct Held {
    paths: Paths,
    name: String,
    link: PathBuf,
    leads_to: PathBuf,
}

impl Held {
    /// Holds the login of the serial console `name` back while this process has `file` open.
    ///
    /// # Errors
    /// When the link cannot be made; the line must not be used then.
    pub(super) fn new(paths: &Paths, name: &str, file: RawFd) -> io::Result<Self> {
        let folder = paths.held_lines();
        // Writable only by root: a process that can write here can block a login.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let link = folder.join(name);
        let leads_to = PathBuf::from(format!("/proc/{}/fd/{file}", std::process::id()));
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => symlink(&leads_to, &link)?,
        }
        Ok(Self { paths: paths.clone(), name: name.to_owned(), link, leads_to })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // The closed descriptor number may be reused at once, and the link would have a target again.
        let link = self.link.with_file_name(format!(".{}", self.name));
        if let Err(error) = fs::rename(&self.link, &link) {
            log::warn!("giving {} to its login: {error}", self.name);
        }
        let leads_to = self.leads_to.clone();
        match start_login(&self.paths, &self.name) {
            // Early in a boot systemd may be slow to answer. Until it has, the link stays for `restore_all`.
            Ok(mut systemctl) => drop(std::thread::spawn(move || {
                let done = systemctl.wait().is_ok_and(|status| status.success());
                if done && fs::read_link(&link).is_ok_and(|to| to == leads_to) {
                    let _ = fs::remove_file(&link);
                }
            })),
            Err(error) => log::warn!("starting the login on {}: {error}", self.name),
        }
    }
}

/// Starts the login on every line that a killed menu may not have released.
pub fn restore_all(paths: &Paths) {
    for entry in fs::read_dir(paths.held_lines()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().trim_start_matches('.').to_owned();
        // The cursor is still hidden; the login starts even if the line cannot be written to.
        let _ = leave(&paths.at("/dev").join(&name));
        match start_login(paths, &name).and_then(|mut systemctl| systemctl.wait()) {
            Ok(status) if status.success() => {}
            Ok(status) => log::warn!("starting the login on {name}: systemctl ended with {status}"),
            Err(error) => log::warn!("starting the login on {name}: {error}"),
        }
        let _ = fs::remove_file(entry.path());
    }
}

fn leave(line: &Path) -> io::Result<()> {
    let flags = nix::libc::O_NOCTTY | nix::libc::O_NONBLOCK;
    fs::OpenOptions::new().write(true).custom_flags(flags).open(line)?.write_all(super::LEAVE.as_bytes())
}

/// systemd starts a login on every serial console (`systemd-getty-generator(8)`), except those the owner has masked.
///
/// On a recorded machine no login is started: `true` runs instead.
fn start_login(paths: &Paths, name: &str) -> io::Result<Child> {
    let mut command = Command::new(if paths.is_live() { "systemctl" } else { "true" });
    command.args(["start", "--no-block", "--", &format!("serial-getty@{name}.service")]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}
