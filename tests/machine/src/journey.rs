//! The way from power-on to legion and back, step by step, as facts read from the machine.

use crate::hardware::{Head, address};
use crate::machine::Machine;
use crate::picture::Picture;
use crate::serial::SerialLine;
use crate::wait;
use crate::wire::Report;
use persona::error::{Context, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// Emulated, a step of the boot may take this long on a busy computer.
pub const STEP: Duration = Duration::from_secs(240);

/// The PCI functions that become legion's: the card with its siblings, and the USB controller.
pub const LEGIONS: [&str; 3] = [address::CARD, address::CARD_AUDIO, address::LEGION_USB];

impl Machine {
    /// Waits until the menu has a complete frame on the screen, knows that the host is there, and is looked after by its unit, if that is
    /// to start.
    ///
    /// # Errors
    /// When it does not come.
    pub fn wait_for_menu(&mut self) -> Result<()> {
        let script =
            "grep -q first_frame_ms /run/persona/menu.toml && test -e /run/persona/host && ! systemctl list-jobs | grep -q persona-menu";
        self.wait_until("the menu is on the screen", script, STEP).map(drop)
    }

    /// Waits until the menu reads so many keyboards: a key that is pressed before counts for nothing. The first frame may well be
    /// sooner than a keyboard.
    ///
    /// # Errors
    /// When it does not.
    pub fn wait_for_keyboards(&mut self, count: usize) -> Result<()> {
        let script = format!("grep -qx 'keyboards = {count}' /run/persona/menu.toml");
        self.wait_until(&format!("the menu reads {count} keyboards"), &script, STEP).map(drop)
    }

    /// Waits until a monitor shows something visibly different from the picture in `file` (more than a countdown's
    /// next second) and nothing glides any more, and puts the new picture there.
    ///
    /// # Errors
    /// When it goes on showing the same.
    pub fn wait_for_change(&mut self, head: Head, file: &Path) -> Result<()> {
        const MORE_THAN_A_SECOND: f64 = 0.02;
        let old = Picture::read(file)?;
        let mut last: Option<Picture> = None;
        let changed = wait::until(STEP, || {
            let now = self.picture(head)?;
            let rests = last.as_ref().is_some_and(|last| now.difference(last) < MORE_THAN_A_SECOND / 4.0);
            let differs = now.difference(&old) > MORE_THAN_A_SECOND;
            last = Some(now);
            Ok((rests && differs).then_some(()))
        })?;
        self.screendump(head, file)?;
        if changed.is_some() {
            return Ok(());
        }
        let told = self.try_run("cat /run/persona/menu.toml; journalctl -b -t persona -n 8 -o cat").map(|output| output.stdout);
        let told = told.unwrap_or_else(|error| error.to_string());
        Err(self.explain(format!("{}: the monitor shows the same as {} s ago; the menu says:\n{told}", file.display(), STEP.as_secs())))
    }

    /// Waits until a monitor shows what `wanted` accepts; the picture.
    ///
    /// # Errors
    /// When it does not. `what` says what was awaited.
    pub fn wait_for_screen(&mut self, head: Head, what: &str, wanted: impl Fn(&Picture) -> bool) -> Result<Picture> {
        let seen = wait::until(STEP, || Ok(Some(self.picture(head)?).filter(&wanted)))?;
        let seen = seen.ok_or_else(|| self.missed(what, STEP))?;
        self.log().step(what);
        Ok(seen)
    }

    /// Waits until what was said on the serial line is what `wanted` accepts.
    ///
    /// # Errors
    /// When it does not come. `what` says what was awaited.
    pub fn wait_for_line(&self, line: &SerialLine, what: &str, wanted: impl Fn(&str) -> bool) -> Result<()> {
        let heard = wait::until(STEP, || Ok(wanted(&line.heard()?).then_some(())))?;
        heard.ok_or_else(|| self.missed(what, STEP))?;
        self.log().step(what);
        Ok(())
    }

    /// Waits until a persona was chosen; what `/run/persona/choice.toml` says.
    ///
    /// # Errors
    /// When none is.
    pub fn wait_for_choice(&mut self) -> Result<String> {
        self.wait_until("there is a choice", "cat /run/persona/choice.toml", STEP)
    }

    /// Waits until legion is in a phase, as `persona status` tells.
    ///
    /// # Errors
    /// When it never is.
    pub fn wait_for_legion(&mut self, phase: &str) -> Result<()> {
        // Root's record, and from the start to the end of legion its supervisor's report.
        let script = format!(
            "told=/run/persona/legion.toml; ! grep -qx 'phase = \"starting\"' $told || told=/run/persona/legion/report.toml
            grep -qx 'phase = \"{phase}\"' $told || {{ cat $told; exit 1; }}"
        );
        self.wait_until(&format!("legion is {phase}"), &script, STEP).map(drop)
    }

    /// Waits until legion is over in a phase, and all that was taken from the host for it is back; what `persona status` says then.
    ///
    /// # Errors
    /// When it does not end, or a device does not go back.
    pub fn wait_for_end(&mut self, phase: &str) -> Result<String> {
        self.wait_for_legion(phase)?;
        self.wait_until("legion.service is over", "systemctl show -P ActiveState legion.service | grep -xE 'inactive|failed'", STEP)?;
        for (address, home) in LEGIONS.into_iter().zip(["vfio-pci", "vfio-pci", "xhci_hcd"]) {
            let driver = self.driver(address)?;
            if driver.as_deref() != Some(home) {
                return Err(self.explain(format!("{address} has the driver {driver:?}, not {home}")));
            }
        }
        self.ssh("persona status")
    }

    /// Waits until the guest reads the keyboard that is legion's.
    ///
    /// # Errors
    /// When it does not.
    pub fn wait_for_guest_keyboard(&mut self) -> Result<()> {
        let is_usb = |report: &Report| matches!(report, Report::Keyboard { name, .. } if name.contains("USB"));
        self.wait_for_report("the guest reads its keyboard", STEP, is_usb).map(drop)
    }

    /// Waits until the cartridge has drawn its picture; everything it has reported until then.
    ///
    /// # Errors
    /// When it does not draw.
    pub fn wait_for_picture(&mut self) -> Result<Vec<Report>> {
        self.wait_for_report("the guest has drawn on its card", STEP, |report| matches!(report, Report::Drawn { .. }))?;
        self.reports()
    }

    /// The driver a PCI function is bound to, if any.
    ///
    /// # Errors
    /// When the machine does not answer.
    pub fn driver(&mut self, address: &str) -> Result<Option<String>> {
        let link = self.run(&format!("readlink /sys/bus/pci/devices/{address}/driver || :"))?;
        Ok(link.trim().rsplit('/').next().filter(|name| !name.is_empty()).map(str::to_owned))
    }

    /// `vendor:device` of a PCI function.
    ///
    /// # Errors
    /// When there is no such function.
    pub fn id(&mut self, address: &str) -> Result<String> {
        let folder = format!("/sys/bus/pci/devices/{address}");
        let ids = self.run(&format!("cat {folder}/vendor {folder}/device"))?;
        Ok(ids.split_whitespace().map(|id| id.trim_start_matches("0x")).collect::<Vec<_>>().join(":"))
    }

    /// What a command of Persona prints as JSON.
    ///
    /// # Errors
    /// When the command fails or prints something else.
    pub fn persona_json<T: DeserializeOwned>(&mut self, arguments: &str) -> Result<T> {
        let command = format!("persona {arguments} --json");
        let text = self.run(&command)?;
        serde_json::from_str(&text).context(|| format!("understanding what `{command}` printed"))
    }

    /// `persona status --json`.
    ///
    /// # Errors
    /// As [`Machine::persona_json`].
    pub fn status(&mut self) -> Result<Value> {
        self.persona_json("status")
    }
}
