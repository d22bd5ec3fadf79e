//! Persona: a boot-time menu that turns one PC into several, by giving one virtual machine a cartridge and real
//! hardware.

pub mod atomic;
pub mod error;
pub mod legion;
pub mod menu;
pub mod passthrough;
pub mod paths;
pub mod pci;
pub mod screen;
pub mod settings;
pub mod state;
pub mod sys;
