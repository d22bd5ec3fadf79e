//! What is connected to an output, as its connector reports.

use super::card::{Card, Properties};
use crate::config::value::Rotation;
use drm::control::{Device, Mode, ModeTypeFlags, ResourceHandles, connector, crtc};

/// A monitor on a connector.
pub(super) struct Monitor {
    pub(super) connector: connector::Handle,
    /// The connector's name, such as `HDMI-A-1`.
    pub(super) name: String,
    /// All modes, the one to use first.
    pub(super) modes: Vec<Mode>,
    /// Width and height of the glass in mm, unturned, if that is known.
    pub(super) millimetres: Option<(u32, u32)>,
    /// How a picture must be turned on the panel to be upright.
    pub(super) rotation: Rotation,
    /// The CRTCs that can drive it, the one that does so now first.
    pub(super) crtcs: Vec<crtc::Handle>,
    /// Whether the driver has lost the link and needs the mode to be set again.
    pub(super) link_is_bad: bool,
    is_certain: bool,
}

impl Monitor {
    /// What must stay the same for an output to continue unchanged.
    pub(super) fn key(&self) -> (connector::Handle, Option<Mode>, Option<(u32, u32)>, Rotation) {
        (self.connector, self.modes.first().copied(), self.millimetres, self.rotation)
    }

    fn read(card: &Card, resources: &ResourceHandles, handle: connector::Handle) -> Option<Self> {
        // Probing reads the EDID anew: what the driver remembers may be from another monitor.
        let connector = card.get_connector(handle, true).ok()?;
        if connector.state() == connector::State::Disconnected || connector.modes().is_empty() {
            return None;
        }
        let properties = card.properties(handle).ok();
        let value = |name| properties.as_ref().and_then(|properties| properties.value(name));
        // The menu is not shown on VR headsets.
        if value("non-desktop") == Some(1) {
            return None;
        }
        let encoders = || connector.encoders().iter().filter_map(|handle| card.get_encoder(*handle).ok());
        let current = connector.current_encoder().and_then(|handle| card.get_encoder(handle).ok()).and_then(|encoder| encoder.crtc());
        let mut crtcs = Vec::new();
        for crtc in current.into_iter().chain(encoders().flat_map(|encoder| resources.filter_crtcs(encoder.possible_crtcs()))) {
            if !crtcs.contains(&crtc) {
                crtcs.push(crtc);
            }
        }
        Some(Self {
            connector: handle,
            name: connector.to_string(),
            modes: by_preference(connector.modes(), |mode| mode.mode_type().contains(ModeTypeFlags::PREFERRED)),
            millimetres: connector.size().filter(|size| is_size(*size)),
            rotation: properties.as_ref().map(orientation).unwrap_or_default(),
            crtcs,
            link_is_bad: value("link-status") == Some(1),
            is_certain: connector.state() == connector::State::Connected,
        })
    }
}

/// All monitors, in the driver's order. Where none is certain to be there, those that may be (analogue outputs that
/// cannot tell).
pub(super) fn monitors(card: &Card, resources: &ResourceHandles) -> Vec<Monitor> {
    let mut monitors: Vec<Monitor> = resources.connectors().iter().filter_map(|handle| Monitor::read(card, resources, *handle)).collect();
    if monitors.iter().any(|monitor| monitor.is_certain) {
        monitors.retain(|monitor| monitor.is_certain);
    }
    monitors
}

/// The first preferred mode, then all others in the driver's order, which is from best to worst.
fn by_preference<M: Clone>(modes: &[M], is_preferred: impl Fn(&M) -> bool) -> Vec<M> {
    let mut modes = modes.to_vec();
    if let Some(preferred) = modes.iter().position(is_preferred) {
        modes[..=preferred].rotate_right(1);
    }
    modes
}

/// Whether a monitor's size in mm is one: projectors give none, and some monitors give their aspect ratio.
fn is_size((width, height): (u32, u32)) -> bool {
    const ASPECTS: [(u32, u32); 6] = [(16, 9), (16, 10), (160, 90), (160, 100), (1600, 900), (1600, 1000)];
    width >= 20 && height >= 20 && !ASPECTS.contains(&(width, height))
}

/// The property "panel orientation" names the side of the panel that is up in its case.
fn orientation(properties: &Properties) -> Rotation {
    match properties.word("panel orientation") {
        Some(b"Upside Down") => Rotation::UpsideDown,
        Some(b"Left Side Up") => Rotation::Left,
        Some(b"Right Side Up") => Rotation::Right,
        _ => Rotation::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_mode_comes_first() {
        let preferred = |mode: &u32| [1, 2].contains(mode);
        assert_eq!(by_preference(&[3, 2, 1, 0], preferred), [2, 3, 1, 0]);
        assert_eq!(by_preference(&[4, 3], preferred), [4, 3]);
        assert!(by_preference(&[], preferred).is_empty());
    }

    #[test]
    fn an_aspect_ratio_is_no_size() {
        assert!(is_size((527, 296)) && is_size((1600, 901)));
        assert!(!is_size((160, 90)) && !is_size((16, 9)) && !is_size((0, 300)));
    }
}
