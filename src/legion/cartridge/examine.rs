//! A closer look at a cartridge, which reads the whole structure of its disk.

use super::{Cartridge, slot};
use crate::config::Legion;
use crate::error::Result;
use crate::state::LegionState;
use crate::sys::paths::Paths;

impl Cartridge {
    /// [`Self::inspect`]s the cartridge of these settings, and checks that its disk is complete, which reads all tables of a qcow2. While
    /// legion runs from it, only QEMU can tell.
    ///
    /// # Errors
    /// As [`Self::inspect`], and when part of the disk is missing.
    pub fn examine(paths: &Paths, legion: &Legion) -> Result<Self> {
        let cartridge = Self::inspect(paths, &legion.cartridges, &legion.cartridge)?;
        let is_in = || slot::inserted(paths, &legion.slot).ok().flatten().is_some_and(|name| name == cartridge.name);
        let runs = LegionState::read(paths).ok().flatten().is_some_and(|state| state.is_at_its_disk()) && is_in();
        if !runs {
            cartridge.ensure_whole(paths)?;
        }
        Ok(cartridge)
    }
}
