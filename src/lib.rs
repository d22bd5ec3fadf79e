//! Persona: a boot-time menu that turns one PC into several, by giving one virtual machine a cartridge and real
//! hardware.

pub mod account;
pub mod atomic;
pub mod cli;
pub mod commands;
pub mod console;
pub mod error;
pub mod kernel_command_line;
pub mod legion;
pub mod logger;
pub mod menu;
pub mod passthrough;
pub mod paths;
pub mod pci;
pub mod screen;
pub mod settings;
pub mod state;
pub mod sys;
pub mod uevent;
