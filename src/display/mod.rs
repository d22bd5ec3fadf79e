//! The display card: opened by its node, every connected output at its preferred mode, through DRM/KMS.
//!
//! [`card_node`] finds the node of a PCI address and [`pick`] the best of several, [`Screen`] owns a card while the menu is
//! up. Pictures are drawn into a buffer that is not on the screen, which then takes the place of the one that is. What was
//! on the outputs before comes back when the screen is dropped.
//!
//! Imports: `config` and `sys`.

mod atomic;
mod buffers;
mod card;
mod crtcs;
mod damage;
mod driven_connector;
mod monitor;
mod nodes;
mod output;
mod pending_flip;
mod transform;

pub use nodes::{Node, card_module, card_node, pick};
pub use output::Output;

use crate::config::value::Rotation;
use crate::error::{Context, Error, Result};
use card::{Card, is_lost};
use drm::Device;
use drm::control::{Device as ControlDevice, Mode, connector};
use monitor::{Monitor, monitors};
use output::Taken;
use persona_paint::Rect;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// A card with its connected outputs; this process is the card's DRM master until it is dropped. Instants (`now`) are times
/// since any fixed moment.
pub struct Screen {
    card: Rc<Card>,
    outputs: Vec<Output>,
    rotation: Option<Rotation>,
    /// Modes that the card could not set.
    refused: Vec<(connector::Handle, Mode)>,
    outputs_ever: u64,
}

impl Screen {
    /// Opens the card and prepares buffers for every connected output. Nothing changes on the monitors until
    /// [`Screen::present`]. Pictures are turned by `rotation`, or as each panel wants it.
    ///
    /// # Errors
    /// When the card cannot be opened or has another master. A card without connected outputs is no error.
    pub fn open(node: &Path, rotation: Option<Rotation>) -> Result<Self> {
        let card = Rc::new(Card::open(node)?);
        card.acquire_master_lock().context(|| format!("becoming the DRM master of {}", node.display())).map_err(|error| {
            error.with_hint("another program draws on this card: stop it, or name another card as menu.display in the settings")
        })?;
        let mut screen = Self { card, outputs: Vec::new(), rotation, refused: Vec::new(), outputs_ever: 0 };
        screen.update()?;
        Ok(screen)
    }

    /// Detects what is connected now. Outputs without a monitor are removed, those with a different one are set up
    /// again with a new [`Output::id`], all others continue undisturbed.
    ///
    /// # Errors
    /// When the card is gone. An output that cannot be used is only logged.
    pub fn update(&mut self) -> Result<()> {
        let resources = self.card.resource_handles().context(|| "reading the outputs of the graphics card".into())?;
        let monitors = monitors(&self.card, &resources);
        self.refused.retain(|(connector, _)| monitors.iter().any(|monitor| monitor.connector == *connector));
        self.outputs.retain_mut(|output| {
            let stays = monitors.iter().any(|monitor| output.is_for(monitor));
            if !stays {
                output.abandon();
            }
            stays
        });
        let mut taken = Taken::default();
        for head in self.outputs.iter().map(Output::head) {
            taken.crtcs.push(head.crtc());
            taken.planes.extend(head.plane());
        }
        let is_new = |monitor: &&Monitor| self.outputs.iter().all(|output| output.head().connector() != monitor.connector);
        let new: Vec<&Monitor> = monitors.iter().filter(is_new).collect();
        let free = |monitor: &&Monitor| monitor.crtcs.iter().copied().filter(|crtc| !taken.crtcs.contains(crtc)).collect();
        let crtcs = crtcs::assign(&new.iter().map(free).collect::<Vec<Vec<_>>>());
        for (monitor, crtc) in new.into_iter().zip(crtcs) {
            let Some(crtc) = crtc else {
                log::warn!("no CRTC is left for the output {}", monitor.name);
                continue;
            };
            self.outputs_ever += 1;
            let limits = (&taken, self.refused.as_slice());
            match Output::prepare(self.outputs_ever, &self.card, &resources, monitor, crtc, limits, self.rotation) {
                Ok(output) => {
                    taken.planes.extend(output.head().plane());
                    self.outputs.push(output);
                }
                Err(error) => log::warn!("{error}"),
            }
        }
        Ok(())
    }

    /// The outputs that can show something.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Copies the damaged parts of a picture (upright; B,G,R,X bytes, rows of exactly four times the output's width) to the output with
    /// this id and has them shown. Returns at once; an output that is not ready remembers the damage and needs another call. An output that
    /// cannot show its mode is set up again with another mode and a new id.
    ///
    /// # Errors
    /// When the card is gone; the caller then closes the screen and opens it again.
    pub fn present(&mut self, id: u64, picture: &[u8], damage: &[Rect], now: Duration) -> Result<()> {
        let Some(index) = self.outputs.iter().position(|output| output.id() == id) else { return Ok(()) };
        let output = &mut self.outputs[index];
        let Err(error) = output.present(picture, damage, now) else { return Ok(()) };
        let lost = is_lost(&error);
        let error = Error::caused_by(output.showing(), error);
        if lost {
            return Err(error);
        }
        log::warn!("{error}");
        let output = self.outputs.remove(index);
        self.refused.push((output.head().connector(), output.head().mode()));
        drop(output);
        self.update()
    }

    /// The caller waits for the output to be ready: [`Screen::deadline`] and, if there is something to poll, [`Screen::fd`] tell when.
    pub fn wait_for(&mut self, id: u64) {
        self.outputs.iter_mut().filter(|output| output.id() == id).for_each(Output::wait);
    }

    /// Registers the frames that have reached the screen, and those that never will.
    pub fn dispatch(&mut self, now: Duration) {
        let flipped = self.card.flipped();
        for output in &mut self.outputs {
            if flipped.contains(&output.head().crtc()) {
                output.landed();
            }
            output.watch(now);
        }
    }

    /// The card, readable when there is something for [`Screen::dispatch`]; only while the caller waits for an output.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.outputs.iter().any(Output::awaits_event).then(|| self.card.as_fd())
    }

    /// When an output that the caller waits for is ready, or [`Screen::dispatch`] gives it up.
    pub fn deadline(&self) -> Option<Duration> {
        self.outputs.iter().filter_map(Output::deadline).min()
    }

    /// Switches all monitors off, or black; the next picture wakes them.
    ///
    /// # Errors
    /// When the card is gone.
    pub fn blank(&mut self) -> Result<()> {
        for output in &mut self.outputs {
            output.blank().context(|| "switching the monitors off".into())?;
        }
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Outputs restore their previous state, which needs the master lock: they are dropped first, in reverse order,
        // because each saved what the earlier ones had left.
        while self.outputs.pop().is_some() {}
        if let Err(error) = self.card.release_master_lock() {
            log::debug!("releasing the display card: {error}");
        }
    }
}
