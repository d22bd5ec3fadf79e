//! The QEMU that plays the machine: the one of the suite that is in it, run from its tree. So the emulator is the same on every host, and
//! a newer one is also faster (QEMU 10.0 boots the machine in three quarters of the time that 7.2 takes). Only a machine with windows
//! is played by the host's QEMU: the tree has no toolkit.

use crate::debian::Debian;
use persona::error::{Error, Result};
use std::path::PathBuf;
use std::process::Command;

/// How to start QEMU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Emulator {
    /// The program and the arguments that come before QEMU's own.
    argv: Vec<String>,
    /// Where it finds its modules, if not where it was built for.
    modules: Option<PathBuf>,
}

impl Emulator {
    /// The QEMU of a tree, by the tree's own loader and libraries.
    pub(crate) fn of(debian: &Debian) -> Self {
        let at = |path: &str| debian.tree.join(path).display().to_string();
        let loader = [at("usr/lib64/ld-linux-x86-64.so.2"), "--library-path".to_owned(), at("usr/lib/x86_64-linux-gnu")];
        let mut argv = Vec::new();
        // QEMU 11.1's main loop waits with io_uring, which spends half of a processor in the kernel while the machine computes.
        // Without io_uring it waits as older ones do.
        if debian.tree.join("usr/bin/enosys").exists() {
            argv.extend(loader.clone());
            argv.extend([at("usr/bin/enosys"), "--syscall".to_owned(), "io_uring_setup".to_owned()]);
        }
        argv.extend(loader);
        argv.extend(["--argv0".to_owned(), "qemu-system-x86_64".to_owned(), at("usr/bin/qemu-system-x86_64")]);
        argv.extend(["-L".to_owned(), at("usr/share/qemu"), "-L".to_owned(), at("usr/share/seabios")]);
        Self { argv, modules: Some(debian.tree.join("usr/lib/x86_64-linux-gnu/qemu")) }
    }

    /// The QEMU of this host.
    pub(crate) fn of_host() -> Self {
        Self { argv: vec!["qemu-system-x86_64".to_owned()], modules: None }
    }

    /// A command that runs it and ends with the bench: whatever becomes of that, no QEMU stays behind.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).args(&self.argv);
        if let Some(modules) = &self.modules {
            command.env("QEMU_MODULE_DIR", modules);
        }
        command
    }

    /// What it says of its version.
    ///
    /// # Errors
    /// When it cannot be run.
    pub(crate) fn version(&self) -> Result<String> {
        let output = self.command().arg("--version").output().map_err(|error| Error::caused_by("asking QEMU for its version", error))?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr);
            return Err(
                Error::new(format!("QEMU cannot be run ({}): {}", output.status, told.trim())).with_hint("`make setup` installs it")
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
    }
}
