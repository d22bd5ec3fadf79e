//! The initramfs that reserves legion's devices at the next boot: its configuration, and the contents of the images.

mod cpio;
pub mod image;
mod mkinitcpio;
mod pe;

use super::{Area, Case};
use crate::config::{BindTime, Settings};
use crate::display::card_module;
use crate::sys::file;
use crate::sys::paths::Paths;
use image::{Contents, Unreadable, fingerprint};
use mkinitcpio::{Config, Misplaced, Presets};
use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;

/// The available parts.
#[derive(Debug, Default)]
pub(super) struct Initramfs {
    config: Option<Config>,
    have_own_configs: bool,
    /// Whether mkinitcpio can find our hook.
    has_hook: bool,
    images: Vec<(PathBuf, Result<Contents, Unreadable>)>,
    /// Whether the folder of the images is unreadable.
    is_hidden: bool,
    /// The settings file and the fingerprint of `persona` outside the images.
    settings: Option<Vec<u8>>,
    binary: Option<u64>,
}

/// What the images will do at the next boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextBoot {
    /// Unknown.
    Unknown,
    /// None contains Persona.
    NotThere,
    /// Those that contain Persona contain older settings.
    Stale,
    /// One contains Persona and the current settings.
    Reserves,
}

impl Initramfs {
    /// Reads every image. An unreadable one is a finding, not an error.
    pub(super) fn read(paths: &Paths) -> Self {
        let presets = Presets::read(paths);
        let release = file::read_text(paths.kernel_release()).unwrap_or_default();
        let usual = if presets.images.is_empty() { mkinitcpio::usual_images(paths, release.trim()) } else { Ok(presets.images) };
        let is_hidden = usual == Err(ErrorKind::PermissionDenied);
        let images = usual.unwrap_or_default().into_iter().map(|path| {
            let contents = image::read(&paths.at(&path));
            (path, contents)
        });
        let hooks = ["/etc/initcpio/install/persona", "/usr/lib/initcpio/install/persona"];
        Self {
            config: Config::read(paths),
            have_own_configs: presets.have_own_configs,
            has_hook: hooks.iter().any(|hook| paths.at(hook).exists()),
            images: images.collect(),
            is_hidden,
            settings: file::read(paths.settings(), file::MAX_SETTINGS).ok(),
            binary: File::open(paths.program()).and_then(|mut file| fingerprint(&mut file)).ok(),
        }
    }

    pub(super) fn next_boot(&self, settings: Option<&Settings>) -> NextBoot {
        let readable: Vec<&Contents> = self.images.iter().filter_map(|(_, contents)| contents.as_ref().ok()).collect();
        let holding: Vec<&Contents> = readable.iter().copied().filter(|contents| contents.binary.is_some()).collect();
        if readable.is_empty() {
            NextBoot::Unknown
        } else if holding.is_empty() {
            NextBoot::NotThere
        } else if holding.iter().all(|contents| self.age(contents, settings) == Age::Stale) {
            NextBoot::Stale
        } else {
            NextBoot::Reserves
        }
    }

    /// How to get Persona into the images.
    pub(super) fn how_to_add(&self) -> &'static str {
        match &self.config {
            None => "build the initramfs with mkinitcpio and its hook `persona` (other generators are not supported yet)",
            Some(config) if config.misplaced().is_none() => "run `mkinitcpio -P`",
            Some(_) => "put `persona` into HOOKS in /etc/mkinitcpio.conf, before `udev` or after `systemd`, and run `mkinitcpio -P`",
        }
    }

    /// How to update the settings in the images.
    pub(super) fn how_to_rebuild(&self) -> &'static str {
        "run `mkinitcpio -P`"
    }

    fn age(&self, contents: &Contents, settings: Option<&Settings>) -> Age {
        if contents.settings == self.settings {
            return Age::Same;
        }
        let text = contents.settings.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
        let theirs = text.and_then(|text| Settings::parse(text, "persona.toml").ok());
        match theirs.as_ref().zip(settings) {
            Some((theirs, ours)) if theirs.passthrough == ours.passthrough && theirs.menu.display == ours.menu.display => Age::Alike,
            _ => Age::Stale,
        }
    }
}

/// The settings in an image compared to those in `/etc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Same,
    /// Different, but with the same devices.
    Alike,
    Stale,
}

/// None of it stops legion by itself: whether the devices were reserved in this boot is reported with the devices.
pub(super) fn check(case: &Case<'_>, images: &Initramfs) -> Area {
    let mut area = Area::new("initramfs");
    if case.plan.as_ref().is_some_and(|plan| plan.members().all(|member| member.at == BindTime::Launch)) {
        area.good("initramfs-not-needed", "images", "not needed: no device is to be reserved at boot");
        return area;
    }
    hooks(case, images, &mut area);
    for (path, contents) in &images.images {
        let path = path.display().to_string();
        match contents {
            Ok(contents) => {
                image(&path, contents, images, case.settings.as_ref(), &mut area);
                early_menu(&path, contents, images, case, &mut area);
            }
            Err(why) => unreadable(&path, why, &mut area),
        }
    }
    if images.is_hidden {
        area.warning(
            "boot-unreadable",
            "images",
            "this user cannot read /boot: the contents of the initramfs are unknown",
            "look again as root: `sudo persona doctor`",
        );
    } else if images.images.is_empty() {
        area.warning(
            "initramfs-not-found",
            "images",
            "no initramfs image was found: no preset in /etc/mkinitcpio.d names one, and there is none in /boot",
            "mount /boot and look again; without Persona in the initramfs, host drivers loaded there bind the devices first",
        );
    }
    area
}

fn hooks(case: &Case<'_>, images: &Initramfs, area: &mut Area) {
    const SUBJECT: &str = "/etc/mkinitcpio.conf";
    let Some(config) = &images.config else { return };
    if config.modules.iter().any(|module| module == "vfio_virqfd") && case.host.version().is_some_and(|version| version >= (6, 2)) {
        area.warning(
            "mkinitcpio-module-gone",
            SUBJECT,
            "MODULES names vfio_virqfd, which was removed in Linux 6.2: mkinitcpio reports an error",
            "remove vfio_virqfd from MODULES in /etc/mkinitcpio.conf, and run `mkinitcpio -P`",
        );
    }
    if images.have_own_configs {
        return;
    }
    match config.misplaced() {
        None if !images.has_hook => area.warning(
            "mkinitcpio-hook-not-installed",
            SUBJECT,
            "HOOKS contains persona, but /usr/lib/initcpio/install/persona is missing",
            "install Persona again (`make install`)",
        ),
        None => area.good("mkinitcpio-hook-in-place", SUBJECT, "HOOKS has persona in the right place"),
        Some(Misplaced::Absent) => area.warning(
            "mkinitcpio-hook-absent",
            SUBJECT,
            "HOOKS does not name persona: nothing is reserved in the initramfs",
            images.how_to_add(),
        ),
        Some(Misplaced::AfterUdev) => {
            area.warning(
                "mkinitcpio-hook-after-udev",
                SUBJECT,
                "HOOKS has persona after udev, which loads drivers",
                "put `persona` before `udev`, and run `mkinitcpio -P`",
            );
        }
        Some(Misplaced::BeforeSystemd) => area.warning(
            "mkinitcpio-hook-before-systemd",
            SUBJECT,
            "HOOKS has persona before systemd, to which it must add a unit",
            "put `persona` after `systemd`, and run `mkinitcpio -P`",
        ),
    }
}

fn image(path: &str, contents: &Contents, images: &Initramfs, settings: Option<&Settings>, area: &mut Area) {
    let Some(binary) = contents.binary else {
        area.warning(
            "initramfs-without-persona",
            path,
            format!("{path} does not contain Persona: a boot with it reserves nothing"),
            images.how_to_add(),
        );
        return;
    };
    let age = images.age(contents, settings);
    if contents.settings.is_none() {
        area.warning("initramfs-without-settings", path, format!("{path} contains Persona without settings"), images.how_to_rebuild());
    } else if age == Age::Stale {
        area.warning(
            "initramfs-settings-stale",
            path,
            format!("the settings in {path} differ from those in /etc: a boot with this image uses its settings"),
            images.how_to_rebuild(),
        );
    }
    // The hook `strip` changes the file.
    let is_stripped = images.config.as_ref().is_some_and(|config| config.hooks.iter().any(|hook| hook == "strip"));
    let is_other = !is_stripped && images.binary.is_some_and(|ours| ours != binary);
    if is_other {
        area.warning(
            "initramfs-other-version",
            path,
            format!("{path} contains another version of persona than /usr/bin"),
            images.how_to_rebuild(),
        );
    }
    if age != Age::Stale && !is_other {
        let (code, settings) = match age {
            Age::Same => ("initramfs-current", "the current settings"),
            _ => ("initramfs-reserves-the-same", "other settings that reserve the same devices"),
        };
        let vfio = if contents.modules.contains("vfio_pci") { ", vfio-pci" } else { "" };
        area.good(code, path, format!("{path} contains persona, {settings}{vfio}"));
    }
}

/// The modules for the menu's display and sound that are loaded now.
fn early_menu(path: &str, contents: &Contents, images: &Initramfs, case: &Case<'_>, area: &mut Area) {
    const KEYBOARDS: [&str; 4] = ["xhci_pci", "usbhid", "hid_generic", "evdev"];
    if contents.binary.is_none() || !case.settings.as_ref().is_some_and(|settings| settings.menu.early) {
        return;
    }
    let display = case.plan.as_ref().and_then(|plan| card_module(case.paths, *plan.displays.first()?));
    // A built-in driver has no such file.
    let is_module = |name: &&str| case.paths.kernel_module(name).join("initstate").exists();
    let needed = display.as_deref().into_iter().chain(KEYBOARDS.into_iter().filter(is_module));
    let lacking: Vec<&str> = needed.filter(|name| !contents.modules.contains(&name.replace('-', "_"))).collect();
    if !lacking.is_empty() {
        let what =
            format!("{path} lacks {}: the menu has no display or keyboard until the root file system is mounted", lacking.join(", "));
        area.warning("initramfs-lacks-modules", path, what, images.how_to_rebuild());
    }
}

fn unreadable(path: &str, why: &Unreadable, area: &mut Area) {
    match why {
        Unreadable::Absent => area.warning(
            "initramfs-image-absent",
            path,
            format!("{path}, which a preset names, does not exist"),
            "mount its file system, or build it: `mkinitcpio -P`",
        ),
        Unreadable::Forbidden => {
            area.warning(
                "initramfs-image-unreadable",
                path,
                format!("this user cannot read {path}"),
                "look again as root: `sudo persona doctor`",
            );
        }
        Unreadable::NoTool(tool) => area.warning(
            "initramfs-unpacker-missing",
            path,
            format!("{path} cannot be unpacked: {tool} is not installed"),
            format!("install {tool}, and look again"),
        ),
        Unreadable::Damaged(why) => area.warning(
            "initramfs-image-damaged",
            path,
            format!("{path} cannot be unpacked: {why}"),
            "check whether its file system is full (`df`), and rebuild it: `mkinitcpio -P`",
        ),
    }
}
