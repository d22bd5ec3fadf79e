//! What one boot of the machine gets besides its hardware.

use crate::cpio::Archive;
use crate::initramfs::ImageKind;

/// The settings file, in the machine.
const SETTINGS: &str = "/etc/persona/persona.toml";

/// A boot's own files, settings and kernel command line. They reach the machine without a new image: by an archive added
/// to the initramfs, and by firmware configuration for the real root, where they are put in place once, before
/// anything of Persona starts.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub(crate) name: String,
    pub(crate) image: ImageKind,
    pub(crate) cmdline: Vec<String>,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) initramfs_files: Vec<(String, Vec<u8>)>,
    pub(crate) script: String,
    pub(crate) windows: bool,
    pub(crate) bare: bool,
    pub(crate) durable: bool,
}

impl Scenario {
    /// A boot with the image's own settings, from a busybox image.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            image: ImageKind::Busybox,
            cmdline: Vec::new(),
            files: Vec::new(),
            initramfs_files: Vec::new(),
            script: String::new(),
            windows: false,
            bare: false,
            durable: false,
        }
    }

    /// Which kind of initramfs.
    #[must_use]
    pub fn image(mut self, image: ImageKind) -> Self {
        self.image = image;
        self
    }

    /// Other settings, in the initramfs and in the real root.
    #[must_use]
    pub fn settings(self, text: &str) -> Self {
        self.initramfs_settings(text).root_settings(text)
    }

    /// Other settings in the real root only: the initramfs keeps an older copy.
    #[must_use]
    pub fn root_settings(self, text: &str) -> Self {
        self.file(SETTINGS, text)
    }

    /// Other settings in the initramfs only.
    #[must_use]
    pub fn initramfs_settings(mut self, text: &str) -> Self {
        self.initramfs_files.push((SETTINGS.to_owned(), text.into()));
        self
    }

    /// A file of the real root, by its absolute path.
    #[must_use]
    pub fn file(mut self, path: &str, contents: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.to_owned(), contents.into()));
        self
    }

    /// A shell script that root runs in the real root before anything of Persona starts there, at the first boot.
    #[must_use]
    pub fn script(mut self, script: &str) -> Self {
        self.script.push_str(script);
        self.script.push('\n');
        self
    }

    /// More words on the kernel command line.
    #[must_use]
    pub fn cmdline(mut self, words: &str) -> Self {
        self.cmdline.push(words.to_owned());
        self
    }

    /// With a disk that keeps what was flushed when the power is cut; others are faster.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// From an initramfs without Persona's part; the real root has it.
    #[must_use]
    pub fn bare_initramfs(mut self) -> Self {
        self.bare = true;
        self
    }

    /// As if Persona were not installed.
    #[must_use]
    pub fn without_persona(self) -> Self {
        const UNITS: [&str; 4] = ["persona-reserve.service", "persona-menu.service", "persona-host.service", "legion.path"];
        UNITS.iter().fold(self.bare_initramfs(), |scenario, unit| scenario.cmdline(&format!("systemd.mask={unit}")))
    }

    /// Windows for a person to watch.
    #[must_use]
    pub fn windows(mut self, windows: bool) -> Self {
        self.windows = windows;
        self
    }

    /// The kernel command line's words. The guest looks for files only when it is told to.
    pub(crate) fn words(&self) -> String {
        let setup = (!self.files.is_empty() || !self.script.is_empty()).then(|| "machine.setup".to_owned());
        self.cmdline.iter().cloned().chain(setup).collect::<Vec<_>>().join(" ")
    }
}

/// An archive of files.
pub(crate) fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = Archive::default();
    for (path, contents) in files {
        archive.file(path, 0o644, contents);
    }
    archive.finish()
}
