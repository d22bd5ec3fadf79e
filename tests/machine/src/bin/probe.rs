//! Runs in the test machine: executes the shell scripts that the bench sends over virtio-serial and answers with what
//! they wrote and how they ended.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use persona_machine::wire::{Message, PROBE_PORT, Request, WATCHED};
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};

/// What changes without a file that changes is looked at so often: a script costs an emulated processor some 20 ms.
const LOOK_AGAIN: Duration = Duration::from_millis(400);
/// Several changes that follow each other are one.
const SETTLE: Duration = Duration::from_millis(40);
/// The pause before the port is read again while no bench is connected.
const NOT_CONNECTED: Duration = Duration::from_millis(50);

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
    let mut received = Vec::new();
    let mut part = [0; 4096];
    loop {
        match port.read(&mut part) {
            // No bench is connected: the machine is being saved, or was restored just now.
            Ok(0) => std::thread::sleep(NOT_CONNECTED),
            Ok(length) => received.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        while let Some(end) = received.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = received.drain(..=end).collect();
            // What was under way when the machine was reset may come first.
            let Ok(request) = serde_json::from_slice::<Request>(&line) else { continue };
            let output = execute(&request)?;
            let status = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0));
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            send(&mut port, &Message::Done { id: request.id, status, stdout: text(&output.stdout), stderr: text(&output.stderr) })?;
        }
    }
}

/// Runs the script once, or until it succeeds or its time is over: then the last run counts.
fn execute(request: &Request) -> Result<Output, Box<dyn Error>> {
    let run = || Command::new("sh").args(["-c", &request.run]).stdin(Stdio::null()).output();
    let Some(seconds) = request.until_s else { return Ok(run()?) };
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let changes = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    let kinds = AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_MODIFY
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_MOVED_FROM;
    loop {
        // A folder may come into being only now. What changes while the script runs is seen after it.
        for folder in WATCHED {
            let _ = changes.add_watch(folder, kinds);
        }
        let output = run()?;
        if output.status.success() || Instant::now() >= deadline {
            return Ok(output);
        }
        let mut ready = [PollFd::new(changes.as_fd(), PollFlags::POLLIN)];
        let left = deadline.saturating_duration_since(Instant::now()).min(LOOK_AGAIN);
        if poll(&mut ready, PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO)).is_ok_and(|count| count > 0) {
            std::thread::sleep(SETTLE);
            while changes.read_events().is_ok_and(|events| !events.is_empty()) {}
        }
    }
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
