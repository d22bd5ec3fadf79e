//! Runs in the test machine: executes the shell scripts that the bench sends over virtio-serial and answers with what
//! they wrote and how they ended.

use persona_machine::wire::{Message, PROBE_PORT, Request};
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "probe: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Box<dyn Error>> {
    let mut port = OpenOptions::new().read(true).write(true).open(find_port()?)?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
    send(&mut port, &Message::Hello { boot })?;
    for line in BufReader::new(port.try_clone()?).lines() {
        // What was under way when the machine was reset may come first.
        let Ok(Request { id, run }) = serde_json::from_str(&line?) else { continue };
        let output = Command::new("sh").args(["-c", &run]).stdin(Stdio::null()).output()?;
        let status = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        send(&mut port, &Message::Done { id, status, stdout: text(&output.stdout), stderr: text(&output.stderr) })?;
    }
    Ok(())
}

/// The port's node, by the name that QEMU gave it: udev may not have made its link yet.
fn find_port() -> Result<PathBuf, Box<dyn Error>> {
    for entry in fs::read_dir("/sys/class/virtio-ports")? {
        let entry = entry?;
        if fs::read_to_string(entry.path().join("name")).is_ok_and(|name| name.trim() == PROBE_PORT) {
            return Ok(PathBuf::from("/dev").join(entry.file_name()));
        }
    }
    Err(format!("there is no virtio-serial port {PROBE_PORT}").into())
}

fn send(port: &mut File, message: &Message) -> Result<(), Box<dyn Error>> {
    let mut line = serde_json::to_string(message)?;
    line.push('\n');
    port.write_all(line.as_bytes())?;
    Ok(())
}
