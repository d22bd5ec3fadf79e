//! Running the host's programs.

use nix::unistd::Uid;
use persona::error::{Error, Result};
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

/// How many of a failed program's last lines are told.
const TOLD_LINES: usize = 12;

/// A program of the host with its arguments.
#[derive(Debug, Clone)]
pub(crate) struct Tool {
    program: OsString,
    args: Vec<OsString>,
    root: bool,
}

impl Tool {
    /// A program, found in `PATH`.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self { program: program.as_ref().to_owned(), args: Vec::new(), root: false }
    }

    /// Adds one argument.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Runs as root: by sudo, unless this process is root already.
    pub(crate) fn by_root(mut self) -> Self {
        self.root = true;
        self
    }

    /// Runs it.
    ///
    /// # Errors
    /// When it is not there or exits with anything but 0; with its last lines.
    pub(crate) fn run(self) -> Result<()> {
        self.output().map(drop)
    }

    /// Runs it and returns what it wrote to stdout.
    ///
    /// # Errors
    /// As [`Tool::run`].
    pub(crate) fn output(self) -> Result<String> {
        self.bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Runs it and returns what it wrote to stdout, as it is.
    ///
    /// # Errors
    /// As [`Tool::run`].
    pub(crate) fn bytes(self) -> Result<Vec<u8>> {
        let by_sudo = self.root && !Uid::effective().is_root();
        let mut command = if by_sudo { Command::new("sudo") } else { Command::new(&self.program) };
        if by_sudo {
            command.arg("--").arg(&self.program);
        }
        command.args(&self.args).stdin(Stdio::null());
        let name = Path::new(&self.program).file_name().unwrap_or(&self.program).to_string_lossy().into_owned();
        let output = command.output().map_err(|error| {
            let hint = match error.kind() {
                ErrorKind::NotFound if by_sudo => "run this as root, or install sudo",
                ErrorKind::NotFound => "`make setup` installs what the test machine needs",
                _ => "look at the program named above",
            };
            Error::caused_by(format!("running {name}"), error).with_hint(hint)
        })?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let stdout = String::from_utf8_lossy(&output.stdout);
        let told = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
        Err(Error::new(format!("{name} failed ({}):\n{}", output.status, last_lines(&told, TOLD_LINES))))
    }

    /// Whether a program is in `PATH` or where root's programs are.
    pub(crate) fn exists(program: &str) -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).any(|folder| folder.join(program).is_file())
    }
}

/// The last `count` lines of a text, indented.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(count)).map(|line| format!("    {line}\n")).collect()
}
