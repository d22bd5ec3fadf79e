//! The display card: opened by its node, every connected output at its preferred mode, through DRM/KMS.
//!
//! [`card_node`] finds the node of a PCI address, [`Screen`] owns the card while the menu is up. What was on the
//! outputs before comes back when the screen is dropped.

mod card;
mod output;

pub use card::card_node;
pub use output::Output;
use output::preferred_mode;

use crate::error::{Context, Error, Result};
use card::Card;
use drm::Device;
use drm::control::{Device as ControlDevice, Mode, connector};
use persona_paint::Rect;
use std::path::Path;
use std::rc::Rc;

/// A card with its connected outputs; this process is the card's DRM master until it is dropped.
pub struct Screen {
    card: Rc<Card>,
    outputs: Vec<Output>,
    connected: Vec<(connector::Handle, Option<Mode>)>,
}

impl Screen {
    /// Opens the card and prepares a buffer for every connected output. Nothing changes on the monitors until
    /// [`Screen::present`].
    ///
    /// # Errors
    /// When the card cannot be opened or has another master. A card without connected outputs is no error.
    pub fn open(node: &Path) -> Result<Self> {
        let card = Rc::new(Card::open(node)?);
        card.acquire_master_lock().doing(|| format!("becoming the DRM master of {}", node.display())).map_err(|error| {
            error.mend("another program draws on this card: stop it, or name another card as menu.display in the settings")
        })?;
        let resources = card.resource_handles().doing(|| format!("reading the outputs of {}", node.display()))?;
        let mut outputs: Vec<Output> = Vec::new();
        let mut connected = Vec::new();
        for handle in resources.connectors() {
            // Forcing a probe reads the EDID anew: what the driver remembers may be from before the monitor was on.
            let Ok(connector) = card.get_connector(*handle, true) else { continue };
            if connector.state() != connector::State::Connected {
                continue;
            }
            connected.push((*handle, preferred_mode(&connector)));
            let taken: Vec<_> = outputs.iter().map(Output::crtc).collect();
            match Output::prepare(&card, &resources, &connector, &taken) {
                Ok(output) => outputs.push(output),
                Err(error) => log::warn!("{error}"),
            }
        }
        Ok(Self { card, outputs, connected })
    }

    /// Whether the card is still there, with the same monitors connected as when it was opened. Asks for what the driver
    /// knows already: probing would cause the very events that lead here.
    pub fn is_current(&self) -> bool {
        let Ok(resources) = self.card.resource_handles() else { return false };
        let connectors = resources.connectors().iter().filter_map(|handle| self.card.get_connector(*handle, false).ok());
        let now = connectors.filter(|connector| connector.state() == connector::State::Connected);
        now.map(|connector| (connector.handle(), preferred_mode(&connector))).eq(self.connected.iter().copied())
    }

    /// The outputs that can show something.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Copies the damaged parts of a picture (B,G,R,X bytes, rows of exactly four times the output's width) to output
    /// number `index` and makes them visible.
    ///
    /// # Errors
    /// When the card is gone or refuses; the caller then closes the screen and opens it again.
    pub fn present(&mut self, index: usize, pixels: &[u8], damage: &[Rect]) -> Result<()> {
        let output = self.outputs.get_mut(index).ok_or_else(|| Error::new(format!("the screen has no output number {index}")))?;
        output.present(pixels, damage)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Outputs restore what they showed, which needs the master lock: they go first.
        self.outputs.clear();
        if let Err(error) = self.card.release_master_lock() {
            log::debug!("releasing the display card: {error}");
        }
    }
}
