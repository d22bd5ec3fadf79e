//! The programs under test and the bench's helpers, as users build them.

use crate::folders;
use crate::log::Log;
use persona::error::{Context, Error, Result};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Static programs, ready to be copied into a guest.
#[derive(Debug)]
pub(crate) struct Binaries {
    pub(crate) persona: PathBuf,
    pub(crate) probe: PathBuf,
    pub(crate) pad: PathBuf,
    pub(crate) crowd: PathBuf,
    pub(crate) cartridge_guest: PathBuf,
}

/// Builds them.
///
/// # Errors
/// When cargo fails; what it says goes to stderr.
pub(crate) fn build(log: &Log) -> Result<Binaries> {
    log.step("building persona and the helpers");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["build", "--release", "--quiet", "--message-format=json", "-p", "persona", "-p", "persona-machine"];
    let output = Command::new(cargo)
        .args(arguments)
        .args(["--bin", "persona", "--bin", "probe", "--bin", "pad", "--bin", "crowd", "--bin", "cartridge-guest"])
        .current_dir(folders::repository())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .doing(|| "running cargo".to_owned())?;
    if !output.status.success() {
        return Err(Error::new(format!("cargo could not build the programs for the machine ({})", output.status)));
    }
    let messages: Vec<Value> = output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let find = |name: &str| {
        let artifact = messages.iter().rfind(|message| message["target"]["name"] == name && message["executable"].is_string());
        let path = artifact.and_then(|message| message["executable"].as_str()).map(PathBuf::from);
        path.ok_or_else(|| Error::new(format!("cargo built no program {name}")))
    };
    Ok(Binaries {
        persona: find("persona")?,
        probe: find("probe")?,
        pad: find("pad")?,
        crowd: find("crowd")?,
        cartridge_guest: find("cartridge-guest")?,
    })
}
