//! The test machine from the command line.

use clap::{Parser, Subcommand};
use persona::error::Result;
use persona_machine::{Artifacts, Hardware, ImageKind, Log, Machine, Scenario, bench, demo, fuzz, insert, install_what_is_lacking, soak};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// A PC with two graphics cards, played by QEMU.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what this host lacks
    Setup,
    /// Build what the machine boots from
    Image,
    /// Power on, menu, a pick, legion, and back; leaves pictures and a report in target/demo
    Demo,
    /// Measure against rivals and limits
    Bench {
        /// What to measure; without a name everything
        subjects: Vec<String>,
    },
    /// Feed random bytes to every reader, each for a while (needs a nightly toolchain)
    Fuzz {
        /// How long each, in seconds
        #[arg(long, default_value_t = 30)]
        seconds: u32,
        /// Which targets; without a name all
        targets: Vec<String>,
    },
    /// Break off commands at random instants, and check what they leave
    Soak {
        /// How many commands
        #[arg(long, default_value_t = 500)]
        rounds: u32,
        /// Chooses the commands
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Put a cartridge into the slot of a machine below a folder, as a launch does; what `soak` breaks off
    #[command(hide = true)]
    Insert {
        /// The folder
        root: PathBuf,
        /// The cartridge
        name: String,
    },
    /// Boot, and say how to get in; ends when the machine is switched off
    Boot {
        /// Use the initramfs in which systemd runs
        #[arg(long)]
        systemd: bool,
        /// More words for the kernel command line
        #[arg(long, default_value = "")]
        cmdline: String,
    },
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Setup => install_what_is_lacking(&Log::new("setup")),
        Command::Image => Artifacts::build(&Log::new("image")).map(drop),
        Command::Demo => demo(&mut std::io::stdout()),
        Command::Bench { subjects } => bench(&subjects, &mut std::io::stdout()),
        Command::Fuzz { seconds, targets } => fuzz(seconds, &targets),
        Command::Soak { rounds, seed } => soak(rounds, seed),
        Command::Insert { root, name } => insert(&root, &name),
        Command::Boot { systemd, cmdline } => boot(systemd, &cmdline),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "machine: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// Nobody waits longer than this before switching a machine off.
const A_DAY: Duration = Duration::from_secs(86_400);

fn boot(systemd: bool, cmdline: &str) -> Result<()> {
    let artifacts = Artifacts::build(&Log::new("image"))?;
    let image = if systemd { ImageKind::Systemd } else { ImageKind::Busybox };
    let display = ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(|name| std::env::var_os(name).is_some());
    let scenario = Scenario::new("boot").image(image).cmdline(cmdline).windows(display);
    let mut machine = Machine::power_on(&artifacts, &Hardware::standard(), &scenario)?;
    machine.log().step(format!("log in with: {}", machine.ssh_command()));
    machine.log().step(format!("logs and sockets: {}", machine.folder().display()));
    machine.wait_for_probe()?;
    machine.wait_for_ssh()?;
    machine.wait_for_power_off(A_DAY).map(drop)
}
