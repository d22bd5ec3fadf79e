//! What is on the desk: keyboards, monitors and the end of the serial line, to be used and to be unplugged.

use crate::hardware::{Head, Keyboard};
use crate::machine::Machine;
use crate::monitor::Monitor;
use crate::picture::Picture;
use crate::serial::SerialLine;
use persona::error::{Context, Error, Result};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// How long a key is held down, in milliseconds: longer than a USB keyboard's polling.
const KEY_HOLD: u32 = 60;

impl Machine {
    /// Presses and releases a key, named as QEMU's QKeyCode: `ret`, `right`, `p`.
    ///
    /// # Errors
    /// When there is no such key or keyboard.
    pub fn press(&mut self, keyboard: Keyboard, key: &str) -> Result<()> {
        self.key(keyboard, key, true)?;
        std::thread::sleep(Duration::from_millis(KEY_HOLD.into()));
        self.key(keyboard, key, false)
    }

    /// Holds a key down (`true`) or lets it go.
    ///
    /// # Errors
    /// As [`Machine::press`].
    pub fn key(&mut self, keyboard: Keyboard, key: &str, down: bool) -> Result<()> {
        let event = json!({ "type": "key", "data": { "down": down, "key": { "type": "qcode", "data": key } } });
        self.qmp().execute("input-send-event", json!({ "device": keyboard.console().device(), "events": [event] }))?;
        Ok(())
    }

    /// What a monitor shows, as a PNG file.
    ///
    /// # Errors
    /// When there is no such card, or the file cannot be written.
    pub fn screendump(&mut self, head: Head, file: &Path) -> Result<()> {
        self.dump(head, file, "png")
    }

    /// What a monitor shows.
    ///
    /// # Errors
    /// As [`Machine::screendump`].
    pub fn picture(&mut self, head: Head) -> Result<Picture> {
        let file = self.folder().join("picture.ppm");
        self.dump(head, &file, "ppm")?;
        let doing = || format!("reading the picture {}", file.display());
        let bytes = std::fs::read(&file).context(doing)?;
        Picture::from_ppm(&bytes).ok_or_else(|| Error::new(format!("{}: it is no PPM", doing())))
    }

    fn dump(&mut self, head: Head, file: &Path, format: &str) -> Result<()> {
        let file = std::path::absolute(file).context(|| format!("finding {}", file.display()))?;
        self.qmp().execute("screendump", json!({ "filename": file, "device": head.device(), "head": head.number(), "format": format }))?;
        Ok(())
    }

    /// Pulls a keyboard's plug.
    ///
    /// # Errors
    /// When it is not plugged in.
    pub fn unplug(&mut self, keyboard: Keyboard) -> Result<()> {
        self.qmp().execute("device_del", json!({ "id": keyboard.bus_and_id().1 })).map(drop)
    }

    /// Plugs a keyboard in.
    ///
    /// # Errors
    /// When it is plugged in already.
    pub fn plug(&mut self, keyboard: Keyboard) -> Result<()> {
        let options = self.hardware().keyboard_options(keyboard).into_iter().chain([("driver", "usb-kbd")]);
        let options = options.map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        self.qmp().execute("device_add", Value::Object(options)).map(drop)
    }

    /// The monitor of an output of a display card that has several.
    ///
    /// # Errors
    /// When there is no such output.
    pub fn monitor(&self, head: Head) -> Result<Monitor> {
        Monitor::connect(self.folder(), head)
    }

    /// The other end of the serial line.
    ///
    /// # Errors
    /// When somebody has it already.
    pub fn serial_line(&self) -> Result<SerialLine> {
        SerialLine::connect(self.folder())
    }
}
