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

/// Generators of systemd that find nothing in this machine. Each is a program that every boot, and every `daemon-reload`, waits for.
const GENERATORS: [&str; 12] = [
    "systemd-cryptsetup-generator",
    "systemd-gpt-auto-generator",
    "systemd-hibernate-resume-generator",
    "systemd-import-generator",
    "systemd-integritysetup-generator",
    "systemd-rc-local-generator",
    "systemd-run-generator",
    "systemd-ssh-generator",
    "systemd-system-update-generator",
    "systemd-sysv-generator",
    "systemd-tpm2-generator",
    "systemd-veritysetup-generator",
];

/// udev's rules for hardware that is not in this machine.
const RULES: [&str; 16] = [
    "60-cdrom_id.rules",
    "60-dmi-id.rules",
    "60-fido-id.rules",
    "60-infiniband.rules",
    "60-persistent-alsa.rules",
    "60-persistent-storage-mtd.rules",
    "60-persistent-storage-tape.rules",
    "60-persistent-v4l.rules",
    "60-sensor.rules",
    "64-btrfs.rules",
    "70-camera.rules",
    "70-memory.rules",
    "75-probe_mtd.rules",
    "78-sound-card.rules",
    "90-iocost.rules",
    "96-e2scrub.rules",
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
    let made_of = [&MASKED[..], &GENERATORS, &RULES, &FILE_SYSTEM].concat().join(" ");
    let recipe = format!("{}{:016x}\n{made_of}\n{SIZE}\n", debian.recipe, folders::fingerprint(overlay)?);
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
    let hide = |folder: &str, names: &[&str]| {
        let script = r#"mkdir -p "$1"; cd "$1"; shift; for name; do ln -sf /dev/null "$name"; done"#;
        Tool::new("sh").args(["-ec", script, "sh"]).arg(stage.join(folder)).args(names).by_root().run()
    };
    hide("etc/systemd/system-generators", &GENERATORS)?;
    hide("etc/udev/rules.d", &RULES)?;
    inside("touch /etc/.updated /var/.updated").run()?;
    inside(&format!("systemctl enable --quiet ssh.service systemd-networkd.service {units}")).run()?;
    inside(&format!("systemctl mask --quiet {}", MASKED.join(" "))).run()
}

fn make_image(stage: &Path, image: &Path) -> Result<()> {
    // Made by this user, so that it stays this user's when root fills it.
    let doing = || format!("making {}", image.display());
    File::create(image).context(doing)?.set_len(SIZE).context(doing)?;
    Tool::new("mke2fs").args(FILE_SYSTEM).arg(stage).arg(image).by_root().run()
}
