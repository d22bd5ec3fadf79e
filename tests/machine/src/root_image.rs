//! The machine's disk: the Debian tree with the overlay on top, in an ext4 image made without mounting anything.

use crate::debian::Debian;
use crate::folders;
use crate::log::Log;
use crate::overlay;
use crate::tool::Tool;
use persona::error::{Context, Result};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Sparse; the tree takes a quarter of it.
const SIZE: u64 = 3 << 30;

/// With a journal: its power is cut now and then.
const FILE_SYSTEM: [&str; 11] = ["-q", "-F", "-t", "ext4", "-J", "size=16", "-m", "0", "-E", "lazy_itable_init=1,root_owner=0:0", "-d"];

/// Units of Debian that only cost a test machine time. An image for one test is not asked to look after itself, and what nothing in it
/// uses need not be mounted.
const MASKED: [&str; 36] = [
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "ldconfig.service",
    "libvirt-guests.service",
    "libvirtd.service",
    "libvirtd.socket",
    "libvirtd-ro.socket",
    "libvirtd-admin.socket",
    "modprobe@configfs.service",
    "modprobe@drm.service",
    "modprobe@fuse.service",
    "run-lock.mount",
    "sys-fs-fuse-connections.mount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-boot-random-seed.service",
    "systemd-journal-catalog-update.service",
    "systemd-logind.service",
    "systemd-network-generator.service",
    "systemd-networkd-persistent-storage.service",
    "systemd-networkd-wait-online.service",
    "systemd-pstore.service",
    "systemd-random-seed.service",
    "systemd-udev-load-credentials.service",
    "systemd-update-done.service",
    "tmp.mount",
    "virtlockd.socket",
    "virtlogd.service",
    "virtlogd.socket",
];

/// What systemd would make up at a first boot.
const MACHINE_ID: &str = "8cf2644b4b0b428f93876d876050dc67";

/// The tree with the overlay, and the disk image made from it.
#[derive(Debug)]
pub(crate) struct RootImage {
    /// The tree, also the system that the initramfs is made from.
    pub(crate) stage: PathBuf,
    /// The disk.
    pub(crate) image: PathBuf,
    /// What both were made from.
    pub(crate) recipe: String,
}

/// Makes stage and image, unless they are there already.
///
/// # Errors
/// When a tool fails.
pub(crate) fn build(output: &Path, debian: &Debian, overlay: &Path, log: &Log) -> Result<RootImage> {
    let (masked, made) = (MASKED.join("\n"), FILE_SYSTEM.join(" "));
    let recipe = format!("{}{:016x}\n{masked}\n{SIZE}\n{made}\n", debian.recipe, folders::fingerprint(overlay)?);
    let root = RootImage { stage: output.join("stage"), image: output.join("root.img"), recipe };
    if folders::is_current(&root.image, &root.recipe) && root.stage.is_dir() {
        return Ok(root);
    }
    folders::forget_recipe(&root.image);
    log.step("putting Persona into the tree");
    make_stage(debian, overlay, &root.stage)?;
    log.step("making the disk");
    make_image(&root.stage, &root.image)?;
    folders::keep_recipe(&root.image, &root.recipe)?;
    Ok(root)
}

fn make_stage(debian: &Debian, overlay: &Path, stage: &Path) -> Result<()> {
    Tool::new("rm").args(["-rf", "--one-file-system", "--"]).arg(stage).by_root().run()?;
    Tool::new("cp").args(["-a", "--reflink=auto", "-T"]).arg(&debian.tree).arg(stage).by_root().run()?;
    // Not -a: the files become root's.
    Tool::new("cp").args(["-r", "-P", "--preserve=mode", "-T"]).arg(overlay).arg(stage).by_root().run()?;
    let inside = |command: &str| Tool::new("chroot").arg(stage).args(command.split(' ')).by_root();
    inside("systemd-sysusers").run()?;
    // As `persona cartridge` makes them: root's alone.
    inside("chmod -R go= /var/lib/legion/cartridges").run()?;
    let units = overlay::units_to_enable(overlay)?.join(" ");
    // As if the machine had been on before: what systemd does at a first boot, or after an update, is done.
    Tool::new("sh").args(["-c", "echo $1 > $2", "sh", MACHINE_ID]).arg(stage.join("etc/machine-id")).by_root().run()?;
    // Names and quirks of hardware that is not in this machine, looked up for every device.
    inside("rm -f /usr/lib/udev/hwdb.bin /etc/udev/hwdb.bin").run()?;
    inside("touch /etc/.updated /var/.updated").run()?;
    inside(&format!("systemctl enable --quiet ssh.service systemd-networkd.service {units}")).run()?;
    inside(&format!("systemctl mask --quiet {}", MASKED.join(" "))).run()
}

fn make_image(stage: &Path, image: &Path) -> Result<()> {
    // Made by this user, so that it stays this user's when root fills it.
    let doing = || format!("making {}", image.display());
    File::create(image).doing(doing)?.set_len(SIZE).doing(doing)?;
    Tool::new("mke2fs").args(FILE_SYSTEM).arg(stage).arg(image).by_root().run()
}
