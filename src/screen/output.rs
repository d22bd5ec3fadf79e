//! One connected output: a mode, a buffer to draw into, and what was there before.

use super::card::Card;
use crate::error::{Context, Error, Result};
use drm::buffer::{Buffer, DrmFourcc};
use drm::control::dumbbuffer::DumbBuffer;
use drm::control::{ClipRect, Device as ControlDevice, Mode, ModeTypeFlags, ResourceHandles, connector, crtc, framebuffer};
use persona_paint::Rect;
use std::rc::Rc;

/// A connected output of the display card, ready to show pictures of its size.
pub struct Output {
    card: Rc<Card>,
    name: String,
    connector: connector::Handle,
    crtc: crtc::Handle,
    mode: Mode,
    buffer: DumbBuffer,
    framebuffer: framebuffer::Handle,
    before: Option<crtc::Info>,
    shown: bool,
}

impl Output {
    pub(super) fn prepare(
        card: &Rc<Card>,
        resources: &ResourceHandles,
        connector: &connector::Info,
        taken: &[crtc::Handle],
    ) -> Result<Self> {
        let name = connector.to_string();
        let crtc =
            free_crtc(card, resources, connector, taken).ok_or_else(|| Error::new(format!("no CRTC is left for the output {name}")))?;
        let (mode, buffer) = modes_by_preference(connector)
            .find_map(|mode| {
                let size = (u32::from(mode.size().0), u32::from(mode.size().1));
                // A card with little memory may have no room for its monitor's best mode.
                card.create_dumb_buffer(size, DrmFourcc::Xrgb8888, 32).ok().map(|buffer| (mode, buffer))
            })
            .ok_or_else(|| Error::new(format!("the output {name} has no mode for which the card has memory")))?;
        let framebuffer = card.add_framebuffer(&buffer, 24, 32).inspect_err(|_| {
            let _ = card.destroy_dumb_buffer(buffer);
        });
        Ok(Self {
            card: Rc::clone(card),
            connector: connector.handle(),
            crtc,
            mode,
            buffer,
            framebuffer: framebuffer.doing(|| format!("making a framebuffer for the output {name}"))?,
            before: card.get_crtc(crtc).ok(),
            shown: false,
            name,
        })
    }

    /// The connector's name, such as `HDMI-A-1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        self.buffer.size()
    }

    pub(super) fn crtc(&self) -> crtc::Handle {
        self.crtc
    }

    pub(super) fn present(&mut self, pixels: &[u8], damage: &[Rect]) -> Result<()> {
        let (width, height) = self.size();
        let damage: Vec<Rect> = damage.iter().filter_map(|rect| clip(rect, width, height)).collect();
        if damage.is_empty() || pixels.len() < width as usize * height as usize * 4 {
            return Ok(());
        }
        let pitch = self.buffer.pitch() as usize;
        let mut map = self.card.map_dumb_buffer(&mut self.buffer).doing(|| format!("drawing on the output {}", self.name))?;
        for rect in &damage {
            let length = rect.width as usize * 4;
            for row in rect.y as usize..(rect.y + rect.height) as usize {
                let from = row * width as usize * 4 + rect.x as usize * 4;
                let to = row * pitch + rect.x as usize * 4;
                map[to..to + length].copy_from_slice(&pixels[from..from + length]);
            }
        }
        drop(map);
        if self.shown { self.flush(&damage) } else { self.set_mode() }
    }

    /// Puts the buffer on the monitor.
    fn set_mode(&mut self) -> Result<()> {
        self.card
            .set_crtc(self.crtc, Some(self.framebuffer), (0, 0), &[self.connector], Some(self.mode))
            .doing(|| format!("setting the mode {}x{} of the output {}", self.mode.size().0, self.mode.size().1, self.name))?;
        self.shown = true;
        Ok(())
    }

    /// Tells drivers that do not scan the buffer out themselves (virtual and USB cards) what changed.
    fn flush(&self, damage: &[Rect]) -> Result<()> {
        // The kernel takes at most 256 rectangles (DRM_MODE_FB_DIRTY_MAX_CLIPS), and coordinates are 16 bits wide; outputs are too.
        let clips: Vec<ClipRect> = damage
            .iter()
            .take(256)
            .map(|rect| ClipRect::new(rect.x as u16, rect.y as u16, (rect.x + rect.width) as u16, (rect.y + rect.height) as u16))
            .collect();
        match self.card.dirty_framebuffer(self.framebuffer, &clips) {
            // Drivers that scan out the buffer itself need no flush and say so in one of these ways.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL | libc::ENOTSUP)) => Ok(()),
            result => result.doing(|| format!("refreshing the output {}", self.name)),
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(before) = self.before.take().filter(|_| self.shown) {
            // The kernel restores its console by itself once the card is closed; this covers everything else.
            let connectors: &[connector::Handle] = if before.mode().is_some() { &[self.connector] } else { &[] };
            let _ = self.card.set_crtc(self.crtc, before.framebuffer(), before.position(), connectors, before.mode());
        }
        let _ = self.card.destroy_framebuffer(self.framebuffer);
        let _ = self.card.destroy_dumb_buffer(self.buffer);
    }
}

/// The CRTC that drives the connector now, else the first that can and is not taken.
fn free_crtc(card: &Card, resources: &ResourceHandles, connector: &connector::Info, taken: &[crtc::Handle]) -> Option<crtc::Handle> {
    let encoders = || connector.encoders().iter().filter_map(|handle| card.get_encoder(*handle).ok());
    let current = connector.current_encoder().and_then(|handle| card.get_encoder(handle).ok()).and_then(|encoder| encoder.crtc());
    let possible = encoders().flat_map(|encoder| resources.filter_crtcs(encoder.possible_crtcs()));
    current.into_iter().chain(possible).find(|crtc| !taken.contains(crtc))
}

/// The mode a monitor wants, else the first of the driver's list, which is from best to worst.
pub(super) fn preferred_mode(connector: &connector::Info) -> Option<Mode> {
    let modes = connector.modes();
    modes.iter().find(|mode| mode.mode_type().contains(ModeTypeFlags::PREFERRED)).or(modes.first()).copied()
}

/// The preferred mode, then all others in the driver's order.
fn modes_by_preference(connector: &connector::Info) -> impl Iterator<Item = Mode> {
    let preferred = preferred_mode(connector);
    preferred.into_iter().chain(connector.modes().iter().copied().filter(move |mode| Some(*mode) != preferred))
}

fn clip(rect: &Rect, width: u32, height: u32) -> Option<Rect> {
    let (x, y) = (rect.x.min(width), rect.y.min(height));
    let clipped = Rect { x, y, width: rect.width.min(width - x), height: rect.height.min(height - y) };
    (clipped.width > 0 && clipped.height > 0).then_some(clipped)
}
