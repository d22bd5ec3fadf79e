//! The programs that are copied into a machine.

use crate::folders;
use crate::log::Log;
use persona::error::{Error, Result};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Static programs, ready to be copied into a guest.
#[derive(Debug)]
pub(crate) struct Binaries {
    /// The program under test, as `make install` installs it.
    pub(crate) persona: PathBuf,
    pub(crate) probe: PathBuf,
    pub(crate) pad: PathBuf,
    pub(crate) crowd: PathBuf,
    pub(crate) cartridge_guest: PathBuf,
}

/// Builds the program under test, and finds the test machine's helpers: cargo builds them together with the programs of this package.
///
/// # Errors
/// When make fails (what it says goes to stderr), or the helpers have not been built.
pub(crate) fn build(log: &Log) -> Result<Binaries> {
    let _progress = log.long("building persona");
    let status = Command::new("make")
        .args(["--silent", "--no-print-directory", "-C"])
        .arg(folders::repository())
        .arg("build")
        // A make that runs this one has a job server, which is not this one's.
        .env_remove("MAKEFLAGS")
        .stdin(Stdio::null())
        .status()
        .map_err(|error| Error::caused_by("running make build", error))?;
    if !status.success() {
        return Err(Error::new(format!("`make build` failed ({status})")).with_hint("look at what it printed above"));
    }
    let helpers = folders::programs()?;
    let helper = |name: &str| {
        let path = helpers.join(name);
        if path.is_file() {
            return Ok(path);
        }
        Err(Error::new(format!("there is no program {}", path.display())).with_hint("build it: cargo build -p persona-machine --bins"))
    };
    Ok(Binaries {
        persona: folders::target().join("x86_64-unknown-linux-gnu/release/persona"),
        probe: helper("probe")?,
        pad: helper("pad")?,
        crowd: helper("crowd")?,
        cartridge_guest: helper("cartridge-guest")?,
    })
}
