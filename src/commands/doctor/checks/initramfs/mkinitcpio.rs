//! mkinitcpio's configuration (`mkinitcpio(8)`, `mkinitcpio.conf(5)`): the hooks of an image, and which images there are.

use crate::commands::doctor::checks::host::files;
use crate::commands::doctor::checks::shell::{assignments, value};
use crate::sys::file;
use crate::sys::paths::Paths;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

/// `/etc/mkinitcpio.conf` with what is in `/etc/mkinitcpio.conf.d`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Config {
    pub(super) hooks: Vec<String>,
    pub(super) modules: Vec<String>,
}

/// What is wrong with the position of our hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misplaced {
    /// It is not among the hooks.
    Absent,
    /// It comes after `udev`, which loads drivers.
    AfterUdev,
    /// It comes before `systemd`, which it adds a unit to.
    BeforeSystemd,
}

impl Config {
    /// `None` if there is no mkinitcpio here.
    pub(super) fn read(paths: &Paths) -> Option<Self> {
        let mut text = file::read_text(paths.at("/etc/mkinitcpio.conf")).ok()?;
        for file in files(&paths.at("/etc/mkinitcpio.conf.d"), ".conf") {
            text = text + "\n" + &file::read_text(file).unwrap_or_default();
        }
        Some(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let assigned = assignments(text);
        let words = |name| value(&assigned, name).unwrap_or_default();
        Self { hooks: words("HOOKS"), modules: words("MODULES") }
    }

    pub(super) fn misplaced(&self) -> Option<Misplaced> {
        let place = |hook: &str| self.hooks.iter().position(|other| other == hook);
        let Some(ours) = place("persona") else { return Some(Misplaced::Absent) };
        match (place("systemd"), place("udev")) {
            (Some(systemd), _) => (ours < systemd).then_some(Misplaced::BeforeSystemd),
            (None, Some(udev)) => (ours > udev).then_some(Misplaced::AfterUdev),
            (None, None) => None,
        }
    }
}

/// The presets' images, and whether all of them use `/etc/mkinitcpio.conf`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Presets {
    pub(super) images: Vec<PathBuf>,
    pub(super) have_own_configs: bool,
}

impl Presets {
    pub(super) fn read(paths: &Paths) -> Self {
        let mut all = Self::default();
        for file in files(&paths.at("/etc/mkinitcpio.d"), ".preset") {
            all.add(&file::read_text(file).unwrap_or_default());
        }
        all
    }

    fn add(&mut self, text: &str) {
        let assigned = assignments(text);
        let one = |name: &str| value(&assigned, name).and_then(|words| words.into_iter().next());
        for preset in value(&assigned, "PRESETS").unwrap_or_default() {
            let images = ["image", "uki", "efi_image"].iter().filter_map(|kind| one(&format!("{preset}_{kind}")));
            self.images.extend(images.map(PathBuf::from));
            let config = one(&format!("{preset}_config")).or_else(|| one("ALL_config"));
            self.have_own_configs |= config.is_some_and(|config| config != "/etc/mkinitcpio.conf");
        }
    }
}

/// The images without a preset: by the distributions' file names, the running kernel's if there is one.
pub(super) fn usual_images(paths: &Paths, release: &str) -> Result<Vec<PathBuf>, ErrorKind> {
    let mut found = Vec::new();
    for entry in fs::read_dir(paths.at("/boot")).map_err(|error| error.kind())?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_image = (name.starts_with("initramfs-") && name.ends_with(".img")) || name.starts_with("initrd.img-");
        if is_image && !name.contains("rescue") && !name.contains("kdump") {
            found.push(name);
        }
    }
    found.sort_unstable();
    if !release.is_empty() && found.iter().any(|name| name.contains(release)) {
        found.retain(|name| name.contains(release));
    }
    Ok(found.into_iter().map(|name| PathBuf::from("/boot").join(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_hook_has_its_place() {
        let misplaced = |hooks: &str| Config::parse(&format!("HOOKS=({hooks})\n")).misplaced();
        assert_eq!(misplaced("base persona udev block"), None);
        assert_eq!(misplaced("base systemd persona block"), None);
        assert_eq!(misplaced("persona"), None);
        assert_eq!(misplaced("base udev block"), Some(Misplaced::Absent));
        assert_eq!(misplaced("base udev persona block"), Some(Misplaced::AfterUdev));
        assert_eq!(misplaced("base persona systemd"), Some(Misplaced::BeforeSystemd));
    }

    #[test]
    fn presets_name_images_of_both_kinds() {
        let text = "\
ALL_config=\"/etc/mkinitcpio.conf\"
ALL_kver=\"/boot/vmlinuz-linux\"
PRESETS=('default' 'fallback')
#default_image=\"/boot/old.img\"
default_image=\"/boot/initramfs-linux.img\"
fallback_uki=\"/efi/EFI/Linux/arch-linux-fallback.efi\"
fallback_options=\"-S autodetect\"
other_image=/boot/other.img
";
        let mut presets = Presets::default();
        presets.add(text);
        let images = ["/boot/initramfs-linux.img", "/efi/EFI/Linux/arch-linux-fallback.efi"].map(PathBuf::from);
        assert_eq!(presets, Presets { images: images.to_vec(), have_own_configs: false });
        presets.add("PRESETS=(default)\ndefault_config=/etc/mkinitcpio-lts.conf\n");
        assert!(presets.have_own_configs);
    }
}
