//! The command line: one table of commands and options, from which reading it, the help and the messages are made.
//!
//! `table` says what the table is made of, `commands` and `cartridge` are the table, `parse` puts words where it says, and
//! hands them, by `given`, to the entry of the command, which makes a `Command` of them. `complete` tells shells what may come next.

mod cartridge;
mod commands;
mod complete;
mod given;
mod help;
mod parse;
mod table;
#[cfg(test)]
mod tests;
mod wrong;

use crate::boot_log::journal::Boots;
use crate::commands as run;
use crate::commands::Output;
use crate::commands::cartridge::Cartridge;
use crate::commands::preview::Preview;
use crate::error::{Context, Error, Result};
use crate::sys::paths::Paths;
use crate::sys::root::is_initramfs;
use crate::sys::style::Style;
use crate::sys::syscalls;
pub use parse::{Help, parse};
use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
pub use wrong::Wrong;

/// A command line that means something.
#[derive(Debug)]
pub struct Cli {
    global: Global,
    command: Command,
}

/// What holds for all commands.
#[derive(Debug)]
struct Global {
    root: PathBuf,
    config: Option<PathBuf>,
    verbose: u8,
}

/// What is to be done.
#[derive(Debug)]
enum Command {
    Help(Help),
    Version,
    List(Output),
    Status {
        output: Output,
        watch: bool,
    },
    Log(Boots, Output),
    Start(Option<String>),
    Stop {
        force: bool,
    },
    Switch(String),
    Choose(String),
    Hold,
    /// A name, and whether it stays until cleared.
    Next(Option<(String, bool)>),
    Clear,
    Default(Option<String>),
    Pin {
        check: Option<String>,
    },
    Plan(Option<String>, Output),
    Libvirt(Option<String>),
    Detect,
    Doctor(Output),
    Preview(Preview),
    Cartridge(Cartridge),
    Needs,
    Reserve,
    Menu(MenuTask),
    Prepare {
        is_wanted: bool,
    },
    Run,
    Release,
    WriteAttributes,
    Complete(Vec<OsString>),
}

/// What `persona menu` is to do.
#[derive(Debug)]
enum MenuTask {
    Show,
    RestoreConsole,
    HostIsThere,
}

impl Cli {
    /// Does what was asked, and returns the exit code. Data goes to `out`, messages to the log.
    ///
    /// # Errors
    /// With the reason and the exit code.
    pub fn run(self, out: &mut dyn Write) -> Result<ExitCode> {
        let paths = Paths::new(self.global.root, self.global.config);
        let verbosity = self.global.verbose;
        // What runs in the initramfs, where nothing else keeps a message, tells the kernel log.
        match self.command {
            Command::Reserve => crate::sys::logger::to_kernel_log(&paths, verbosity),
            Command::Menu(_) if crate::sys::logger::is_without_journal() && is_initramfs(&paths) => {
                crate::sys::logger::to_kernel_log(&paths, verbosity);
            }
            _ => crate::sys::logger::to_standard_error(verbosity),
        }
        let style = Style::of(&std::io::stdout());
        let done = match self.command {
            Command::Help(Help(path)) => say(&help::help(&path, width(std::io::stdout())), out),
            Command::Version => say(concat!("persona ", env!("CARGO_PKG_VERSION"), "\n"), out),
            Command::Doctor(output) => return run::doctor::doctor(&paths, output, out),
            Command::List(output) => run::list::list(&paths, output, style, out),
            Command::Status { output, watch: false } => run::status::status(&paths, output, style, out),
            Command::Status { output, watch: true } => run::watch::watch(&paths, output, style, out),
            Command::Log(boots, output) => run::story::log(&paths, boots, output, style, out),
            Command::Start(name) => run::power::start(&paths, name.as_deref(), style, out),
            Command::Stop { force } => run::power::stop(&paths, force, style, out),
            Command::Switch(name) => run::power::switch(&paths, &name, style, out),
            Command::Choose(name) => run::choose::choose(&paths, &name, out),
            Command::Hold => run::choose::hold(&paths, out),
            Command::Next(None) => run::next::show(&paths, std::time::SystemTime::now(), out),
            Command::Next(Some((name, until_cleared))) => {
                let asked = run::next::Asked { by: crate::sys::who::asks(), at: std::time::SystemTime::now() };
                run::next::set(&paths, &name, until_cleared, &asked, out)
            }
            Command::Clear => run::next::clear(&paths, out),
            Command::Default(None) => run::default::show(&paths, out),
            Command::Default(Some(name)) => run::default::set(&paths, &name, out),
            Command::Pin { check: Some(name) } => run::pin::check(&paths, &name, out),
            Command::Pin { check: None } => run::pin::make(out),
            Command::Plan(name, output) => run::plan::plan(&paths, name.as_deref(), output, out),
            Command::Libvirt(name) => run::export::libvirt(&paths, name.as_deref(), out),
            Command::Detect => run::detect::detect(&paths, out),
            Command::Preview(preview) => run::preview::preview(&paths, &preview, out),
            Command::Cartridge(command) => run::cartridge::cartridge(&paths, command, std::time::SystemTime::now(), out),
            Command::Needs => run::needs::needs(&paths, out),
            Command::Reserve => run::reserve::reserve(&paths),
            Command::Menu(MenuTask::Show) => run::menu::menu(&paths),
            Command::Menu(MenuTask::RestoreConsole) => run::menu::restore_console(&paths),
            Command::Menu(MenuTask::HostIsThere) => run::menu::host_is_there(&paths),
            Command::Prepare { is_wanted: true } => run::prepare::is_wanted(&paths),
            Command::Prepare { is_wanted: false } => run::prepare::prepare(&paths),
            Command::Run => run::run::run(&paths),
            Command::Release => run::release::release(&paths),
            Command::WriteAttributes => run::write_attributes(out),
            Command::Complete(words) => say(&complete::lines(&words), out),
        };
        done.map(|()| ExitCode::SUCCESS).map_err(as_root)
    }
}

/// What root may do and we may not is easily fixed.
#[cold]
fn as_root(error: Error) -> Error {
    let denied = error.hint().is_none() && matches!(error.errno(), Some(libc::EACCES | libc::EPERM));
    if denied && syscalls::effective_user() != 0 { error.with_hint("become root: `sudo persona ...`") } else { error }
}

/// Says something of the program's own. A reader that has seen enough and gone away is no error.
fn say(text: &str, out: &mut dyn Write) -> Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.context(|| "printing".into()),
    }
}

/// How long lines may be, in characters: as wide as the terminal, within what reads well; 80 if it is none.
pub fn width(terminal: impl AsFd) -> usize {
    let told = syscalls::window_size(terminal.as_fd()).map_or(0, |size| usize::from(size.columns));
    if told == 0 { 80 } else { told.clamp(60, 100) }
}
