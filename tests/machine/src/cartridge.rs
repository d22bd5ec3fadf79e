//! The test cartridges: small disks, each with a boot loader, Debian's kernel and `cartridge-guest` as its init.

use crate::command_line::CHEAP;
use crate::cpio::Archive;
use crate::debian::Debian;
use crate::folders;
use crate::log::Log;
use crate::overlay::write;
use crate::tool::Tool;
use crate::wire::{IDENTITY_FILE, Identity};
use persona::config::{Persona, Settings, Starts};
use persona::error::{Context, Error, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// What the guest drives, first what the others need. A kernel may have some of them built in.
const DRIVERS: [&str; 11] =
    ["virtio_pci", "virtio_console", "virtio_blk", "nvme", "pvpanic-mmio", "button", "evdev", "usbhid", "hid-generic", "xhci-pci", "bochs"];
/// The boot loader's settings.
fn boot_settings() -> String {
    format!("DEFAULT linux\nPROMPT 0\nLABEL linux\n  KERNEL vmlinuz\n  INITRD initrd\n  APPEND console=ttyS0 quiet tsc=reliable {CHEAP}\n")
}

/// FAT, big enough for kernel and initramfs.
const MEBIBYTES: u32 = 64;

/// Makes a disk for every cartridge that the settings name, below `output`, and returns the folder of cartridges.
/// The first is kept as QCOW2, the others raw.
///
/// # Errors
/// When a tool fails.
pub(crate) fn build(output: &Path, debian: &Debian, guest: &Path, settings: &Settings, log: &Log) -> Result<PathBuf> {
    let folder = output.join("cartridges");
    let identities = identities(settings);
    let program = folders::fingerprint_file(guest)?;
    let recipe = format!("{}{program:016x}\n{DRIVERS:?} {MEBIBYTES} {}\n{identities:?}\n", debian.recipe, boot_settings());
    if folders::is_current(&folder, &recipe) {
        return Ok(folder);
    }
    log.step("making the cartridges");
    folders::forget_recipe(&folder);
    if folder.exists() {
        fs::remove_dir_all(&folder).context(|| format!("removing {}", folder.display()))?;
    }
    let version = debian.kernel_version()?;
    let drivers = drivers(debian, &version)?;
    let init = stripped(guest)?;
    for (number, identity) in identities.iter().enumerate() {
        let cartridge = folder.join(&identity.name);
        let raw = cartridge.join("disk.raw");
        let initrd = cartridge.join("initrd");
        write(&initrd, initramfs(&init, &drivers, identity)?, 0o644)?;
        // The guest's firmware reads slowly in a nested machine, its kernel unpacks fast.
        write(&initrd, Tool::new("zstd").args(["-12", "-qc"]).arg(&initrd).bytes()?, 0o644)?;
        make_disk(&raw, &debian.kernel(&version), &cartridge)?;
        fs::remove_file(cartridge.join("initrd")).context(|| "tidying a cartridge".to_owned())?;
        if number == 0 {
            let convert = Tool::new("qemu-img").args(["convert", "-f", "raw", "-O", "qcow2"]);
            convert.arg(&raw).arg(cartridge.join("disk.qcow2")).run()?;
            fs::remove_file(&raw).context(|| "tidying a cartridge".to_owned())?;
        }
    }
    folders::keep_recipe(&folder, &recipe)?;
    Ok(folder)
}

/// A program without the symbols that only a debugger reads: most of an unoptimised build.
///
/// # Errors
/// When strip fails.
pub(crate) fn stripped(program: &Path) -> Result<Vec<u8>> {
    let stripped = tempfile::NamedTempFile::new().context(|| format!("stripping {}", program.display()))?;
    Tool::new("strip").args(["--strip-all", "-o"]).arg(stripped.path()).arg(program).run()?;
    fs::read(stripped.path()).context(|| format!("reading what is left of {}", program.display()))
}

fn identities(settings: &Settings) -> Vec<Identity> {
    let identity = |persona: &Persona| match &persona.starts {
        Starts::Legion(legion) => Some(Identity {
            name: legion.cartridge.clone(),
            title: persona.title.clone(),
            tagline: persona.tagline.clone(),
            accent: format!("#{:02x}{:02x}{:02x}", persona.accent.red, persona.accent.green, persona.accent.blue),
        }),
        _ => None,
    };
    settings.personas.iter().filter_map(identity).collect()
}

/// The drivers and all they need, in the order in which they can be loaded.
fn drivers(debian: &Debian, version: &str) -> Result<Vec<PathBuf>> {
    let folder = debian.modules(version);
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read_to_string(&path).context(|| format!("reading {}", path.display()))
    };
    let (index, built_in) = (read("modules.dep")?, read("modules.builtin")?);
    let needs: Vec<(&str, Vec<&str>)> = index
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(module, needed)| (module, needed.split_whitespace().collect()))
        .collect();
    let mut order: Vec<&str> = Vec::new();
    for driver in DRIVERS {
        let Some((module, needed)) = needs.iter().find(|(module, _)| is_module(module, driver)) else {
            if built_in.lines().any(|module| is_module(module, driver)) {
                continue;
            }
            return Err(Error::new(format!("the kernel in {} has no module {driver}", folder.display())));
        };
        // modules.dep lists the nearest first.
        for path in needed.iter().rev().chain([module]) {
            if !order.contains(path) {
                order.push(path);
            }
        }
    }
    Ok(order.into_iter().map(|path| folder.join(path)).collect())
}

/// Whether this is the module's file, compressed or not.
fn is_module(path: &str, name: &str) -> bool {
    path.rsplit('/').next().and_then(|file| file.split_once(".ko")).is_some_and(|(stem, _)| stem == name)
}

/// A module as the kernel loads it without help. Unpacked here: the guest's processor is emulated twice.
fn unpacked(module: &Path) -> Result<Vec<u8>> {
    let unpack = match module.extension().and_then(|ending| ending.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => return fs::read(module).context(|| format!("reading {}", module.display())),
    };
    Tool::new(unpack).args(["-dcq"]).arg(module).bytes()
}

fn initramfs(init: &[u8], drivers: &[PathBuf], identity: &Identity) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    archive.file("/init", 0o755, init);
    for folder in ["/dev", "/proc", "/sys"] {
        archive.folder(folder);
    }
    archive.file(IDENTITY_FILE, 0o644, &serde_json::to_vec(identity).context(|| "writing a cartridge's identity".to_owned())?);
    for (number, driver) in drivers.iter().enumerate() {
        let name = driver.file_name().unwrap_or_default().to_string_lossy();
        let name = name.split_once(".ko").map_or(name.as_ref(), |(stem, _)| stem);
        archive.file(&format!("/drivers/{number:02}-{name}.ko"), 0o644, &unpacked(driver)?);
    }
    Ok(archive.finish())
}

/// A FAT file system on the whole disk, with syslinux in its boot sector: nothing is mounted, nobody need be root.
fn make_disk(disk: &Path, kernel: &Path, cartridge: &Path) -> Result<()> {
    let doing = || format!("making {}", disk.display());
    fs::File::create(disk).context(doing)?.set_len(u64::from(MEBIBYTES) << 20).context(doing)?;
    let config = cartridge.join("syslinux.cfg");
    write(&config, boot_settings(), 0o644)?;
    // 64 heads of 32 sectors make a cylinder a mebibyte.
    let format = ["-t", &MEBIBYTES.to_string(), "-h", "64", "-s", "32", "-c", "64"].map(str::to_owned);
    Tool::new("mformat").arg("-i").arg(disk).args(format).arg("::").run()?;
    for (file, name) in [(kernel, "vmlinuz"), (&cartridge.join("initrd"), "initrd"), (&config, "syslinux.cfg")] {
        Tool::new("mcopy").arg("-i").arg(disk).arg(file).arg(format!("::{name}")).run()?;
    }
    fs::remove_file(&config).context(doing)?;
    Tool::new("syslinux").arg("--install").arg(disk).run()
}
