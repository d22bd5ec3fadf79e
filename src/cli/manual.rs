//! Writes a man page for each command of `persona` into the folder that is named: `make manual` runs it. It is no part of the program.

use clap::CommandFactory;
use persona::cli::Cli;
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or_else(|| std::io::Error::other("usage: manual FOLDER"))?);
    std::fs::create_dir_all(&folder)?;
    clap_mangen::generate_to(Cli::command(), folder)
}
