//! What the bench needs of the host.

use crate::log::Log;
use crate::tool::Tool;
use persona::error::{Error, Result};
use persona::legion::cartridge::Firmware;
use persona::sys::paths::Paths;

/// A program that the bench runs, and the packages that bring it on Debian and on Arch.
struct Need {
    program: &'static str,
    debian: &'static str,
    arch: &'static str,
}

/// UEFI firmware is no program, and lies elsewhere on each distribution.
const FIRMWARE: &str = "UEFI firmware (OVMF)";
/// The size of its variables, in bytes, in the flavour that the tests start.
const FIRMWARE_VARIABLES: u64 = 540_672;

const NEEDS: [Need; 21] = [
    Need { program: FIRMWARE, debian: "ovmf", arch: "edk2-ovmf" },
    Need { program: "qemu-system-x86_64", debian: "qemu-system-x86", arch: "qemu-system-x86" },
    Need { program: "qemu-img", debian: "qemu-utils", arch: "qemu-img" },
    Need { program: "swtpm", debian: "swtpm", arch: "swtpm" },
    Need { program: "mmdebstrap", debian: "mmdebstrap", arch: "debootstrap debian-archive-keyring" },
    Need { program: "mke2fs", debian: "e2fsprogs", arch: "e2fsprogs" },
    Need { program: "mformat", debian: "mtools", arch: "mtools" },
    Need { program: "syslinux", debian: "syslinux syslinux-common", arch: "syslinux" },
    Need { program: "ssh", debian: "openssh-client", arch: "openssh" },
    Need { program: "ssh-keygen", debian: "openssh-client", arch: "openssh" },
    Need { program: "cpio", debian: "cpio", arch: "cpio" },
    Need { program: "zstd", debian: "zstd", arch: "zstd" },
    Need { program: "readelf", debian: "binutils", arch: "binutils" },
    Need { program: "strace", debian: "strace", arch: "strace" },
    Need { program: "xz", debian: "xz-utils", arch: "xz" },
    Need { program: "setpriv", debian: "util-linux", arch: "util-linux" },
    Need { program: "make", debian: "make", arch: "make" },
    Need { program: "cc", debian: "gcc libc6-dev", arch: "gcc" },
    Need { program: "bash", debian: "bash", arch: "bash" },
    Need { program: "zsh", debian: "zsh", arch: "zsh" },
    Need { program: "fish", debian: "fish", arch: "fish" },
];

/// Installs what the bench needs and this host lacks, by the host's package manager.
///
/// # Errors
/// When the host is neither a Debian nor an Arch, or the package manager fails.
pub fn install_what_is_lacking(log: &Log) -> Result<()> {
    let debian = Tool::exists("apt-get");
    if !debian && !Tool::exists("pacman") {
        let programs: Vec<&str> = NEEDS.iter().map(|need| need.program).collect();
        return Err(
            Error::new("this host has neither apt-get nor pacman").with_hint(format!("install these yourself: {}", programs.join(", ")))
        );
    }
    let lacking = |need: &&Need| !is_there(need, debian);
    let packages: Vec<&str> =
        NEEDS.iter().filter(lacking).flat_map(|need| if debian { need.debian } else { need.arch }.split(' ')).collect();
    if packages.is_empty() {
        log.step("this host has all that the test machine needs");
        return Ok(());
    }
    let _progress = log.long(format!("installing {}", packages.join(" ")));
    if debian { apt_install(&packages, log) } else { pacman_install(&packages) }
}

/// A host with debootstrap needs no mmdebstrap.
fn is_there(need: &Need, debian: bool) -> bool {
    if need.program == FIRMWARE {
        return Firmware::find(&Paths::new("/", None), FIRMWARE_VARIABLES, false).is_ok();
    }
    Tool::exists(need.program) || (!debian && need.program == "mmdebstrap" && Tool::exists("debootstrap"))
}

fn pacman_install(packages: &[&str]) -> Result<()> {
    Tool::new("pacman").args(["-S", "--needed", "--noconfirm"]).args(packages).by_root().run()
}

fn apt_install(packages: &[&str], log: &Log) -> Result<()> {
    let apt = |arguments: &[&str]| {
        let quiet = ["DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y", "--no-install-recommends", "--no-remove"];
        Tool::new("env").args(quiet).args(arguments).by_root()
    };
    // An old list may name packages that the mirror has replaced; a list that cannot be had may still serve.
    if let Err(error) = apt(&["update"]).run() {
        log.step(format!("the package lists could not be refreshed: {error}"));
    }
    let install: Vec<&str> = ["install"].iter().chain(packages).copied().collect();
    let Err(first) = apt(&install).run() else { return Ok(()) };
    if !packages.contains(&"qemu-system-x86") {
        return Err(first);
    }
    // A newer qemu-utils (from backports) stands in the way of the suite's QEMU: both from one suite, none removed.
    log.step("installing failed; trying with qemu-utils of the same version as QEMU");
    let version = candidate("qemu-system-x86")?;
    let utils = format!("qemu-utils={version}");
    let install: Vec<&str> = ["install", "--allow-downgrades", &utils].iter().chain(packages).copied().collect();
    apt(&install).run().map_err(|second| Error::caused_by(format!("installing {} ({first})", packages.join(" ")), second))
}

/// The version of a package that apt would install.
fn candidate(package: &str) -> Result<String> {
    let policy = Tool::new("apt-cache").args(["policy", package]).output()?;
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
    version.map(str::to_owned).ok_or_else(|| Error::new(format!("apt knows no version of {package}")))
}
