//! What is put on top of the Debian tree: Persona as `make install` installs it, and the bench's own files.

use crate::binaries::Binaries;
use crate::cartridge::stripped;
use crate::folders;
use crate::suite::Suite;
use crate::tool::Tool;
use persona::error::{Context, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Makes the overlay anew.
///
/// # Errors
/// When `make install` fails or a file cannot be written.
pub(crate) fn build(output: &Path, suite: Suite, binaries: &Binaries, settings: &str, public_key: &str) -> Result<PathBuf> {
    let overlay = output.join("overlay");
    if overlay.exists() {
        fs::remove_dir_all(&overlay).context(|| format!("removing {}", overlay.display()))?;
    }
    let bench = folders::bench().join("overlay");
    Tool::new("cp").args(["-r", "--preserve=mode", "-T"]).arg(bench).arg(&overlay).run()?;
    install_persona(&overlay, binaries)?;
    for (program, name) in [(&binaries.probe, "probe"), (&binaries.pad, "pad"), (&binaries.crowd, "crowd")] {
        write(&overlay.join("usr/lib/machine").join(name), stripped(program)?, 0o755)?;
    }
    write(&overlay.join("etc/persona/persona.toml"), settings, 0o644)?;
    write(&overlay.join("root/.ssh/authorized_keys"), public_key, 0o600)?;
    write(&overlay.join("etc/ssh/sshd_config.d/suite.conf"), suite.sshd_settings(), 0o644)?;
    for folder in ["root", "root/.ssh"] {
        let folder = overlay.join(folder);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).context(|| format!("closing {}", folder.display()))?;
    }
    Ok(overlay)
}

fn install_persona(overlay: &Path, binaries: &Binaries) -> Result<()> {
    let assign = |name: &str, path: &Path| format!("{name}={}", path.display());
    let make = Tool::new("make").arg("-sC").arg(folders::repository()).arg("install-program");
    make.arg(assign("BINARY", &binaries.persona)).arg(assign("DESTDIR", overlay)).run()
}

/// Writes a file and makes its folders.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write(path: &Path, contents: impl AsRef<[u8]>, mode: u32) -> Result<()> {
    let doing = || format!("writing {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).context(doing)?;
    }
    fs::write(path, contents).context(doing)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).context(doing)
}

/// Makes a folder and those above it.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).context(|| format!("making {}", folder.display()))
}

/// The overlay's units that ask to be enabled.
///
/// # Errors
/// When a unit cannot be read.
pub(crate) fn units_to_enable(overlay: &Path) -> Result<Vec<String>> {
    let folder = overlay.join("usr/lib/systemd/system");
    let doing = || format!("reading {}", folder.display());
    let mut units = Vec::new();
    for entry in fs::read_dir(&folder).context(doing)? {
        let entry = entry.context(doing)?;
        if entry.path().is_file() && fs::read_to_string(entry.path()).context(doing)?.contains("[Install]") {
            units.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    units.sort();
    Ok(units)
}
