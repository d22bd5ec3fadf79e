//! What several tests look at; each uses a part of it.
#![allow(dead_code)]

use persona::error::Result;
use persona_machine::{Head, Machine, Picture};

/// Waits until a monitor shows visibly something else than before.
pub(crate) fn changes(machine: &mut Machine, head: Head, before: &Picture) -> Result<Picture> {
    machine.wait_for_screen(head, &format!("{head:?} shows something else"), |picture| picture.difference(before) > 0.02)
}

/// Settings by which every picture is at rest.
pub(crate) fn without_motion(settings: &str) -> String {
    let still = settings.replace("motion = true", "motion = false");
    assert_ne!(still, settings);
    still
}

/// Settings by which no menu begins in the initramfs.
pub(crate) fn without_early_menu(settings: &str) -> String {
    let late = settings.replace("early = true", "early = false");
    assert_ne!(late, settings);
    late
}
