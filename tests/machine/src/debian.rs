//! The distribution in the machine: a Debian tree, made once.

use crate::folders;
use crate::log::Log;
use crate::suite::Suite;
use crate::tool::Tool;
use persona::error::Result;
use std::path::{Path, PathBuf};

/// debootstrap, unlike mmdebstrap, must be told where Debian is.
const MIRROR: &str = "http://deb.debian.org/debian";

const PACKAGES: [&str; 23] = [
    "systemd",
    "systemd-sysv",
    "udev",
    "kmod",
    "dbus-broker",
    "libpam-systemd",
    "linux-image-amd64",
    "qemu-system-x86",
    "qemu-utils",
    "swtpm",
    "ovmf",
    "openssh-server",
    "iproute2",
    "busybox-static",
    "e2fsprogs",
    "libdrm-tests",
    "cpio",
    "zstd",
    "procps",
    "util-linux",
    // One of Persona's backends, and what the benchmarks compare with. Their services are not installed.
    "libvirt-clients",
    "libvirt-daemon",
    "driverctl",
];

/// Left out: documentation, and drivers of hardware that QEMU does not play. They are most of the tree.
const LEFT_OUT: [&str; 4] = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*"];

/// The same below the kernel's modules. Up to Debian 12 a package names the folder without `/usr`.
const LEFT_OUT_MODULES: [&str; 10] = [
    "sound",
    "drivers/media",
    "drivers/net/wireless",
    "drivers/net/ethernet",
    "drivers/infiniband",
    "drivers/iio",
    "drivers/isdn",
    "drivers/staging",
    "drivers/scsi/*",
    "net/wireless",
];

/// Packs the kernel modules of the tree `$1` with zstd, as Arch does: an emulated processor unpacks that several times as fast as xz.
const REPACK: &str = r#"
cd "$1/usr/lib/modules"
find . -name '*.ko.xz' -print0 | xargs -0 -r -n 64 -P 2 xz -d
find . -name '*.ko' -print0 | xargs -0 -r -n 64 -P 2 zstd -q --rm
for version in *; do chroot "$1" depmod "$version"; done"#;

/// Patterns for dpkg's `path-exclude`.
fn left_out() -> Vec<String> {
    let modules = ["/lib", "/usr/lib"]
        .into_iter()
        .flat_map(|library| LEFT_OUT_MODULES.map(|folder| format!("{library}/modules/*/kernel/{folder}/*")));
    LEFT_OUT.map(str::to_owned).into_iter().chain(modules).collect()
}

/// The tree, as a folder owned by root, and what identifies it.
#[derive(Debug)]
pub(crate) struct Debian {
    pub(crate) tree: PathBuf,
    pub(crate) recipe: String,
}

/// Makes the suite's tree below `output`, unless it is there already.
///
/// # Errors
/// When the packages cannot be had.
pub(crate) fn tree(output: &Path, suite: Suite, log: &Log) -> Result<Debian> {
    let tree = output.join("debian");
    let packages = [&PACKAGES, suite.packages()].concat();
    let recipe = format!("{}\n{}\n{}\n{REPACK}\n", suite.name(), packages.join("\n"), left_out().join("\n"));
    if !folders::is_current(&tree, &recipe) {
        let progress = log.long(format!("making a tree of Debian {} (once, 1 to 4 minutes; downloads about 200 MB)", suite.name()));
        folders::forget_recipe(&tree);
        Tool::new("rm").args(["-rf", "--one-file-system", "--"]).arg(&tree).by_root().run()?;
        bootstrap(&tree, suite, &packages)?;
        repack_modules(&tree)?;
        folders::keep_recipe(&tree, &recipe)?;
        drop(progress);
        log.step("the Debian tree is there");
    }
    Ok(Debian { tree, recipe })
}

fn bootstrap(tree: &Path, suite: Suite, packages: &[&str]) -> Result<()> {
    let packages = format!("--include={}", packages.join(","));
    // INITRD=No: the image is made by our own hooks.
    if Tool::exists("mmdebstrap") {
        let without = left_out().into_iter().map(|pattern| format!("--dpkgopt=path-exclude={pattern}"));
        let options = ["INITRD=No", "mmdebstrap", "--quiet", "--variant=minbase"];
        // A mirror may be a copy whose release files have expired.
        let apt = ["APT::Install-Recommends \"false\"", "Acquire::Check-Valid-Until \"false\""].map(|option| format!("--aptopt={option}"));
        Tool::new("env").args(options).args(apt).arg(packages).args(without).arg(suite.name()).arg(tree).by_root().run()
    } else {
        let options = ["INITRD=No", "debootstrap", "--variant=minbase"];
        Tool::new("env").args(options).arg(packages).arg(suite.name()).arg(tree).arg(MIRROR).by_root().run()
    }
}

fn repack_modules(tree: &Path) -> Result<()> {
    Tool::new("sh").args(["-ec", REPACK, "sh"]).arg(tree).by_root().run()
}

impl Debian {
    /// The version of the tree's kernel.
    ///
    /// # Errors
    /// When the tree has none.
    pub(crate) fn kernel_version(&self) -> Result<String> {
        use persona::error::{Context, Error};
        let folder = self.tree.join("usr/lib/modules");
        let doing = || format!("looking for a kernel in {}", folder.display());
        let mut versions = Vec::new();
        for entry in std::fs::read_dir(&folder).context(doing)? {
            versions.push(entry.context(doing)?.file_name().to_string_lossy().into_owned());
        }
        versions.into_iter().max().ok_or_else(|| Error::new(doing()))
    }

    /// Its kernel.
    pub(crate) fn kernel(&self, version: &str) -> PathBuf {
        self.tree.join("boot").join(format!("vmlinuz-{version}"))
    }

    /// Its kernel modules.
    pub(crate) fn modules(&self, version: &str) -> PathBuf {
        self.tree.join("usr/lib/modules").join(version)
    }
}
