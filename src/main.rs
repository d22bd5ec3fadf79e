//! The `persona` command: reads the command line, does what it says, tells what went wrong.

use clap::Parser;
use persona::cli::Cli;
use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    match Cli::parse().run(&mut stdout().lock()) {
        Ok(code) => code,
        Err(error) => {
            // A reader that has gone away (`persona list | head`) is told nothing; it would not read it.
            let _ = writeln!(stderr(), "persona: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
