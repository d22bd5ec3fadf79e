//! The way in for people: the real ssh client against the machine's sshd.

use crate::probe::Output;
use persona::error::{Context, Error, Result};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How to reach the machine's sshd.
#[derive(Debug, Clone)]
pub(crate) struct Ssh {
    key: PathBuf,
    port: u16,
}

impl Ssh {
    /// `key` is the private key that root's account in the machine accepts.
    pub(crate) fn new(key: &Path, port: u16) -> Self {
        Self { key: key.to_owned(), port }
    }

    /// The command line that logs in.
    pub(crate) fn argv(&self) -> Vec<String> {
        let mut argv: Vec<String> = ["ssh", "-F", "none", "-i"].map(str::to_owned).into();
        argv.extend([self.key.display().to_string(), "-p".into(), self.port.to_string()]);
        let trust = ["UserKnownHostsFile=/dev/null", "StrictHostKeyChecking=no", "BatchMode=yes", "LogLevel=ERROR"];
        // A machine that stands still keeps nobody waiting for ever.
        let timeout = ["ConnectTimeout=60", "ServerAliveInterval=30", "ServerAliveCountMax=5"];
        let options = trust.into_iter().chain(timeout);
        argv.extend(options.flat_map(|option| ["-o".to_owned(), option.to_owned()]));
        argv.push("root@127.0.0.1".to_owned());
        argv
    }

    /// Runs a command in the machine.
    ///
    /// # Errors
    /// When the ssh client cannot be run.
    pub(crate) fn run(&self, command: &str) -> Result<Output> {
        let argv = self.argv();
        let output = Command::new(&argv[0])
            .args(&argv[1..])
            .arg(command)
            .output()
            .context(|| format!("running ssh for `{command}`"))
            .map_err(|error| error.with_hint("`make setup` installs the ssh client"))?;
        Ok(Output {
            status: output.status.code().unwrap_or(255),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Whether sshd greets. QEMU's end of the port accepts connections before sshd does.
    pub(crate) fn greets(&self, timeout: Duration) -> bool {
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port).into();
        let Ok(mut stream) = TcpStream::connect_timeout(&address, timeout) else { return false };
        let mut greeting = [0; 4];
        stream.set_read_timeout(Some(timeout)).is_ok() && stream.read_exact(&mut greeting).is_ok() && &greeting == b"SSH-"
    }
}

/// A TCP port of this host that nobody uses now.
pub(crate) fn free_port() -> Result<u16> {
    let doing = || "finding a free TCP port".to_owned();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context(doing)?;
    listener.local_addr().map(|address| address.port()).map_err(|error| Error::caused_by(doing(), error))
}
