//! A person at the other end of the serial line.

use persona::error::{Context, Result};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// A terminal on the serial line.
pub struct SerialLine {
    keys: UnixStream,
    kept: PathBuf,
}

impl SerialLine {
    /// Takes the other end of a machine's serial line.
    ///
    /// # Errors
    /// When somebody has it already.
    pub(crate) fn connect(folder: &Path) -> Result<Self> {
        let doing = || "connecting to the serial line".to_owned();
        let keys = UnixStream::connect(folder.join("serial")).context(doing)?;
        let mut screen = keys.try_clone().context(doing)?;
        // QEMU keeps what is said; nobody is to wait because it is not read here.
        std::thread::spawn(move || std::io::copy(&mut screen, &mut std::io::sink()));
        Ok(Self { keys, kept: folder.join("serial.log") })
    }

    /// Types: characters, and escape sequences for the keys that have none.
    ///
    /// # Errors
    /// When the machine is off.
    pub fn type_in(&mut self, keys: &str) -> Result<()> {
        self.keys.write_all(keys.as_bytes()).context(|| "typing on the serial line".to_owned())
    }

    /// All that was said on the line since power-on, control characters included.
    ///
    /// # Errors
    /// When it was not kept.
    pub fn heard(&self) -> Result<String> {
        let bytes = std::fs::read(&self.kept).context(|| format!("reading {}", self.kept.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
