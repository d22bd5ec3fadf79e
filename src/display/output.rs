//! One connected output: a mode, buffers to draw into, and the pending frame.

use super::buffers::Buffers;
use super::card::{Card, is_lost};
use super::driven_connector::DrivenConnector;
use super::monitor::Monitor;
use super::pending_flip::PendingFlip;
use super::transform::Transform;
use crate::config::value::Rotation;
use crate::error::{Error, Result};
use drm::control::{Mode, RawResourceHandle, ResourceHandles, connector, crtc};
use persona_paint::Rect;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// A connected output of the display card, ready to show pictures of its size.
pub struct Output {
    id: u64,
    name: String,
    key: Key,
    millimetres: Option<u32>,
    turn: Transform,
    // The connector is dropped before the buffers: it restores what the screen showed.
    head: DrivenConnector,
    buffers: Buffers,
    flight: PendingFlip,
    flips: bool,
    is_lit: bool,
    /// Whether the screen does not show the newest picture.
    is_stale: bool,
    /// Whether the caller waits for it to be ready.
    is_awaited: bool,
}

type Key = (connector::Handle, Option<Mode>, Option<(u32, u32)>, Rotation);

/// What other outputs already use.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) crtcs: Vec<crtc::Handle>,
    pub(super) planes: Vec<RawResourceHandle>,
}

impl Output {
    /// An output for a monitor, in the first mode that the card has memory for and does not refuse.
    pub(super) fn prepare(
        id: u64,
        card: &Rc<Card>,
        resources: &ResourceHandles,
        monitor: &Monitor,
        crtc: crtc::Handle,
        (taken, refused): (&Taken, &[(connector::Handle, Mode)]),
        rotation: Option<Rotation>,
    ) -> Result<Self> {
        let rotation = rotation.unwrap_or(monitor.rotation);
        let mut first = None;
        let mut last_error = None;
        for mode in monitor.modes.iter().filter(|mode| !refused.contains(&(monitor.connector, **mode))) {
            let size = (u32::from(mode.size().0), u32::from(mode.size().1));
            let turn = Transform::on_panel(rotation, size);
            let buffers = match Buffers::new(card, size, turn) {
                Ok(buffers) => buffers,
                // A card with little memory may not have enough for its monitor's best mode.
                Err(error) => {
                    last_error = Some(error);
                    continue;
                }
            };
            let head = DrivenConnector::new(card, resources, (monitor.connector, crtc), *mode, &monitor.name, &taken.planes);
            let is_accepted = head.accepts(buffers.front());
            let output = Self {
                id,
                name: monitor.name.clone(),
                key: monitor.key(),
                millimetres: monitor.millimetres.map(|(width, height)| Transform::on_panel(rotation, (width, height)).picture().1),
                turn,
                head,
                flips: buffers.can_flip(),
                buffers,
                flight: PendingFlip::default(),
                is_lit: false,
                is_stale: true,
                is_awaited: false,
            };
            if is_accepted {
                return Ok(output);
            }
            first.get_or_insert(output);
        }
        // An atomic test that fails for every mode says more about the test than about the modes.
        first.ok_or_else(|| {
            let what = format!("the output {} has no mode that the card can show", monitor.name);
            last_error.map_or_else(|| Error::new(what.clone()), |error| Error::caused_by(what.clone(), error))
        })
    }

    /// A number that no other output of this screen has or had: an output whose monitor changes gets a new one.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The connector's name, such as `HDMI-A-1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Width and height of the upright picture in pixels.
    pub fn size(&self) -> (u32, u32) {
        self.turn.picture()
    }

    /// Height of the upright picture in mm, if the monitor reports it.
    pub fn millimetres(&self) -> Option<u32> {
        self.millimetres
    }

    /// Whether it can show a picture now: the last one is on the screen, and for long enough.
    pub fn is_ready(&self, now: Duration) -> bool {
        self.flight.is_ready(now)
    }

    /// Whether it has a mode and shows a picture, the newest or the last.
    pub fn is_lit(&self) -> bool {
        self.is_lit
    }

    pub(super) fn head(&self) -> &DrivenConnector {
        &self.head
    }

    pub(super) fn is_for(&self, monitor: &Monitor) -> bool {
        self.key == monitor.key() && !monitor.link_is_bad
    }

    pub(super) fn abandon(&mut self) {
        self.head.abandon();
    }

    /// If the caller waits for it to be ready: when it will be, or when its event is overdue.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.flight.deadline().filter(|_| self.is_awaited)
    }

    /// Whether it waits for the event that its frame is on the screen.
    pub(super) fn awaits_event(&self) -> bool {
        self.is_awaited && self.flight.is_flying()
    }

    pub(super) fn wait(&mut self) {
        self.is_awaited = true;
    }

    pub(super) fn landed(&mut self) {
        self.flight.land();
    }

    /// A card that does not send flip events gets no further flips.
    pub(super) fn watch(&mut self, now: Duration) {
        if self.flight.is_overdue(now) {
            log::warn!("the output {} has not confirmed its frame for a second: it continues with one buffer", self.name);
            self.flips = false;
            self.flight.land();
        }
    }

    pub(super) fn present(&mut self, picture: &[u8], damage: &[Rect], now: Duration) -> io::Result<()> {
        for rect in damage {
            self.buffers.damaged(rect);
        }
        self.is_stale |= !damage.is_empty();
        self.is_awaited = self.flight.is_flying();
        if (self.is_lit && !self.is_stale) || self.flight.is_flying() {
            return Ok(());
        }
        self.flight.start(now, false);
        if !self.is_lit {
            self.buffers.draw_front(picture);
            self.head.set_mode(self.buffers.front())?;
            self.is_lit = true;
        } else if !self.flip(picture, now)? {
            let damage = self.buffers.draw_front(picture);
            self.head.refresh(self.buffers.front(), &damage)?;
        }
        self.is_stale = false;
        Ok(())
    }

    /// Draws the picture beside the screen and has it shown; false if this card does not flip.
    fn flip(&mut self, picture: &[u8], now: Duration) -> io::Result<bool> {
        if !self.flips {
            return Ok(false);
        }
        let (framebuffer, damage) = self.buffers.draw_back(picture);
        match self.head.flip(framebuffer, &damage) {
            Ok(()) => {
                self.buffers.swap();
                self.flight.start(now, true);
            }
            Err(error) if is_lost(&error) => return Err(error),
            Err(error) => {
                log::info!("the output {} does not flip pages ({error}): it continues with one buffer", self.name);
                self.flips = false;
            }
        }
        Ok(self.flips)
    }

    /// Switches the monitor off, or if the driver cannot, shows black.
    pub(super) fn blank(&mut self) -> io::Result<()> {
        (self.is_stale, self.is_awaited) = (false, false);
        if !std::mem::take(&mut self.is_lit) {
            return Ok(());
        }
        match self.head.blank() {
            Err(error) if !is_lost(&error) => {
                log::info!("the output {} cannot be switched off ({error}): it goes black", self.name);
                self.buffers.blacken_front();
                let (width, height) = self.head.mode().size();
                let all = Rect { x: 0, y: 0, width: width.into(), height: height.into() };
                self.head.refresh(self.buffers.front(), &[all])
            }
            result => result,
        }
    }

    /// The context of an error while showing a picture.
    pub(super) fn showing(&self) -> String {
        let (width, height) = self.head.mode().size();
        format!("showing a picture of {width}x{height} on the output {}", self.name)
    }
}
