//! The display card with a painter for each of its monitors: opened when the card is there, closed when it fails,
//! opened again when it is back. What the menu shows outlives all of that.

use crate::console::ConsoleAside;
use crate::paths::Paths;
use crate::pci::PciAddress;
use crate::screen::{Screen, card_node};
use persona_paint::{Appearance, Gallery, Painter, View};

/// The monitors the menu is on.
pub struct Monitors {
    paths: Paths,
    card: Option<PciAddress>,
    gallery: Gallery,
    appearance: Appearance,
    open: Option<Open>,
    refused: bool,
}

struct Open {
    // The screen goes before the console comes back: the console draws on the same card.
    screen: Screen,
    painters: Vec<Painter>,
    _console: ConsoleAside,
}

impl Monitors {
    /// The monitors of the graphics card at `card`; none for a machine without one. `gallery` has the owner's emblems.
    /// Nothing is opened yet.
    pub fn new(paths: &Paths, card: Option<PciAddress>, gallery: Gallery, appearance: Appearance) -> Self {
        Self { paths: paths.clone(), card, gallery, appearance, open: None, refused: false }
    }

    /// Whether the machine has a card to draw on at all, whatever its driver is doing.
    pub fn may_come(&self) -> bool {
        self.card.is_some()
    }

    /// Whether the card is open.
    pub fn are_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether the card is there but could not be opened, perhaps because another program has it.
    pub fn were_refused(&self) -> bool {
        self.refused
    }

    /// Opens the card if its driver has made it, or, if it is open and something else is connected to it now, opens it
    /// anew.
    pub fn rescan(&mut self) {
        if self.open.as_ref().is_some_and(|open| open.screen.is_current()) {
            return;
        }
        let was_refused = std::mem::take(&mut self.refused);
        let Some(node) = self.card.and_then(|address| card_node(&self.paths, address)) else {
            self.close();
            return;
        };
        // The card has one master: the old one goes before the new one comes, the console stays aside.
        let console = self.open.take().map(|open| open._console);
        match Screen::open(&node) {
            Ok(screen) => {
                let painter = |(width, height)| Painter::with(width, height, self.gallery.clone(), self.appearance);
                let painters = screen.outputs().iter().map(|output| painter(output.size())).collect();
                let console = console.unwrap_or_else(|| ConsoleAside::put(&self.paths));
                self.open = Some(Open { screen, painters, _console: console });
            }
            Err(error) => {
                self.refused = true;
                // Said once, tried often.
                if !was_refused {
                    log::warn!("{error}");
                }
            }
        }
    }

    /// Gives the card back.
    pub fn close(&mut self) {
        self.open = None;
        self.refused = false;
    }

    /// Shows the view on every monitor; true if one shows it. A card that fails is closed until the kernel reports a
    /// change.
    pub fn show(&mut self, view: &View) -> bool {
        let Some(open) = &mut self.open else { return false };
        let mut shown = false;
        for (index, painter) in open.painters.iter_mut().enumerate() {
            let damage = painter.paint(view);
            if let Err(error) = open.screen.present(index, painter.pixels(), &damage) {
                log::warn!("{error}");
                self.close();
                return false;
            }
            shown = true;
        }
        shown
    }

    /// The outputs with their sizes, for people: `HDMI-A-1 1920x1080`.
    pub fn names(&self) -> Vec<String> {
        let outputs = self.open.iter().flat_map(|open| open.screen.outputs());
        outputs.map(|output| format!("{} {}x{}", output.name(), output.size().0, output.size().1)).collect()
    }
}
