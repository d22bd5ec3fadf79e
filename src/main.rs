//! The `persona` command: reads the command line, does what it says, tells what went wrong.

use persona::cli::{parse, width};
use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    // A reader that has gone away (`persona list | head`) is told nothing; it would not read it.
    let cli = match parse(std::env::args_os().skip(1)) {
        Ok(cli) => cli,
        Err(wrong) => {
            let _ = write!(stderr(), "{}", wrong.text(width(stderr())));
            return ExitCode::from(2);
        }
    };
    match cli.run(&mut stdout().lock()) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(stderr(), "persona: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
