//! The `persona` command: reads the command line, runs it, and reports errors.

use clap::Parser;
use persona::cli::Cli;
use persona::sys::style::harmless;
use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Standard output may be closed early (`persona --help | head`); that is no error.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match cli.run(&mut stdout().lock()) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(stderr(), "persona: {}", harmless(&error.to_string()));
            ExitCode::from(error.exit_code())
        }
    }
}
