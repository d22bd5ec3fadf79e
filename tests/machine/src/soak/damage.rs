//! What happens to a command: it is killed, its system calls fail, or its disk is full or read-only.

use super::bench::Bench;
use super::operation::Operation;
use super::random::Random;
use crate::tool::Tool;
use nix::mount::MsFlags;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::statvfs::statvfs;
use nix::unistd::Pid;
use persona::error::{Context, Error, Result};
use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The system calls that can fail. QEMU also writes to event counters, which cannot fail, and would wait for ever: `write` fails in `persona`
/// alone.
const CALLS: [&str; 13] = [
    WRITE,
    "pwrite64",
    "pwritev",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fallocate",
    "rename",
    "renameat2",
    "unlink",
    "mkdir",
    "symlink",
    "openat",
];
const WRITE: &str = "write";
/// How long processes of a killed command may take to be gone.
const LONGEST_END: Duration = Duration::from_secs(10);
/// How long a command may take, whatever fails.
const LONGEST: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    None,
    /// SIGKILL to `persona`, at a random instant.
    KillPersona,
    /// SIGKILL to the `qemu-img` that it runs.
    KillTool,
    /// SIGKILL to all of its processes at once, as when the machine loses power.
    KillAll,
    /// A system call fails with this error, the so many-th of its kind.
    Fails(&'static str),
    FullDisk,
    ReadOnlyDisk,
}

impl Damage {
    pub(super) fn random(bench: &Bench, operation: &Operation, random: &mut Random) -> Self {
        let kind = match random.below(20) {
            0 => Self::None,
            1..=6 => Self::KillPersona,
            7..=10 if operation.runs_tools() => Self::KillTool,
            7..=10 => Self::KillPersona,
            11..=14 => Self::KillAll,
            15..=16 => Self::Fails(random.one_of(&["EIO", "ENOSPC"])),
            17..=18 => Self::FullDisk,
            _ => Self::ReadOnlyDisk,
        };
        match kind {
            Self::FullDisk | Self::ReadOnlyDisk if !bench.has_own_disk() => Self::KillPersona,
            Self::Fails(_) if !Tool::exists("strace") => Self::KillAll,
            kind => kind,
        }
    }

    /// Runs the command with this damage; returns what came of it.
    pub(super) fn strike(self, bench: &mut Bench, operation: &Operation, random: &mut Random) -> Result<&'static str> {
        let command = operation.command(bench)?;
        match self {
            Self::None => {
                let begun = Instant::now();
                let outcome = ended(&output(spawn(command)?)?)?;
                bench.takes.insert(operation.word(), begun.elapsed());
                Ok(outcome)
            }
            Self::KillPersona | Self::KillTool | Self::KillAll => {
                let usual = bench.takes.get(operation.word()).copied().unwrap_or(Duration::from_millis(60));
                let instant = Duration::from_micros(random.below(1 + usual.as_micros() as u64));
                let begun = Instant::now();
                let mut child = spawn(command)?;
                while begun.elapsed() < instant {
                    if child.try_wait().context(|| "waiting for a command".to_owned())?.is_some() {
                        // The next kill comes sooner.
                        bench.takes.insert(operation.word(), begun.elapsed());
                        break;
                    }
                    sleep(Duration::from_micros(200));
                }
                self.kill(child)
            }
            Self::Fails(error) => {
                let call = random.one_of(&CALLS);
                let inject = format!("inject={call}:error={error}:when={}", 1 + random.below(12));
                let mut strace = Command::new("strace");
                strace.args(["-qqq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
                if call != WRITE {
                    strace.arg("-f");
                }
                strace.arg(command.get_program()).args(command.get_args());
                // Loading the program itself may fail.
                Ok(if output(spawn(strace)?)?.status.success() { "succeeded" } else { "failed" })
            }
            Self::FullDisk => {
                fill(bench, random.below(1 << 18)).context(|| "filling the disk".to_owned())?;
                let outcome = output(spawn(command)?);
                fs::remove_file(bench.path("images/filler")).context(|| "making room".to_owned())?;
                ended(&outcome?)
            }
            Self::ReadOnlyDisk => {
                bench.remount(MsFlags::MS_RDONLY)?;
                let outcome = output(spawn(command)?);
                bench.remount(MsFlags::empty())?;
                match ended(&outcome?)? {
                    "succeeded" => Err(Error::new("it succeeded on a read-only disk")),
                    outcome => Ok(outcome),
                }
            }
        }
    }

    fn kill(self, child: Child) -> Result<&'static str> {
        let group = Pid::from_raw(child.id() as i32);
        let is_struck = match self {
            Self::KillPersona => kill(group, Signal::SIGKILL).is_ok(),
            Self::KillAll => killpg(group, Signal::SIGKILL).is_ok(),
            // The next one that it runs.
            _ => loop {
                let members = members(group);
                if let Some((tool, _)) = members.iter().find(|(_, name)| name == "qemu-img") {
                    break kill(*tool, Signal::SIGKILL).is_ok();
                }
                if members.is_empty() {
                    break false;
                }
            },
        };
        let result = output(child)?;
        let until = Instant::now() + LONGEST_END;
        while !members(group).is_empty() {
            if Instant::now() > until {
                return Err(Error::new(format!("processes are left: {:?}", members(group))));
            }
            sleep(Duration::from_millis(1));
        }
        match (self, is_struck, result.status.signal()) {
            (Self::KillTool, true, _) => ended(&result).map(|_| "was killed"),
            (Self::KillTool, false, _) => ended(&result),
            (_, _, Some(_)) => Ok("was killed"),
            _ => ended(&result),
        }
    }
}

/// As a leader of its own group of processes.
fn spawn(mut command: Command) -> Result<Child> {
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().context(|| format!("running {}", command.get_program().to_string_lossy()))
}

fn output(mut child: Child) -> Result<Output> {
    let until = Instant::now() + LONGEST;
    while child.try_wait().context(|| "waiting for a command".to_owned())?.is_none() {
        if Instant::now() > until {
            // It is told as a fault, and must not hold on to the disk.
            let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
            return Err(Error::new(format!("it hangs for {LONGEST:?}")));
        }
        sleep(Duration::from_micros(500));
    }
    child.wait_with_output().context(|| "waiting for a command".to_owned())
}

/// What came of a command that was not killed: it succeeds, or says why it does not.
fn ended(output: &Output) -> Result<&'static str> {
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        _ if said.contains("panicked") => Err(Error::new(format!("it panicked: {said}"))),
        Some(0) => Ok("succeeded"),
        Some(1..=2) if !said.trim().is_empty() => Ok("failed"),
        _ => Err(Error::new(format!("it ended with {} and said: {said}", output.status))),
    }
}

/// The living processes of a group, with their names.
fn members(group: Pid) -> Vec<(Pid, String)> {
    let member = |entry: fs::DirEntry| {
        let number: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // `12 (name) S 1 12 ...`: state, parent, group.
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let mut words = rest.split_whitespace();
        let (state, its_group) = (words.next()?, words.nth(1)?.parse::<i32>().ok()?);
        // A process whose first thread has ended lives on in the others.
        let is_dead = || state == "Z" && fs::read_dir(entry.path().join("task")).is_ok_and(|threads| threads.count() <= 1);
        (group.as_raw() == its_group && !is_dead()).then(|| (Pid::from_raw(number), name.to_owned()))
    };
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(member).collect()
}

/// Leaves so many bytes on the disk.
fn fill(bench: &Bench, left: u64) -> std::io::Result<()> {
    let space = statvfs(bench.root())?;
    let room = (space.blocks_available() * space.fragment_size()).saturating_sub(left);
    let file = File::create(bench.path("images/filler"))?;
    let piece = vec![1; 1 << 16];
    (0..room >> 16).try_for_each(|number| file.write_all_at(&piece, number << 16))
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no damage",
            Self::KillPersona => "persona killed",
            Self::KillTool => "qemu-img killed",
            Self::KillAll => "all killed",
            Self::Fails(error) => return write!(f, "a call that fails ({error})"),
            Self::FullDisk => "a full disk",
            Self::ReadOnlyDisk => "a read-only disk",
        })
    }
}
