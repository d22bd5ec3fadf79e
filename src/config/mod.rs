//! The owner's settings, read from TOML and checked: everything that [`Settings::parse`] accepts can be executed.
//!
//! `file` holds the shape of the file, `check` turns it into the types here or says in one message which line is
//! wrong and how to fix it, [`value`] reads single values such as `"24G"` or `"4-15"`, `edit` changes the file.
//!
//! Imports: `sys`.

mod check;
pub(crate) mod document;
mod edit;
mod file;
pub mod kernel_command_line;
pub mod ladder;
pub mod pin;
pub mod value;

use crate::error::{Error, Result};
use crate::sys::file::{MAX_SETTINGS, read as read_file};
use crate::sys::paths::Paths;
use crate::sys::pci::{PciAddress, PciId};
pub use edit::with_default;
pub use ladder::{Ladder, Rung};
use persona_paint::Language;
pub use persona_paint::{BuiltInEmblem, Emblem};
use pin::Pin;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;
use std::time::Duration;
use value::{Audio, Color, Cpus, MemorySize, Network, Rotation, RunningWell, Timeout};

/// All settings, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How the menu behaves.
    pub menu: MenuSettings,
    /// The PCI devices that are legion's, in the order of the file.
    pub passthrough: Vec<Passthrough>,
    /// The personas in menu order; at least one, names unique.
    pub personas: Vec<Persona>,
}

/// `[menu]`.
#[derive(Debug, Clone, PartialEq)]
pub struct MenuSettings {
    /// How long the menu waits for a choice before it starts the default.
    pub timeout: Timeout,
    /// The default.
    pub default: DefaultPersona,
    /// The card that draws the menu.
    pub display: Display,
    /// Whether the menu starts in the initramfs; if not, it starts once the host's file systems are mounted.
    pub early: bool,
    /// Whether transitions are animated; if not, the picture jumps.
    pub motion: bool,
    /// The text scale, 1.0 as designed for the screen's height; chosen by the screen's physical size if not set.
    pub scale: Option<f32>,
    /// The rotation of the picture; as the panel's driver reports it if not set.
    pub rotation: Option<Rotation>,
    /// Plain black and white with the accent as the only colour.
    pub high_contrast: bool,
    /// All text larger.
    pub large_text: bool,
    /// The language of the menu's own words; the host's if not set.
    pub language: Option<Language>,
    /// A font for letters that the built-in ones lack, as a path on the machine (not below `--root`).
    pub font: Option<PathBuf>,
    /// A beep per step of the highlight, as many as its position.
    pub beep: bool,
}

impl Default for MenuSettings {
    /// The values of omitted keys; the default persona is the remembered one.
    fn default() -> Self {
        Self {
            timeout: Timeout::After(Duration::from_secs(10)),
            default: DefaultPersona::Last,
            display: Display::Auto,
            early: true,
            motion: true,
            scale: None,
            rotation: None,
            high_contrast: false,
            large_text: false,
            language: None,
            font: None,
            beep: false,
        }
    }
}

/// `menu.default`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefaultPersona {
    /// The one that last ran well; the first of the menu when there is none.
    Last,
    /// A persona's name; it exists.
    Named(String),
}

/// `menu.display`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Display {
    /// A graphics card that is not legion's.
    Auto,
    /// The card at this address.
    At(PciAddress),
}

/// An entry of `[[legion.passthrough]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passthrough {
    /// One function of the device; its closure goes with it.
    pub device: PciAddress,
    /// The IDs expected at that address, if set.
    pub id: Option<PciId>,
    /// The expected subsystem IDs, if set: they distinguish two cards with the same chip.
    pub subsystem: Option<PciId>,
    /// The owner's name for it.
    pub label: Option<String>,
    /// When it is taken from the host; by its class if not set.
    pub bind: Option<BindTime>,
    /// Whether the guest sees the card's option ROM; QEMU's default if not set.
    pub rombar: Option<bool>,
    /// An image that replaces the card's own option ROM, as a path on the machine (not below `--root`).
    pub romfile: Option<PathBuf>,
}

/// When a passthrough device is taken from the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BindTime {
    /// Reserved before coldplug: no host driver ever binds to it.
    Boot,
    /// With its host driver until the choice, then unbound and bound to vfio-pci.
    Launch,
}

/// An entry of `[[persona]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Persona {
    /// Its name in commands and files: `[a-z0-9-]`.
    pub name: String,
    /// Its name in the menu.
    pub title: String,
    /// A line of description; may be empty.
    pub tagline: String,
    /// Its accent colour.
    pub accent: Color,
    /// Its emblem.
    pub emblem: Emblem,
    /// What picking it starts.
    pub starts: Starts,
    /// Its PIN, asked for when it is picked at the menu, if it is locked.
    pub pin: Option<Pin>,
    /// Whether the countdown may start it although it is locked.
    pub unattended: bool,
}

/// What picking a persona starts.
#[derive(Debug, Clone, PartialEq)]
pub enum Starts {
    /// legion, with this cartridge in this machine.
    Legion(Box<Legion>),
    /// Nothing: the host at its console.
    Host,
    /// A systemd unit.
    Unit(String),
}

/// legion as one persona configures it: `[legion]` overlaid with the persona's own keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Legion {
    /// The cartridge's name: a folder in `cartridges`.
    pub cartridge: String,
    /// What kind of system boots.
    pub guest: Guest,
    /// What happens after the guest powers itself off.
    pub on_poweroff: OnPoweroff,
    /// Memory.
    pub memory: MemorySize,
    /// Virtual CPUs.
    pub cpus: Cpus,
    /// Whether memory uses huge pages.
    pub hugepages: bool,
    /// The virtual network card's peer.
    pub network: Network,
    /// The bus that the disk is attached to.
    pub disk: DiskBus,
    /// Where the virtual sound card plays.
    pub audio: Audio,
    /// The emulated display next to the passthrough cards' screens.
    pub display: GuestDisplay,
    /// Whether UEFI uses Secure Boot.
    pub secure_boot: bool,
    /// Whether there is a TPM 2.0, whose state is in the cartridge.
    pub tpm: bool,
    /// The folder of all cartridges.
    pub cartridges: PathBuf,
    /// The symlink that says which cartridge is in.
    pub slot: PathBuf,
    /// The stop ladder.
    pub stop: Ladder,
    /// When it counts as running well: an earlier end brings the menu back, whatever [`Legion::on_poweroff`] says, so that a guest that
    /// cannot boot never powers the host off; three such boots in a row make the menu skip the persona (`StartCounts`).
    pub running_well: RunningWell,
    /// Passed to QEMU unchanged.
    pub extra_args: Vec<String>,
    /// Who starts QEMU.
    pub backend: Backend,
    /// legion's libvirt domain, with [`Backend::Libvirt`].
    pub domain: String,
}

/// `backend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Persona, from the settings.
    Qemu,
    /// libvirt, from a domain that the owner has defined and tuned.
    Libvirt,
}

/// `guest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Guest {
    /// Linux, or anything else that keeps its clock in UTC.
    Linux,
    /// Windows.
    Windows,
}

/// `disk`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiskBus {
    /// virtio-blk: the fastest, for guests that have its driver.
    Virtio,
    /// NVMe, whose driver everything has, the installer of Windows too.
    Nvme,
}

/// `display`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GuestDisplay {
    /// Nothing: there are the passthrough cards.
    None,
    /// A plain graphics card, shown by VNC on a Unix socket.
    Vnc,
}

/// `on_poweroff`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnPoweroff {
    /// Back to the menu.
    Menu,
    /// The whole machine powers off.
    Poweroff,
    /// The host at its console.
    Host,
}

/// The settings are no text: the line of the first byte that is none.
fn not_utf8(file: &Path, error: &FromUtf8Error) -> Error {
    let start = error.utf8_error().valid_up_to();
    let line = error.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
    let byte = error.as_bytes().get(start).copied().unwrap_or_default();
    let what = format!("{}:{line}: the byte {byte:#04x} is not UTF-8 text", file.display());
    let has_mark = error.as_bytes().starts_with(&[0xff, 0xfe]) || error.as_bytes().starts_with(&[0xfe, 0xff]);
    let encoding = if has_mark { "the file is UTF-16" } else { "a comment or a title is in another encoding" };
    Error::usage(what).with_hint(format!("{encoding}: save the file as UTF-8"))
}

impl Settings {
    /// Reads and checks the settings file.
    ///
    /// # Errors
    /// When the file cannot be read (exit code 1), or something in it is wrong (exit code 2): the message then names
    /// file, line and hint.
    pub fn load(paths: &Paths) -> Result<Self> {
        let file = paths.settings();
        let doing = || format!("reading the settings {}", file.display());
        let bytes = read_file(&file, MAX_SETTINGS).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::caused_by(doing(), error)
                .with_hint("`persona detect` shows settings for this machine, and `persona detect --write` saves them"),
            _ => Error::caused_by(doing(), error),
        })?;
        let text = String::from_utf8(bytes).map_err(|error| not_utf8(&file, &error))?;
        Self::parse(&text, &file.display().to_string())
    }

    /// Checks the text of a settings file; `file` is its name for messages.
    ///
    /// # Errors
    /// One [`crate::error::Kind::Usage`] error that names file, line and hint.
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        document::parse::<file::File>(text).and_then(check::check).map_err(|problem| problem.into_error(Error::usage, text, file))
    }

    /// The persona of that name.
    pub fn persona(&self, name: &str) -> Option<&Persona> {
        self.personas.iter().find(|persona| persona.name == name)
    }

    /// The persona that starts when no choice is made; `last` is the name of the one that last ran well. A name that no longer exists falls
    /// back to the first of the menu, and a persona that may not start unattended to the first that may. If there is none, nothing starts
    /// by itself, and the returned persona is only the first to be shown.
    pub fn default_persona<'a>(&'a self, last: Option<&str>) -> &'a Persona {
        let name = match &self.menu.default {
            DefaultPersona::Last => last,
            DefaultPersona::Named(name) => Some(name.as_str()),
        };
        let wanted = name.and_then(|name| self.persona(name)).unwrap_or(&self.personas[0]);
        Some(wanted).into_iter().chain(&self.personas).find(|persona| persona.starts_unattended()).unwrap_or(wanted)
    }
}

impl Persona {
    /// Whether it may start without a person to enter its PIN.
    pub fn starts_unattended(&self) -> bool {
        self.pin.is_none() || self.unattended
    }

    /// legion's part, if it is legion that the persona starts.
    pub fn legion(&self) -> Option<&Legion> {
        match &self.starts {
            Starts::Legion(legion) => Some(legion),
            Starts::Host | Starts::Unit(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
