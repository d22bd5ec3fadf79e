//! The command line, as it is typed.

use crate::commands::{self, Output};
use crate::error::Result;
use crate::paths::Paths;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// One PC, one virtual machine, a menu of cartridges: a boot-time console for VFIO passthrough
#[derive(Debug, Parser)]
#[command(name = "persona", version, max_term_width = 100, propagate_version = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 it could not be done (the message says why), 2 wrong usage or bad settings. Of `persona doctor`: 0 well, 1 warnings, 2 broken."
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// Look at the machine recorded under DIR instead of this one
    #[arg(long, global = true, value_name = "DIR", default_value = "/", hide_default_value = true)]
    root: PathBuf,
    /// Read the settings from FILE
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say more; twice: everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The personas: which is the default, which is set for the next boot, which runs
    List(Json),
    /// What was chosen and why, the devices and their drivers, what legion is doing
    Status(Json),
    /// Start legion, as the persona that was chosen last in this boot or the named one; returns once the guest runs
    Start(Start),
    /// Stop legion: power button, again, plug, as the settings say; returns once its devices are back
    Stop(Stop),
    /// Stop legion and start it as another persona, without a reboot
    Switch(Switch),
    /// Set the persona for the next boot
    Next(Next),
    /// Ask for a PIN and print its line for the settings
    Pin(Pin),
    /// Every step a boot and a launch would take; changes nothing
    Plan(Plan),
    /// legion for other programs: the domain XML that libvirt's `virsh define` takes
    Export(Export),
    /// Look at this machine and print a settings file for it
    Detect,
    /// The machine against the settings, each finding with its mend; exits 0 well, 1 warnings, 2 broken
    Doctor(Json),
    /// The menu's very pixels as a PNG, or all of it live in a terminal
    Preview(commands::preview::Preview),
    /// Make cartridges, save and restore them, remove them (as root)
    #[command(subcommand)]
    Cartridge(commands::cartridge::Cartridge),
    /// What this host cannot do without, for `reserve` to know (run when the initramfs is built)
    Needs,
    /// Keep host drivers off the passthrough devices (run in the initramfs, before coldplug)
    Reserve,
    /// Show the menu and write the choice
    Menu(Menu),
    /// Bind and verify the devices and insert the cartridge (run by legion.service as root)
    Prepare(Prepare),
    /// Run legion until it ends (run by legion.service as the user legion)
    Run,
    /// Give launch-time devices back to the host (run by legion.service as root)
    Release,
    /// Write the sysfs attributes named on stdin (what Persona runs with a deadline)
    #[command(hide = true)]
    WriteAttributes,
}

#[derive(Debug, Args)]
struct Json {
    /// For programs
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Next {
    /// The persona
    #[arg(required_unless_present = "clear", conflicts_with = "clear")]
    name: Option<String>,
    /// For every boot, until cleared
    #[arg(long, conflicts_with = "clear")]
    until_cleared: bool,
    /// The default again
    #[arg(long)]
    clear: bool,
}

#[derive(Debug, Args)]
struct Start {
    /// The persona
    name: Option<String>,
}

#[derive(Debug, Args)]
struct Stop {
    /// Pull the plug at once: the guest has no time to shut down, its disk is flushed all the same
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
struct Switch {
    /// The persona
    name: String,
}

#[derive(Debug, Args)]
struct Pin {
    /// Only tell whether it is that persona's PIN: exit code 0, or 1 if it is not
    #[arg(long, value_name = "NAME")]
    check: Option<String>,
}

#[derive(Debug, Args)]
struct Plan {
    /// The persona; the default if left out
    name: Option<String>,
    #[command(flatten)]
    json: Json,
}

#[derive(Debug, Args)]
struct Export {
    /// `libvirt`: a domain equal to QEMU's command line
    #[arg(value_parser = ["libvirt"])]
    program: String,
    /// The persona; the default if left out
    name: Option<String>,
}

#[derive(Debug, Args)]
struct Menu {
    /// Give the console back after a menu that was killed, and do nothing else
    #[arg(long)]
    restore_console: bool,
}

#[derive(Debug, Args)]
struct Prepare {
    /// Only tell whether the choice is one that legion runs: exit code 0, or 1 for one that it does not
    #[arg(long)]
    is_wanted: bool,
}

impl Cli {
    /// Does what was asked, and returns the exit code. Data goes to `out`, messages to the log.
    ///
    /// # Errors
    /// With the reason and the exit code.
    pub fn run(self, out: &mut dyn std::io::Write) -> Result<ExitCode> {
        let paths = Paths::new(self.global.root, self.global.config);
        let verbosity = self.global.verbose;
        let format = |json: Json| if json.json { Output::Json } else { Output::Text };
        // What runs in the initramfs, where nothing else keeps a message, tells the kernel log.
        match self.command {
            Command::Reserve => crate::logger::to_kernel_log(&paths, verbosity),
            _ => crate::logger::to_standard_error(verbosity),
        }
        let done = match self.command {
            Command::Doctor(json) => return commands::doctor::doctor(&paths, format(json), out),
            Command::List(json) => commands::list::list(&paths, format(json), out),
            Command::Status(json) => commands::status::status(&paths, format(json), out),
            Command::Start(start) => commands::power::start(&paths, start.name.as_deref(), out),
            Command::Stop(stop) => commands::power::stop(&paths, stop.force, out),
            Command::Switch(switch) => commands::power::switch(&paths, &switch.name, out),
            Command::Next(next) => match next.name {
                Some(name) => commands::next::set(&paths, &name, next.until_cleared, out),
                None => commands::next::clear(&paths, out),
            },
            Command::Pin(pin) => match pin.check {
                Some(name) => commands::pin::check(&paths, &name, out),
                None => commands::pin::make(out),
            },
            Command::Plan(plan) => commands::plan::plan(&paths, plan.name.as_deref(), format(plan.json), out),
            Command::Export(export) => commands::export::libvirt(&paths, export.name.as_deref(), out),
            Command::Detect => commands::detect::detect(&paths, out),
            Command::Preview(preview) => commands::preview::preview(&paths, &preview, out),
            Command::Cartridge(command) => commands::cartridge::cartridge(&paths, command, std::time::SystemTime::now(), out),
            Command::Needs => commands::needs::needs(&paths, out),
            Command::Reserve => commands::reserve::reserve(&paths),
            Command::Menu(menu) => commands::menu::menu(&paths, menu.restore_console),
            Command::Prepare(prepare) => {
                if prepare.is_wanted {
                    commands::prepare::is_wanted(&paths)
                } else {
                    commands::prepare::prepare(&paths)
                }
            }
            Command::Run => commands::run::run(&paths),
            Command::Release => commands::release::release(&paths),
            Command::WriteAttributes => commands::write_attributes(out),
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound_and_says_what_it_is_for() {
        let command = Cli::command();
        command.clone().debug_assert();
        assert!(command.get_about().unwrap().to_string().starts_with("One PC, one virtual machine"));
        for subcommand in command.get_subcommands().flat_map(|subcommand| std::iter::once(subcommand).chain(subcommand.get_subcommands())) {
            assert!(subcommand.get_about().is_some(), "{} has no help", subcommand.get_name());
        }
    }
}
