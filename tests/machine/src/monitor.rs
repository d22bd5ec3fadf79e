//! Plugging monitors in and out, by QEMU's VNC server: when a viewer asks for another desktop size, the emulated card is
//! told that its monitor has changed, as a real one is by the hotplug pin. A size of zero is a monitor that is unplugged
//! (`virtio_gpu_ui_info` of QEMU).
//!
//! The protocol is RFB 3.8 (RFC 6143); the message SetDesktopSize is from the register of the community
//! (rfbproto, "SetDesktopSize").

use crate::hardware::Head;
use persona::error::{Context, Error, Result};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// QEMU answers at once, or it is not well.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What both sides say first.
const VERSION: &[u8; 12] = b"RFB 003.008\n";
/// The security type without a password.
const NO_PASSWORD: u8 = 1;
/// The message SetDesktopSize.
const SET_DESKTOP_SIZE: u8 = 251;
/// The pseudo-encoding by which a viewer says that it understands other desktop sizes.
const EXTENDED_DESKTOP_SIZE: i32 = -308;

/// The viewer of one output, by which its monitor is changed. The monitor stays as it is when the viewer goes.
pub struct Monitor {
    stream: UnixStream,
    head: Head,
}

/// Where the viewer of an output finds QEMU.
pub(crate) fn socket(folder: &Path, head: Head) -> PathBuf {
    folder.join(format!("vnc{}", head.number()))
}

impl Monitor {
    /// The monitor of an output of a machine whose display card has several.
    ///
    /// # Errors
    /// When there is no such output.
    pub(crate) fn connect(folder: &Path, head: Head) -> Result<Self> {
        let doing = || format!("connecting to QEMU's VNC server for {head:?}");
        let stream = UnixStream::connect(socket(folder, head)).context(doing)?;
        stream.set_read_timeout(Some(TIMEOUT)).context(doing)?;
        let mut monitor = Self { stream, head };
        monitor.shake_hands().map_err(|error| Error::caused_by(doing(), error))?;
        Ok(monitor)
    }

    fn shake_hands(&mut self) -> Result<()> {
        self.receive::<12>()?;
        self.send(VERSION)?;
        let [count] = self.receive()?;
        let mut offered = vec![0; usize::from(count)];
        self.stream.read_exact(&mut offered).context(|| "reading what QEMU offers".to_owned())?;
        if !offered.contains(&NO_PASSWORD) {
            return Err(Error::new(format!("QEMU wants a password; it offers the security types {offered:?}")));
        }
        self.send(&[NO_PASSWORD])?;
        if self.receive::<4>()? != [0; 4] {
            return Err(Error::new("QEMU does not let us in"));
        }
        // Others may look on.
        self.send(&[1])?;
        // Size, pixel format, and the length of the name.
        let greeting = self.receive::<24>()?;
        let length = u32::from_be_bytes([greeting[20], greeting[21], greeting[22], greeting[23]]);
        let mut name = vec![0; length as usize];
        self.stream.read_exact(&mut name).context(|| "reading QEMU's name".to_owned())?;
        let mut encodings = vec![2, 0, 0, 1];
        encodings.extend(EXTENDED_DESKTOP_SIZE.to_be_bytes());
        self.send(&encodings)
    }

    /// Plugs in a monitor that prefers this many pixels, in place of the one that is there.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn plug(&mut self, width: u16, height: u16) -> Result<()> {
        self.set_size(width, height)
    }

    /// Unplugs the monitor.
    ///
    /// # Errors
    /// When QEMU is gone.
    pub fn unplug(&mut self) -> Result<()> {
        self.set_size(0, 0)
    }

    fn set_size(&mut self, width: u16, height: u16) -> Result<()> {
        let mut message = vec![SET_DESKTOP_SIZE, 0];
        let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
        message.extend(&size);
        // One screen, number 0 at 0,0, as large as the desktop, without flags.
        message.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        message.extend(&size);
        message.extend([0; 4]);
        self.send(&message).map_err(|error| Error::caused_by(format!("changing the monitor of {:?}", self.head), error))
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context(|| "writing to QEMU's VNC server".to_owned())
    }

    fn receive<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH]> {
        let mut bytes = [0; LENGTH];
        self.stream.read_exact(&mut bytes).context(|| "reading from QEMU's VNC server".to_owned())?;
        Ok(bytes)
    }
}
