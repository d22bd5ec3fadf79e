//! legion's TPM 2.0: swtpm as a separate process, with its state in the cartridge.
//!
//! swtpm inherits the socket that QEMU connects to: it exists before either of them runs, so nothing has to wait for it. The state is
//! written at every change; swtpm is killed only if it does not end when asked to.

use crate::error::{Context, Error, Result};
use crate::legion::cartridge::Cartridge;
use crate::sys::paths::Paths;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, fchown};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The program, found in `PATH`.
pub const SWTPM: &str = "swtpm";

/// The folder in the cartridge.
const FOLDER: &str = "tpm";

/// How long it may take to end when asked to, in milliseconds.
const START_TIMEOUT_MS: u16 = 3000;

/// swtpm's command line, program first, for the cartridge in the slot. Its standard input must be a listening socket.
///
/// # Errors
/// When it cannot express the folder's name: a comma always ends a value in swtpm's options.
pub fn argv(paths: &Paths, slot: &Path) -> Result<Vec<String>> {
    let folder = paths.at(slot.join(FOLDER)).to_string_lossy().into_owned();
    if folder.contains(',') {
        return Err(Error::new(format!("swtpm cannot store legion's TPM state in {folder}: the path contains a comma"))
            .with_code("slot-path-unusable")
            .with_hint("choose another `slot`, or write tpm = false in the settings"));
    }
    // Its own seccomp filter is on by default.
    let state = format!("dir={folder},mode=0600");
    let words = [SWTPM, "socket", "--tpm2", "--tpmstate", &state, "--ctrl", "type=unixio,fd=0", "--terminate"];
    Ok(words.map(str::to_owned).to_vec())
}

/// Creates the folder for the TPM's state in a cartridge, if it has none yet, and gives it to the user that swtpm runs as.
///
/// # Errors
/// When it cannot be created, or something else has its name.
pub fn provide(paths: &Paths, cartridge: &Cartridge, user: u32, group: u32) -> Result<()> {
    let folder = paths.at(cartridge.folder.join(FOLDER));
    let doing = || format!("creating the folder {} for legion's TPM", folder.display());
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        made => made.context(doing)?,
    }
    // The cartridge is legion's: the user legion may have replaced the folder, so a link must not be followed.
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    let folder = OpenOptions::new().read(true).custom_flags(flags.bits()).open(&folder).context(doing)?;
    fchown(&folder, Some(user), Some(group)).context(doing)
}

/// A running swtpm. Dropped, it is ended.
#[derive(Debug)]
pub struct Tpm {
    child: Child,
}

impl Tpm {
    /// Starts swtpm. QEMU, started after it, finds it at [`Paths::tpm_socket`].
    ///
    /// # Errors
    /// When it is not installed or cannot be started. If it ends at once, it logs the reason to our stderr, and QEMU cannot connect.
    pub fn start(paths: &Paths, argv: &[String]) -> Result<Self> {
        let socket = listen(&paths.tpm_socket())?;
        let (program, arguments) = argv.split_first().ok_or_else(|| Error::new("swtpm's command line is empty"))?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(OwnedFd::from(socket))
            // It writes nothing there: the pipe closes when it ends.
            .stdout(Stdio::piped())
            // Only the supervisor gets Ctrl-C in a terminal.
            .process_group(0)
            .spawn()
            .context(|| format!("starting {program} for legion's TPM"))
            .map_err(|error| error.with_hint("install swtpm (Arch, Debian), or write tpm = false in the settings"))?;
        Ok(Self { child })
    }

    /// Whether it ended by itself within this many milliseconds.
    fn ended(&mut self, milliseconds: u16) -> bool {
        if let Some(stdout) = &self.child.stdout {
            // No other process has the other end: it closes with the process.
            let mut end = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
            let _ = poll(&mut end, PollTimeout::from(milliseconds));
            if !end[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP)) {
                return false;
            }
        }
        self.child.wait().is_ok()
    }
}

/// The socket, accessible to its owner only. A leftover one is recreated.
fn listen(path: &Path) -> Result<UnixListener> {
    let doing = || format!("making the socket {} for legion's TPM", path.display());
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        removed => removed.context(doing)?,
    }
    let socket = UnixListener::bind(path).context(doing)?;
    fs::set_permissions(path, Permissions::from_mode(0o600)).context(doing)?;
    Ok(socket)
}

impl Drop for Tpm {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        // The child has not been waited for yet, so its process ID is still valid.
        let asked = i32::try_from(self.child.id()).is_ok_and(|pid| kill(Pid::from_raw(pid), Signal::SIGTERM).is_ok());
        if !(asked && self.ended(START_TIMEOUT_MS)) {
            log::warn!("swtpm does not end and is killed");
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_state_is_in_the_slot() {
        let paths = Paths::new("/", None);
        let line = argv(&paths, Path::new("/var/lib/legion/slot")).unwrap();
        assert!(line.contains(&"dir=/var/lib/legion/slot/tpm,mode=0600".to_owned()));
        assert_eq!(argv(&paths, Path::new("/a,b")).unwrap_err().code(), Some("slot-path-unusable"));
    }

    #[test]
    fn the_folder_is_made_once_and_a_link_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        let me = fs::metadata(root.path()).unwrap();
        fs::create_dir_all(paths.at("/c/a")).unwrap();
        fs::write(paths.at("/c/a/disk.raw"), "x").unwrap();
        let cartridge = Cartridge::inspect(&paths, Path::new("/c"), "a").unwrap();
        let provide = || {
            use std::os::unix::fs::MetadataExt;
            provide(&paths, &cartridge, me.uid(), me.gid())
        };
        provide().unwrap();
        provide().unwrap();
        let folder = paths.at("/c/a/tpm");
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        fs::rename(&folder, paths.at("/elsewhere")).unwrap();
        symlink("/elsewhere", &folder).unwrap();
        assert!(provide().is_err());
    }

    #[test]
    fn without_swtpm_the_package_is_named() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        fs::create_dir_all(paths.legion_dir()).unwrap();
        let error = Tpm::start(&paths, &["no-such-swtpm".to_owned()]).unwrap_err();
        assert_eq!(error.errno(), Some(nix::libc::ENOENT));
        assert!(error.hint().is_some_and(|hint| hint.contains("swtpm")), "{error}");
    }

    /// A stand-in for swtpm that ignores SIGTERM, after it has reported that it does.
    #[test]
    fn who_does_not_end_is_killed() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        fs::create_dir_all(paths.legion_dir()).unwrap();
        let script = "trap '' TERM; echo deaf; exec sleep 600";
        let mut tpm = Tpm::start(&paths, &["sh", "-c", script].map(str::to_owned)).unwrap();
        let pid = Pid::from_raw(i32::try_from(tpm.child.id()).unwrap());
        std::io::Read::read_exact(tpm.child.stdout.as_mut().unwrap(), &mut [0; 5]).unwrap();
        drop(tpm);
        assert!(kill(pid, None).is_err(), "it lives");
    }
}
