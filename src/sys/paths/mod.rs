//! Every path Persona reads or writes, behind one root. Those of the kernel and of devices are in `kernel`.

mod kernel;

use crate::sys::pci::PciAddress;
use std::path::{Path, PathBuf};

/// Knows the path of everything. With `--root DIR`, all of it is below `DIR`, so that a recorded machine can be examined anywhere.
#[derive(Debug, Clone)]
pub struct Paths {
    root: PathBuf,
    settings: Option<PathBuf>,
}

impl Paths {
    /// Paths below `root`; `settings` is the file named by `--config`, used as given.
    pub fn new(root: impl Into<PathBuf>, settings: Option<PathBuf>) -> Self {
        Self { root: root.into(), settings }
    }

    /// The absolute path `path` of the machine, below the root.
    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Whether this is the machine we run on, not a recorded one.
    pub fn is_live(&self) -> bool {
        self.root == Path::new("/")
    }

    /// The settings file: `/etc/persona/persona.toml` unless `--config` names another.
    pub fn settings(&self) -> PathBuf {
        self.settings.clone().unwrap_or_else(|| self.at("/etc/persona/persona.toml"))
    }

    /// What the host needed when the initramfs was built; there in the initramfs only.
    pub fn needs(&self) -> PathBuf {
        self.at("/etc/persona/needs.toml")
    }

    /// State that lives for this boot.
    pub fn run_dir(&self) -> PathBuf {
        self.at("/run/persona")
    }

    /// The choice of this boot.
    pub fn choice(&self) -> PathBuf {
        self.run_dir().join("choice.toml")
    }

    /// What the menu shows, and how soon it showed it.
    pub fn menu_state(&self) -> PathBuf {
        self.run_dir().join("menu.toml")
    }

    /// Locked while a menu runs; contains that process's number.
    pub fn menu_lock(&self) -> PathBuf {
        self.run_dir().join("menu.lock")
    }

    /// Exists once the host's file systems are mounted, for a menu that was started before.
    pub fn host_is_there(&self) -> PathBuf {
        self.run_dir().join("host")
    }

    /// The control socket of the running menu.
    pub fn menu_socket(&self) -> PathBuf {
        self.run_dir().join("menu.sock")
    }

    /// The serial consoles that a living menu holds, as links to its open files. `serial-getty@.service.d/persona.conf`
    /// names this folder too.
    pub fn held_lines(&self) -> PathBuf {
        self.run_dir().join("lines")
    }

    /// What legion is doing, as root tells it.
    pub fn legion_state(&self) -> PathBuf {
        self.run_dir().join("legion.toml")
    }

    /// The only folder of [`Self::run_dir`] that legion's user may write to: a small file system of its own, `run-persona-legion.mount`.
    pub fn legion_dir(&self) -> PathBuf {
        self.run_dir().join("legion")
    }

    /// What legion is doing from its start to its end, as its supervisor tells it.
    pub fn legion_report(&self) -> PathBuf {
        self.legion_dir().join("report.toml")
    }

    /// What `prepare` decided for `run`.
    pub fn launch(&self) -> PathBuf {
        self.run_dir().join("launch.toml")
    }

    /// What `prepare` changed on the devices, for `release` to change back.
    pub fn bound_devices(&self) -> PathBuf {
        self.run_dir().join("bound.toml")
    }

    /// Exists when a driver hung in this boot while this device was unbound or bound.
    pub fn hung_device(&self, address: PciAddress) -> PathBuf {
        self.run_dir().join(format!("hung-{address}"))
    }

    /// QEMU's QMP socket for other programs, which use the link `/run/persona/legion.qmp` to it.
    pub fn qmp_socket(&self) -> PathBuf {
        self.legion_dir().join("qmp")
    }

    /// The socket on which a guest agent in legion answers; `/run/persona/legion.agent` is a link to it.
    pub fn guest_agent_socket(&self) -> PathBuf {
        self.legion_dir().join("agent")
    }

    /// The socket on which VNC shows legion's emulated graphics card; `/run/persona/legion.vnc` is a link to it.
    pub fn vnc_socket(&self) -> PathBuf {
        self.legion_dir().join("vnc")
    }

    /// The socket on which swtpm is legion's TPM.
    pub fn tpm_socket(&self) -> PathBuf {
        self.legion_dir().join("tpm")
    }

    /// Locked while legion is prepared and runs.
    pub fn legion_lock(&self) -> PathBuf {
        self.run_dir().join("legion.lock")
    }

    /// The current `start`, `stop` or `switch` of legion, and its caller.
    pub fn switch(&self) -> PathBuf {
        self.run_dir().join("switch.toml")
    }

    /// Locked by the process that starts, stops or switches legion.
    pub fn switch_lock(&self) -> PathBuf {
        self.run_dir().join("switch.lock")
    }

    /// The kernel's list of file locks.
    pub fn locks(&self) -> PathBuf {
        self.at("/proc/locks")
    }

    /// Where the journal takes entries from programs.
    pub fn journal_socket(&self) -> PathBuf {
        self.at("/run/systemd/journal/socket")
    }

    /// State that outlives a boot.
    pub fn state_dir(&self) -> PathBuf {
        self.at("/var/lib/persona")
    }

    /// The persona for the next boot.
    pub fn override_file(&self) -> PathBuf {
        self.state_dir().join("override.toml")
    }

    /// Locked by the process that changes [`Self::override_file`].
    pub fn override_lock(&self) -> PathBuf {
        self.state_dir().join("override.lock")
    }

    /// Locked by the process that changes [`Self::settings`].
    pub fn settings_lock(&self) -> PathBuf {
        self.run_dir().join("settings.lock")
    }

    /// Locked by the process that changes [`Self::starts`].
    pub fn starts_lock(&self) -> PathBuf {
        self.state_dir().join("starts.lock")
    }

    /// The number of failed boots of personas.
    pub fn starts(&self) -> PathBuf {
        self.state_dir().join("starts.toml")
    }

    /// The persona that last ran well.
    pub fn last(&self) -> PathBuf {
        self.state_dir().join("last.toml")
    }

    /// How often a wrong PIN was entered.
    pub fn pin_tries(&self) -> PathBuf {
        self.state_dir().join("pin-tries.toml")
    }

    /// Locked by the process that changes [`Self::pin_tries`].
    pub fn pin_tries_lock(&self) -> PathBuf {
        self.state_dir().join("pin-tries.lock")
    }

    /// How often it was in this boot, where [`Self::pin_tries`] cannot be written.
    pub fn pin_tries_of_boot(&self) -> PathBuf {
        self.run_dir().join("pin-tries.toml")
    }

    /// The boot ID of the kernel.
    pub fn boot_id(&self) -> PathBuf {
        self.at("/proc/sys/kernel/random/boot_id")
    }

    /// User accounts.
    pub fn passwd(&self) -> PathBuf {
        self.at("/etc/passwd")
    }

    /// Groups.
    pub fn groups(&self) -> PathBuf {
        self.at("/etc/group")
    }

    /// The file systems that the host mounts.
    pub fn fstab(&self) -> PathBuf {
        self.at("/etc/fstab")
    }

    /// The folder in which driverctl keeps its overrides.
    pub fn driverctl(&self) -> PathBuf {
        self.at("/etc/driverctl.d")
    }

    /// The machine's name.
    pub fn hostname(&self) -> PathBuf {
        self.at("/proc/sys/kernel/hostname")
    }

    /// The files that may name the host's locale, the first that exists counts: systemd's, and Debian's.
    pub fn locales(&self) -> [PathBuf; 2] {
        ["/etc/locale.conf", "/etc/default/locale"].map(|file| self.at(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_lies_under_the_root() {
        let paths = Paths::new("/recorded/machine", None);
        for path in [paths.settings(), paths.choice(), paths.pci_devices(), paths.override_file(), paths.at("/x"), paths.at("x")] {
            assert!(path.starts_with("/recorded/machine"), "{}", path.display());
        }
    }

    #[test]
    fn the_named_settings_file_is_taken_as_it_is() {
        let paths = Paths::new("/recorded", Some("my.toml".into()));
        assert_eq!(paths.settings(), Path::new("my.toml"));
    }
}
