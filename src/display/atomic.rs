//! An output driven by atomic commits: everything about it changes at once or not at all.

use super::card::{Card, Properties};
use drm::control::atomic::AtomicModeReq;
use drm::control::{
    AtomicCommitFlags, Device, Mode, PlaneType, RawResourceHandle, ResourceHandles, connector, crtc, framebuffer, plane, property,
};
use persona_paint::Rect;
use std::io;
use std::rc::Rc;

/// The plane property `rotation`: not turned (DRM_MODE_ROTATE_0). For panels that are mounted rotated, the picture is rotated instead.
const UPRIGHT: u64 = 1;

/// A CRTC, its primary plane and its connector.
pub(super) struct Pipe {
    card: Rc<Card>,
    crtc: Properties,
    plane: Properties,
    connector: Properties,
    /// Other objects that use this CRTC or this connector now: they are switched off.
    others: Vec<Setting>,
    mode: Mode,
    mode_blob: Blob,
}

/// A property, its new value, and its old value.
#[derive(Clone, Copy)]
struct Setting {
    object: RawResourceHandle,
    property: property::Handle,
    name: &'static str,
    value: u64,
    before: u64,
}

/// The previous state of the outputs, to restore.
pub(super) struct Before {
    card: Rc<Card>,
    settings: Vec<Setting>,
    /// The modes that were set, which would be forgotten with the last CRTCs that use them.
    _modes: Vec<Blob>,
}

impl Pipe {
    /// The objects for showing on `connector` by `crtc`; `taken` planes are left alone.
    ///
    /// # Errors
    /// When one lacks a required property.
    pub(super) fn find(
        card: &Rc<Card>,
        resources: &ResourceHandles,
        (connector, crtc): (connector::Handle, crtc::Handle),
        mode: Mode,
        taken: &[RawResourceHandle],
    ) -> io::Result<Self> {
        let plane = primary_plane(card, resources, crtc, taken)?;
        let connector = card.properties(connector)?;
        let others = others(card, resources, &connector, crtc, &plane)?;
        let mode_blob = Blob::new(card, &mode)?;
        let pipe = Self { card: Rc::clone(card), crtc: card.properties(crtc)?, plane, connector, others, mode, mode_blob };
        pipe.settings(None).map(|_| pipe)
    }

    /// The plane that shows the picture.
    pub(super) fn plane(&self) -> RawResourceHandle {
        self.plane.object()
    }

    /// Whether the card would show a framebuffer in this mode.
    pub(super) fn test(&self, framebuffer: framebuffer::Handle) -> io::Result<()> {
        let flags = AtomicCommitFlags::TEST_ONLY | AtomicCommitFlags::ALLOW_MODESET;
        self.card.atomic_commit(flags, request(&self.settings(Some(framebuffer))?))
    }

    /// Sets the mode and shows a framebuffer. Returns when it is on the screen.
    pub(super) fn set_mode(&mut self, framebuffer: framebuffer::Handle) -> io::Result<()> {
        self.test(framebuffer)?;
        self.card.atomic_commit(AtomicCommitFlags::ALLOW_MODESET, request(&self.settings(Some(framebuffer))?))?;
        // They are off now, and may belong to another output when this one is woken.
        self.others.clear();
        Ok(())
    }

    /// Shows another framebuffer; an event tells when it is on the screen. `damage` (in the framebuffer) is what changed
    /// in it since it was last shown: all that a card which copies pictures needs to copy.
    pub(super) fn flip(&self, framebuffer: framebuffer::Handle, damage: &[Rect]) -> io::Result<()> {
        let mut settings = vec![setting(&self.plane, "FB_ID", u32::from(framebuffer).into())?];
        let clips: Vec<[u32; 4]> = damage.iter().map(|rect| [rect.x, rect.y, rect.x + rect.width, rect.y + rect.height]).collect();
        // Without clips all of it counts as changed.
        let blob = self.plane.find("FB_DAMAGE_CLIPS").and_then(|_| Blob::new(&self.card, clips.as_slice()).ok());
        if let Some(blob) = &blob {
            settings.push(setting(&self.plane, "FB_DAMAGE_CLIPS", blob.id)?);
        }
        self.card.atomic_commit(AtomicCommitFlags::NONBLOCK | AtomicCommitFlags::PAGE_FLIP_EVENT, request(&settings))
    }

    /// Switches the output off and keeps its mode.
    pub(super) fn blank(&self) -> io::Result<()> {
        self.card.atomic_commit(AtomicCommitFlags::ALLOW_MODESET, request(&[setting(&self.crtc, "ACTIVE", 0)?]))
    }

    /// Switches the output off and releases its CRTC and connector.
    pub(super) fn switch_off(&self) -> io::Result<()> {
        let off = [
            setting(&self.connector, "CRTC_ID", 0)?,
            setting(&self.crtc, "ACTIVE", 0)?,
            setting(&self.crtc, "MODE_ID", 0)?,
            setting(&self.plane, "FB_ID", 0)?,
            setting(&self.plane, "CRTC_ID", 0)?,
        ];
        self.card.atomic_commit(AtomicCommitFlags::ALLOW_MODESET, request(&off))
    }

    /// What is on the output now, if it was not set by this pipe.
    pub(super) fn before(&self) -> io::Result<Before> {
        let mut settings = self.settings(None)?;
        let mut modes = Vec::new();
        for setting in settings.iter_mut().filter(|setting| setting.name == "MODE_ID" && setting.before != 0) {
            let copy = Blob::new(&self.card, self.card.get_property_blob(setting.before)?.as_slice())?;
            setting.before = copy.id;
            modes.push(copy);
        }
        Ok(Before { card: Rc::clone(&self.card), settings, _modes: modes })
    }

    /// All properties that must be set to show a framebuffer.
    fn settings(&self, framebuffer: Option<framebuffer::Handle>) -> io::Result<Vec<Setting>> {
        let (width, height) = (u64::from(self.mode.size().0), u64::from(self.mode.size().1));
        let crtc: u64 = u32::from(self.crtc.object()).into();
        let mut settings = self.others.clone();
        settings.extend([
            setting(&self.connector, "CRTC_ID", crtc)?,
            setting(&self.crtc, "MODE_ID", self.mode_blob.id)?,
            setting(&self.crtc, "ACTIVE", 1)?,
        ]);
        let framebuffer = framebuffer.map_or(0, |framebuffer| u32::from(framebuffer).into());
        let on_plane = [
            ("FB_ID", framebuffer),
            ("CRTC_ID", crtc),
            ("CRTC_X", 0),
            ("CRTC_Y", 0),
            ("CRTC_W", width),
            ("CRTC_H", height),
            ("SRC_X", 0),
            ("SRC_Y", 0),
            // Fixed point, 16.16.
            ("SRC_W", width << 16),
            ("SRC_H", height << 16),
        ];
        for (name, value) in on_plane {
            settings.push(setting(&self.plane, name, value)?);
        }
        // Not every driver has these, and the last program may have left them in any state.
        settings.extend(setting(&self.plane, "rotation", UPRIGHT).ok());
        settings.extend(setting(&self.connector, "link-status", 0).ok());
        Ok(settings)
    }
}

impl Before {
    /// Restores the previous state.
    pub(super) fn restore(&self) -> io::Result<()> {
        let back: Vec<Setting> = self.settings.iter().map(|setting| Setting { value: setting.before, ..*setting }).collect();
        self.card.atomic_commit(AtomicCommitFlags::ALLOW_MODESET, request(&back))
    }
}

/// The primary plane of a CRTC. Some drivers can assign a plane to several CRTCs: prefer the one that is on this CRTC now, else one that is
/// unused.
fn primary_plane(card: &Card, resources: &ResourceHandles, crtc: crtc::Handle, taken: &[RawResourceHandle]) -> io::Result<Properties> {
    let mut found: Option<(u8, Properties)> = None;
    for handle in card.plane_handles()? {
        let plane = card.get_plane(handle)?;
        if taken.contains(&handle.into()) || !resources.filter_crtcs(plane.possible_crtcs()).contains(&crtc) {
            continue;
        }
        let properties = card.properties(handle)?;
        let distance = plane.crtc().map_or(1, |there| if there == crtc { 0 } else { 2 });
        let is_primary = properties.value("type") == Some(PlaneType::Primary as u64);
        if is_primary && found.as_ref().is_none_or(|(best, _)| distance < *best) {
            found = Some((distance, properties));
        }
    }
    found.map(|(_, plane)| plane).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
}

/// What must be switched off so that a connector and a CRTC drive only each other: other connectors and planes on the
/// CRTC, and the CRTC that drove the connector before, if it drives no other.
fn others(
    card: &Card,
    resources: &ResourceHandles,
    connector: &Properties,
    crtc: crtc::Handle,
    plane: &Properties,
) -> io::Result<Vec<Setting>> {
    let id = |handle: crtc::Handle| u64::from(u32::from(handle));
    let last = connector.value("CRTC_ID").filter(|last| *last != 0 && *last != id(crtc));
    let mut left_over = last;
    let mut settings = Vec::new();
    for handle in resources.connectors().iter().filter(|handle| RawResourceHandle::from(**handle) != connector.object()) {
        let other = card.properties(*handle)?;
        match other.value("CRTC_ID") {
            Some(there) if there == id(crtc) => settings.push(setting(&other, "CRTC_ID", 0)?),
            Some(there) if Some(there) == last => left_over = None,
            _ => {}
        }
    }
    for handle in card.plane_handles()? {
        let there: Option<plane::Info> = card.get_plane(handle).ok().filter(|_| RawResourceHandle::from(handle) != plane.object());
        let there = there.and_then(|plane| plane.crtc());
        if there.is_some_and(|there| there == crtc || Some(id(there)) == left_over) {
            let other = card.properties(handle)?;
            settings.extend([setting(&other, "FB_ID", 0)?, setting(&other, "CRTC_ID", 0)?]);
        }
    }
    if let Some(handle) = resources.crtcs().iter().find(|handle| Some(id(**handle)) == left_over) {
        let other = card.properties(*handle)?;
        settings.extend([setting(&other, "ACTIVE", 0)?, setting(&other, "MODE_ID", 0)?]);
    }
    Ok(settings)
}

fn setting(properties: &Properties, name: &'static str, value: u64) -> io::Result<Setting> {
    let (info, before) = properties.find(name).ok_or_else(|| io::Error::other(format!("there is no property {name}")))?;
    Ok(Setting { object: properties.object(), property: info.handle(), name, value, before })
}

fn request(settings: &[Setting]) -> AtomicModeReq {
    let mut request = AtomicModeReq::new();
    for setting in settings {
        request.add_raw_property(setting.object, setting.property, setting.value);
    }
    request
}

/// Data that the kernel keeps for a property until it is dropped.
struct Blob {
    card: Rc<Card>,
    id: u64,
}

impl Blob {
    fn new<T: ?Sized>(card: &Rc<Card>, data: &T) -> io::Result<Self> {
        card.create_property_blob(data).map(|value| Self { card: Rc::clone(card), id: value.into() })
    }
}

impl Drop for Blob {
    fn drop(&mut self) {
        let _ = self.card.destroy_property_blob(self.id);
    }
}
