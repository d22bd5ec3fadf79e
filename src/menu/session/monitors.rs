//! The display card with a painter for each of its monitors: opened when the card appears, closed when it fails, opened
//! again when it or another one is back. The state of the menu is independent of all that.

use crate::config::MenuSettings;
use crate::display::{Node, Output, Screen, card_node, pick};
use crate::error::Error;
use crate::menu::model::view::appearance;
use crate::sys::console::ConsoleAside;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use persona_paint::{Appearance, Gallery, Painter, View};
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;

/// The monitors the menu is on. Instants (`now`) are times since any fixed moment.
///
/// The loop around it polls [`Monitors::fds`] until [`Monitors::deadline`], and calls [`Monitors::show`] with the newest view each time. A
/// monitor whose last frame is still pending is left out and wakes the loop later, by descriptor or deadline, so that no view is lost.
/// While something moves, the loop calls [`Monitors::wait_for_frame`]; otherwise a frame on the screen does not wake the loop.
pub struct Monitors {
    paths: Paths,
    cards: Vec<PciAddress>,
    gallery: Gallery,
    settings: MenuSettings,
    open: Option<Open>,
    /// Switched off with the first card, until the menu is closed. The console draws on the same card, so the screen is closed before the
    /// console is restored. When a card disappears the console is not restored: the kernel is removing the console from that card then, and
    /// Linux 6.1 follows a null pointer (`fbcon_blank`) if the console's mode is set at that time. Another card or the text menu takes
    /// over.
    console: Option<ConsoleAside>,
    complaint: Option<String>,
}

struct Open {
    screen: Screen,
    painters: Vec<(u64, Painter)>,
    node: PathBuf,
}

impl Monitors {
    /// The monitors of the first of the graphics cards at `cards` that can be used; none for a machine without one.
    /// `gallery` has the owner's emblems. Nothing is opened yet.
    pub fn new(paths: &Paths, cards: Vec<PciAddress>, gallery: Gallery, settings: &MenuSettings) -> Self {
        Self { paths: paths.clone(), cards, gallery, settings: settings.clone(), open: None, console: None, complaint: None }
    }

    /// Draws on other cards, with other emblems, after a change of settings. What does not change stays on the screen.
    pub fn renew(&mut self, cards: Vec<PciAddress>, gallery: Gallery, settings: &MenuSettings) {
        let is_turned = self.settings.rotation != settings.rotation;
        let looks_different = !gallery.is_empty() || self.settings != *settings;
        (self.cards, self.gallery, self.settings) = (cards, gallery, settings.clone());
        match &mut self.open {
            Some(_) if is_turned => self.open = None,
            Some(open) if looks_different => open.painters.clear(),
            _ => {}
        }
        self.rescan();
    }

    /// Whether the machine has a card to draw on, with or without a driver.
    pub fn may_come(&self) -> bool {
        !self.cards.is_empty()
    }

    /// Whether there has been a card since the menu was last closed.
    pub fn had_card(&self) -> bool {
        self.console.is_some()
    }

    /// Whether a card is open, with monitors or without.
    pub fn are_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether a card is there but could not be opened, perhaps because another program has it.
    pub fn were_refused(&self) -> bool {
        self.complaint.is_some()
    }

    /// Detects the cards and what is connected to the open one. Unchanged outputs continue undisturbed.
    pub fn rescan(&mut self) {
        if let Some(Err(error)) = self.open.as_mut().map(|open| open.screen.update()) {
            log::info!(
                "the graphics card {} is gone: {error}",
                self.open.iter().map(|open| open.node.display().to_string()).collect::<String>()
            );
            self.open = None;
        }
        let mut nodes: Vec<Node> = self.cards.iter().filter_map(|address| card_node(&self.paths, *address)).collect();
        let mut complaint = None;
        // Each turn opens another card or is the last.
        for _ in 0..=nodes.len() {
            let current = self.open.as_ref().map(|open| (open.node.as_path(), !open.screen.outputs().is_empty()));
            match pick(&nodes, current) {
                None => {
                    self.open = None;
                    break;
                }
                Some(node) if current.is_some_and(|(current, _)| current == node) => break,
                Some(node) => {
                    if let Err(error) = self.open_card(node.clone()) {
                        nodes.retain(|other| other.path != node);
                        complaint = Some(error.to_string());
                    }
                }
            }
        }
        // Logged once, tried often.
        if let Some(error) = complaint.as_ref().filter(|error| self.complaint.as_ref() != Some(error)) {
            log::warn!("{error}");
        }
        self.complaint = complaint.filter(|_| self.open.is_none());
        self.provide_painters();
    }

    fn open_card(&mut self, node: PathBuf) -> Result<(), Error> {
        let screen = Screen::open(&node, self.settings.rotation)?;
        self.console.get_or_insert_with(|| ConsoleAside::put(&self.paths));
        log::info!("drawing on {}", node.display());
        self.open = Some(Open { screen, painters: Vec::new(), node });
        Ok(())
    }

    /// A painter for every output; those that are still there keep theirs.
    fn provide_painters(&mut self) {
        let Some(open) = &mut self.open else { return };
        let outputs = open.screen.outputs();
        open.painters.retain(|(id, _)| outputs.iter().any(|output| output.id() == *id));
        for output in outputs {
            if open.painters.iter().all(|(id, _)| *id != output.id()) {
                let (width, height) = output.size();
                let painter = Painter::with(width, height, self.gallery.clone(), appearance_on(output, &self.settings));
                open.painters.push((output.id(), painter));
            }
        }
    }

    /// Releases the card.
    pub fn close(&mut self) {
        self.open = None;
        self.console = None;
        self.complaint = None;
    }

    /// Shows the view on every monitor that is ready, and wakes those that are off; true if one shows it or is about
    /// to. Call it again for the others: see [`Monitors::deadline`]. A card that fails is closed until the kernel
    /// reports a change.
    pub fn show(&mut self, view: &View, now: Duration) -> bool {
        self.dispatch(now);
        let Some(open) = &mut self.open else { return false };
        let before = open.screen.outputs().iter().map(Output::id).max();
        for (id, painter) in &mut open.painters {
            let id = *id;
            if open.screen.outputs().iter().any(|output| output.id() == id && !output.is_ready(now)) {
                open.screen.wait_for(id);
                continue;
            }
            let damage = painter.paint(view);
            if let Err(error) = open.screen.present(id, painter.pixels(), &damage, now) {
                log::warn!("{error}");
                // Another program may hold it only for a while.
                (self.open, self.complaint) = (None, Some(error.to_string()));
                return false;
            }
        }
        let shown = open.screen.outputs().iter().any(Output::is_lit);
        // An output that could not show its mode was replaced by one with a smaller mode, which is tried now.
        if open.screen.outputs().iter().map(Output::id).max() > before {
            self.provide_painters();
            return self.show(view, now);
        }
        shown
    }

    /// Switches the monitors off. The next [`Monitors::show`] wakes them.
    pub fn blank(&mut self) {
        if let Some(Err(error)) = self.open.as_mut().map(|open| open.screen.blank()) {
            log::warn!("{error}");
            (self.open, self.complaint) = (None, Some(error.to_string()));
        }
    }

    /// Uses idle time to draw what the next key may need; true if there is more to draw.
    pub fn prepare(&mut self) -> bool {
        self.open.iter_mut().flat_map(|open| &mut open.painters).any(|(_, painter)| painter.prepare())
    }

    /// Wake the loop, by descriptor or deadline, as soon as a monitor is ready for the next frame.
    pub fn wait_for_frame(&mut self) {
        if let Some(open) = &mut self.open {
            open.painters.iter().for_each(|(id, _)| open.screen.wait_for(*id));
        }
    }

    /// What to poll: readable when there is something for [`Monitors::dispatch`], which [`Monitors::show`] calls too.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.open.iter().filter_map(|open| open.screen.fd())
    }

    /// Registers the frames that have reached the monitors, and those that never will.
    pub fn dispatch(&mut self, now: Duration) {
        if let Some(open) = &mut self.open {
            open.screen.dispatch(now);
        }
    }

    /// Whether a frame would be shown at once, on one monitor at least.
    pub fn is_ready(&self, now: Duration) -> bool {
        self.open.iter().flat_map(|open| open.screen.outputs()).any(|output| output.is_ready(now))
    }

    /// When [`Monitors::show`] is due even without an event.
    pub fn deadline(&self) -> Option<Duration> {
        self.open.as_ref()?.screen.deadline()
    }

    /// The outputs with the sizes of their pictures, for the log: `HDMI-A-1 1920x1080`.
    pub fn names(&self) -> Vec<String> {
        let outputs = self.open.iter().flat_map(|open| open.screen.outputs());
        outputs.map(|output| format!("{} {}x{}", output.name(), output.size().0, output.size().1)).collect()
    }
}

/// The appearance from the settings; a text size that is not set follows from the monitor's size.
fn appearance_on(output: &Output, settings: &MenuSettings) -> Appearance {
    let scale = settings.scale.unwrap_or_else(|| Appearance::scale_for(output.size().1, output.millimetres()));
    Appearance { scale, ..appearance(settings) }
}
