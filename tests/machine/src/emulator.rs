//! The QEMU that plays the machine: this host's if it is recent, or else one of a newer Debian, unpacked once beside the images.
//!
//! The emulated processor's virtualisation, in which legion runs, is what an old QEMU breaks: with 7.2 (Debian 12) now and then the
//! machine's kernel dies, the machine resets itself, or a nested guest turns for ever in its firmware. With 10.0 none of it was seen.

use crate::folders;
use crate::log::Log;
use crate::tool::Tool;
use nix::fcntl::{Flock, FlockArg};
use persona::error::{Context, Error, Result};
use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

const QEMU: &str = "qemu-system-x86_64";
/// The first major version that is trusted with nested guests.
const TRUSTED: u32 = 10;
/// A Debian with such a one.
const SUITE: &str = "trixie";

/// Where QEMU is.
#[derive(Debug, Clone)]
pub(crate) enum Emulator {
    /// In this host's `PATH`.
    Host,
    /// In a tree of Debian packages, with the libraries it needs.
    Tree(PathBuf),
}

impl Emulator {
    /// This host's QEMU, or one that is brought into `target/machine/qemu`.
    ///
    /// # Errors
    /// When this host has no QEMU, or an old one and the packages cannot be had.
    pub(crate) fn find(log: &Log) -> Result<Self> {
        let told = Tool::new(QEMU).arg("--version").output()?;
        let version = major_version(&told).ok_or_else(|| Error::new(format!("understanding the version of {QEMU}: {}", told.trim())))?;
        // Hosts without mmdebstrap (Arch) have a recent QEMU, or keep the one they have.
        if version >= TRUSTED || !Tool::exists("mmdebstrap") {
            return Ok(Self::Host);
        }
        let output = folders::output()?;
        let lock = File::create(output.join("qemu.lock")).doing(|| format!("writing to {}", output.display()))?;
        let waiting = |(_, errno)| Error::because("waiting for another QEMU to be unpacked", errno);
        let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(waiting)?;
        let tree = output.join("qemu");
        if !folders::is_current(&tree, SUITE) {
            log.step(format!("QEMU {version} breaks nested guests: unpacking one of Debian {SUITE} (once; downloads about 50 MB)"));
            folders::forget_recipe(&tree);
            Tool::new("rm").args(["-rf", "--one-file-system", "--"]).arg(&tree).by_root().run()?;
            let options = ["--quiet", "--variant=extract", "--aptopt=APT::Install-Recommends \"false\"", "--include=qemu-system-x86"];
            Tool::new("mmdebstrap").args(options).arg(SUITE).arg(&tree).by_root().run()?;
            folders::keep_recipe(&tree, SUITE)?;
        }
        Ok(Self::Tree(tree))
    }

    /// QEMU, to be given arguments. It does not outlive the caller: whatever becomes of the bench, no QEMU stays behind.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        match self {
            Self::Host => {
                command.arg(QEMU);
            }
            // By the tree's own loader: this host's C library is older than the one it was linked with.
            Self::Tree(tree) => {
                let at = |path: &str| tree.join(path);
                let libraries = "usr/lib/x86_64-linux-gnu";
                command.arg(at("usr/lib64/ld-linux-x86-64.so.2")).arg("--library-path").arg(at(libraries));
                command.arg(at("usr/bin").join(QEMU));
                for data in ["usr/share/qemu", "usr/share/seabios"] {
                    command.arg("-L").arg(at(data));
                }
                command.env("QEMU_MODULE_DIR", at(libraries).join("qemu"));
            }
        }
        command
    }
}

fn major_version(told: &str) -> Option<u32> {
    told.strip_prefix("QEMU emulator version ")?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_qemu_says_of_itself() {
        assert_eq!(major_version("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright"), Some(7));
        assert_eq!(major_version("QEMU emulator version 10.1.0\n"), Some(10));
        assert_eq!(major_version("command not found"), None);
    }

    #[test]
    fn a_tree_runs_its_own_libraries_and_data() {
        let command = Emulator::Tree(PathBuf::from("/t")).command();
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        assert_eq!(
            words[2..6],
            ["/t/usr/lib64/ld-linux-x86-64.so.2", "--library-path", "/t/usr/lib/x86_64-linux-gnu", "/t/usr/bin/qemu-system-x86_64"]
        );
    }
}
