//! An output as the card sees it: a connector driven by a CRTC, by atomic commits or by the older single calls.

use super::atomic::{Before, Pipe};
use super::card::{Card, is_lost};
use drm::control::{ClipRect, Device, Mode, PageFlipFlags, RawResourceHandle, ResourceHandles, connector, crtc, framebuffer};
use persona_paint::Rect;
use std::io;
use std::rc::Rc;

/// A connector, the CRTC that drives it, and the previous state of both.
pub(super) struct DrivenConnector {
    card: Rc<Card>,
    connector: connector::Handle,
    crtc: crtc::Handle,
    mode: Mode,
    name: String,
    pipe: Option<Pipe>,
    before: Option<Before>,
    crtc_before: Option<crtc::Info>,
    is_set: bool,
}

impl DrivenConnector {
    /// Prepares a connector; nothing changes yet. `taken` planes belong to other connectors.
    pub(super) fn new(
        card: &Rc<Card>,
        resources: &ResourceHandles,
        (connector, crtc): (connector::Handle, crtc::Handle),
        mode: Mode,
        name: &str,
        taken: &[RawResourceHandle],
    ) -> Self {
        let pipe = card.is_atomic().then(|| Pipe::find(card, resources, (connector, crtc), mode, taken));
        let mut head = Self {
            card: Rc::clone(card),
            connector,
            crtc,
            mode,
            name: name.to_owned(),
            pipe: None,
            before: None,
            crtc_before: card.get_crtc(crtc).ok(),
            is_set: false,
        };
        match pipe {
            Some(Ok(pipe)) => {
                head.before = pipe.before().ok();
                head.pipe = Some(pipe);
            }
            Some(Err(error)) => head.give_up_atomic(&error),
            None => {}
        }
        head
    }

    pub(super) fn crtc(&self) -> crtc::Handle {
        self.crtc
    }

    pub(super) fn connector(&self) -> connector::Handle {
        self.connector
    }

    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// The plane it draws on, if it knows.
    pub(super) fn plane(&self) -> Option<RawResourceHandle> {
        self.pipe.as_ref().map(Pipe::plane)
    }

    /// Whether the card would show a framebuffer in this mode, as far as the driver can test it.
    pub(super) fn accepts(&self, framebuffer: framebuffer::Handle) -> bool {
        self.pipe.as_ref().is_none_or(|pipe| pipe.test(framebuffer).is_ok())
    }

    /// Sets the mode, wakes the monitor and shows a framebuffer.
    pub(super) fn set_mode(&mut self, framebuffer: framebuffer::Handle) -> io::Result<()> {
        if let Some(pipe) = &mut self.pipe {
            match pipe.set_mode(framebuffer) {
                Err(error) if !is_lost(&error) => self.give_up_atomic(&error),
                result => {
                    self.is_set |= result.is_ok();
                    return result;
                }
            }
        }
        self.card.set_crtc(self.crtc, Some(framebuffer), (0, 0), &[self.connector], Some(self.mode))?;
        self.is_set = true;
        // Most drivers wake the monitor with its mode.
        let _ = self.set_power(POWER_ON);
        Ok(())
    }

    /// Shows another framebuffer without tearing; an event tells when it is on the screen.
    pub(super) fn flip(&mut self, framebuffer: framebuffer::Handle, damage: &[Rect]) -> io::Result<()> {
        if let Some(pipe) = &self.pipe {
            match pipe.flip(framebuffer, damage) {
                Err(error) if !is_lost(&error) => self.give_up_atomic(&error),
                result => return result,
            }
        }
        self.card.page_flip(self.crtc, framebuffer, PageFlipFlags::EVENT, None)?;
        // A card that copies pictures copies all of it now, as the damage cannot be given.
        Ok(())
    }

    /// Reports damage to drivers that do not scan out the framebuffer itself (virtual and USB cards).
    pub(super) fn refresh(&self, framebuffer: framebuffer::Handle, damage: &[Rect]) -> io::Result<()> {
        // Coordinates are 16 bits wide; outputs are too.
        let corner = |rect: &Rect| ClipRect::new(rect.x as u16, rect.y as u16, (rect.x + rect.width) as u16, (rect.y + rect.height) as u16);
        let clips: Vec<ClipRect> = damage.iter().map(corner).collect();
        match self.card.dirty_framebuffer(framebuffer, &clips) {
            // Drivers that scan out the buffer itself need no refresh and return one of these errors.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL | libc::ENOTSUP | libc::EBUSY)) => Ok(()),
            result => result,
        }
    }

    /// Switches the monitor off; the next [`DrivenConnector::set_mode`] wakes it.
    ///
    /// # Errors
    /// When the driver cannot.
    pub(super) fn blank(&mut self) -> io::Result<()> {
        if let Some(pipe) = &self.pipe {
            match pipe.blank() {
                Err(error) if !is_lost(&error) => self.give_up_atomic(&error),
                result => return result,
            }
        }
        self.set_power(POWER_OFF)
    }

    /// Switches the output off and releases its CRTC: its monitor is gone.
    pub(super) fn abandon(&mut self) {
        if std::mem::take(&mut self.is_set) && self.pipe.as_ref().is_none_or(|pipe| pipe.switch_off().is_err()) {
            let _ = self.card.set_crtc(self.crtc, None, (0, 0), &[], None);
        }
    }

    /// Restores the state from before the first mode was set.
    fn restore(&self) {
        if self.before.as_ref().is_some_and(|before| before.restore().is_ok()) {
            return;
        }
        // The kernel restores its console by itself once the card is closed; this covers everything else.
        if let Some(before) = &self.crtc_before {
            let connectors: &[connector::Handle] = if before.mode().is_some() { &[self.connector] } else { &[] };
            let _ = self.card.set_crtc(self.crtc, before.framebuffer(), before.position(), connectors, before.mode());
        }
    }

    fn set_power(&self, power: u64) -> io::Result<()> {
        let properties = self.card.properties(self.connector)?;
        let (info, _) = properties.find("DPMS").ok_or_else(|| io::Error::from_raw_os_error(libc::ENOTSUP))?;
        self.card.set_property(self.connector, info.handle(), power)
    }

    fn give_up_atomic(&mut self, error: &io::Error) {
        log::warn!("the output {} goes on without atomic commits: {error}", self.name);
        self.pipe = None;
    }
}

/// The connector property `DPMS`: DRM_MODE_DPMS_ON and DRM_MODE_DPMS_OFF.
const POWER_ON: u64 = 0;
const POWER_OFF: u64 = 3;

impl Drop for DrivenConnector {
    fn drop(&mut self) {
        if self.is_set {
            self.restore();
        }
    }
}
