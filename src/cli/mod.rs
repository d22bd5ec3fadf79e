//! The command line. [`Cli`] is what was typed, [`Cli::run`] does it; help, completion and man pages are made from the same definition.
//!
//! Imports: everything.

mod cartridge;
mod complete;
mod parse;
mod preview;
#[cfg(test)]
mod tests;

use crate::boot_log::journal::Boots;
use crate::commands as run;
use crate::commands::OutputFormat;
use crate::error::{Error, Result};
use crate::sys::identity;
use crate::sys::logger;
use crate::sys::paths::Paths;
use crate::sys::root::is_initramfs;
use crate::sys::style::Style;
use crate::sys::syscalls;
use crate::sys::tree;
use cartridge::CartridgeCommand;
use clap::{ArgAction, Args, Parser, Subcommand, ValueHint};
use parse::{boot, path};
use preview::PreviewArgs;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

const EXIT_CODES: &str = "Exit codes: 0 done; 1 it could not be done, the message says why; 2 wrong usage or bad settings.
doctor: 0 no problem, 1 warnings, 2 something is broken.

The systemd units and the initramfs also run: needs, reserve, menu, prepare, run, release.";

/// Boot menu for VFIO passthrough: one PC, one virtual machine, several personas
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, after_help = EXIT_CODES, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What holds for all commands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of all commands")]
struct Global {
    /// Work on the machine recorded under DIR instead of this one; commands that change something change DIR
    #[arg(long, value_name = "DIR", global = true, default_value = "/", hide_default_value = true, value_parser = path(), value_hint = ValueHint::DirPath)]
    root: PathBuf,
    /// Read the settings from FILE
    #[arg(long, value_name = "FILE", global = true, value_parser = path(), value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// Log more; twice: everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

/// The form of the output.
#[derive(Debug, Clone, Copy, Args)]
struct Format {
    /// Print JSON, in a stable form for programs
    #[arg(long)]
    json: bool,
}

impl From<Format> for OutputFormat {
    fn from(format: Format) -> Self {
        if format.json { Self::Json } else { Self::Text }
    }
}

/// A persona, or the default one.
#[derive(Debug, Args)]
struct PersonaOrDefault {
    /// The persona; the default if left out
    name: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the personas: default, next boot, running, problems
    List {
        #[command(flatten)]
        format: Format,
    },
    /// Show the choice and its reason, the devices, and the state of legion
    Status {
        #[command(flatten)]
        format: Format,
        /// Print it again at every change, until Ctrl-C; with --json one line for each change
        #[arg(long)]
        watch: bool,
    },
    /// Show what happened in this and earlier boots, from the journal
    Log {
        /// The boot: 0 is this one, -1 the one before it
        #[arg(long, value_name = "N", default_value = "0", allow_negative_numbers = true, value_parser = boot())]
        boot: i64,
        /// All boots in the journal, one line for each run of a persona
        #[arg(long, conflicts_with = "boot")]
        all: bool,
        #[command(flatten)]
        format: Format,
    },
    /// Start legion and wait until the guest runs
    Start {
        /// The persona; if left out, the one chosen last in this boot, or the default
        name: Option<String>,
    },
    /// Stop legion as configured by `stop` in the settings, and wait until its devices are returned to the host
    Stop {
        /// Force legion off now, even while another command starts or stops it; the guest does not shut down, but QEMU flushes its disk
        #[arg(long)]
        force: bool,
    },
    /// Stop legion and start it as another persona, without a reboot
    Switch {
        /// The persona
        name: String,
    },
    /// Choose a persona in the menu that is shown now; asks for no PIN
    Choose {
        /// The persona
        name: String,
    },
    /// Stop the countdown of the menu that is shown now
    Hold,
    /// Set the persona for the next boot; without a name, show it
    Next {
        /// The persona
        name: Option<String>,
        /// For every boot until cleared, not only the next one
        #[arg(long, requires = "name", conflicts_with = "clear")]
        until_cleared: bool,
        /// Remove the override: the next boot starts the default
        #[arg(long, conflicts_with = "name")]
        clear: bool,
    },
    /// Change the default persona in the settings file; without a name, show it
    Default {
        /// The persona, or `last`: the one that last ran well
        name: Option<String>,
    },
    /// Show every step of a launch, without doing it
    Plan {
        #[command(flatten)]
        persona: PersonaOrDefault,
        #[command(flatten)]
        format: Format,
    },
    /// Check this machine against the settings
    Doctor {
        #[command(flatten)]
        format: Format,
    },
    /// Examine this machine and print a settings file for it
    Detect {
        /// Write it to /etc/persona/persona.toml, for root only, if there is no such file
        #[arg(long)]
        write: bool,
    },
    /// Render the menu to PNG, or show it in a terminal
    Preview(PreviewArgs),
    /// Export the VM definition for other programs
    #[command(arg_required_else_help = true)]
    Export {
        #[command(subcommand)]
        to: Export,
    },
    /// Create, import, save, restore and remove cartridges (as root)
    #[command(arg_required_else_help = true)]
    Cartridge {
        #[command(subcommand)]
        command: CartridgeCommand,
    },
    /// Ask for a PIN and print its line for the settings
    Pin {
        /// Only check whether it is that persona's PIN: exit code 0, or 1 if it is not
        #[arg(long, value_name = "NAME")]
        check: Option<String>,
    },
    /// Print the devices that this host needs, for `reserve` (run when the initramfs is built)
    #[command(hide = true)]
    Needs {
        /// Print the paths of the font and the emblems that the menu of the initramfs needs, one a line
        #[arg(long)]
        files: bool,
    },
    /// Keep host drivers off the passthrough devices (run in the initramfs before udev)
    #[command(hide = true)]
    Reserve,
    /// Show the menu and record the choice (run by persona-menu.service as root)
    #[command(hide = true)]
    Menu {
        /// Only restore the console after a menu that was killed
        #[arg(long, conflicts_with = "host")]
        restore_console: bool,
        /// Tell a menu that began in the initramfs that the host's file systems are mounted
        #[arg(long)]
        host: bool,
    },
    /// Bind and check the devices and insert the cartridge (run by legion.service as root)
    #[command(hide = true)]
    Prepare {
        /// Only tell whether the choice is a persona that legion runs: exit code 0, or 1 if it is not
        #[arg(long)]
        is_wanted: bool,
    },
    /// Run legion until it ends (run by legion.service as the user legion)
    #[command(hide = true)]
    Run,
    /// Give the devices back to the host (run by legion.service as root)
    #[command(hide = true)]
    Release,
    /// Write the sysfs attributes named on standard input (run by persona itself, with a deadline)
    #[command(hide = true)]
    WriteAttributes,
    /// Print what may stand in place of the last of these words, for shells
    #[command(hide = true)]
    Complete {
        /// The words after `persona` up to the cursor
        #[arg(last = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
}

#[derive(Debug, Subcommand)]
enum Export {
    /// Print the domain XML for `virsh define`: the same machine as QEMU's command line
    Libvirt {
        #[command(flatten)]
        persona: PersonaOrDefault,
    },
}

impl Cli {
    /// Does what was asked, and returns the exit code. Data goes to `out`, messages to the log.
    ///
    /// # Errors
    /// With the reason and the exit code.
    pub fn run(self, out: &mut dyn Write) -> Result<ExitCode> {
        let Global { root, config, verbose } = self.global;
        let paths = Paths::new(root, config);
        if !paths.is_live() {
            tree::confine(&paths.at("/"))?;
        }
        // In the initramfs only the kernel log keeps a message.
        match self.command {
            Command::Reserve => logger::to_kernel_log(&paths, verbose),
            Command::Menu { .. } if logger::is_without_journal() && is_initramfs(&paths) => logger::to_kernel_log(&paths, verbose),
            _ => logger::to_standard_error(&paths, verbose),
        }
        let style = Style::of(&std::io::stdout());
        let now = SystemTime::now();
        let done = match self.command {
            Command::Doctor { format } => return run::doctor::doctor(&paths, format.into(), out),
            Command::List { format } => run::list::list(&paths, format.into(), style, out),
            Command::Status { format, watch: false } => run::status::status(&paths, format.into(), style, out),
            Command::Status { format, watch: true } => run::watch::watch(&paths, format.into(), style, out),
            Command::Log { boot, all, format } => {
                let boots = if all { Boots::All } else { Boots::One(boot) };
                run::log::log(&paths, boots, format.into(), style, out)
            }
            Command::Start { name } => run::power::start(&paths, name.as_deref(), style, out),
            Command::Stop { force } => run::power::stop(&paths, force, style, out),
            Command::Switch { name } => run::power::switch(&paths, &name, style, out),
            Command::Choose { name } => run::choose::choose(&paths, &name, out),
            Command::Hold => run::choose::hold(&paths, out),
            Command::Next { clear: true, .. } => run::next::clear(&paths, out),
            Command::Next { name: None, .. } => run::next::show(&paths, now, out),
            Command::Next { name: Some(name), until_cleared, .. } => {
                let asked = run::next::NextRequest { by: identity::of_caller(), at: now };
                run::next::set(&paths, &name, until_cleared, &asked, out)
            }
            Command::Default { name: None } => run::default::show(&paths, out),
            Command::Default { name: Some(name) } => run::default::set(&paths, &name, out),
            Command::Plan { persona, format } => run::plan::plan(&paths, persona.name.as_deref(), format.into(), out),
            Command::Detect { write: false } => run::detect::detect(&paths, out),
            Command::Detect { write: true } => run::detect::write(&paths, out),
            Command::Preview(preview) => run::preview::preview(&paths, &preview.into(), out),
            Command::Export { to: Export::Libvirt { persona } } => run::export::libvirt(&paths, persona.name.as_deref(), out),
            Command::Cartridge { command } => run::cartridge::cartridge(&paths, command.into(), now, out),
            Command::Pin { check: Some(name) } => run::pin::check(&paths, &name, out),
            Command::Pin { check: None } => run::pin::make(out),
            Command::Needs { files: true } => run::needs::files(&paths, out),
            Command::Needs { files: false } => run::needs::needs(&paths, out),
            Command::Reserve => run::reserve::reserve(&paths),
            Command::Menu { restore_console: true, .. } => run::menu::restore_console(&paths),
            Command::Menu { host: true, .. } => run::menu::host_is_there(&paths),
            Command::Menu { .. } => run::menu::menu(&paths),
            Command::Prepare { is_wanted: true } => run::prepare::is_wanted(&paths),
            Command::Prepare { is_wanted: false } => run::prepare::prepare(&paths),
            Command::Run => run::run::run(&paths),
            Command::Release => run::release::release(&paths),
            Command::WriteAttributes => run::write_attributes(out),
            Command::Complete { words } => run::print(out, &complete::lines(&words)),
        };
        done.map(|()| ExitCode::SUCCESS).map_err(as_root)
    }
}

/// Adds the hint to become root where permission was denied to another user.
#[cold]
fn as_root(error: Error) -> Error {
    let denied = error.hint().is_none() && matches!(error.errno(), Some(libc::EACCES | libc::EPERM));
    if denied && syscalls::effective_user() != 0 { error.with_hint("become root: `sudo persona ...`") } else { error }
}
