//! QEMU's monitor, QMP.

use persona::error::{Context, Error, Result};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// QEMU answers at once, or it is not well.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A connection to a running QEMU.
#[derive(Debug)]
pub struct Qmp {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
    /// How often the machine has reset since this connection.
    resets: u32,
}

impl Qmp {
    /// Connects and negotiates.
    ///
    /// # Errors
    /// When nobody listens there, or it is not QEMU.
    pub fn connect(socket: &Path) -> Result<Self> {
        let doing = || format!("connecting to QEMU's monitor {}", socket.display());
        let writer = UnixStream::connect(socket).context(doing)?;
        writer.set_read_timeout(Some(TIMEOUT)).context(doing)?;
        let reader = BufReader::new(writer.try_clone().context(doing)?);
        let mut qmp = Self { reader, writer, resets: 0 };
        qmp.receive()?;
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// How often the machine has reset since this connection, as far as QEMU has told.
    pub(crate) fn resets(&mut self) -> u32 {
        // What QEMU has to tell comes before the answer.
        let _ = self.execute("query-status", json!({}));
        self.resets
    }

    /// Executes a command and returns what it returns. Of events that come meanwhile, only resets are noted.
    ///
    /// # Errors
    /// QEMU's, or the connection's.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let request = json!({ "execute": command, "arguments": arguments });
        // In one piece: QEMU does what it is asked at the closing brace, and may be gone before a line end that comes later.
        self.writer.write_all(format!("{request}\n").as_bytes()).context(|| format!("asking QEMU to {command}"))?;
        loop {
            let mut answer = self.receive().map_err(|error| Error::caused_by(format!("asking QEMU to {command}"), error))?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = answer.get("error") {
                return Err(Error::new(format!("QEMU could not {command}: {}", error["desc"].as_str().unwrap_or("no reason given"))));
            }
        }
    }

    fn receive(&mut self) -> Result<Value> {
        let mut line = String::new();
        let length = self.reader.read_line(&mut line).context(|| "reading from QEMU".to_owned())?;
        if length == 0 {
            return Err(Error::new("QEMU has gone away"));
        }
        let message: Value = serde_json::from_str(&line).context(|| format!("understanding QEMU's {line:?}"))?;
        if message["event"] == "RESET" {
            self.resets += 1;
        }
        Ok(message)
    }
}
