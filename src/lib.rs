//! Persona: a boot-time menu that turns one PC into several, by giving one virtual machine, *legion*, a cartridge and
//! real hardware.
//!
//! # The way of a boot
//!
//! | when | command | decides, purely | acts |
//! |---|---|---|---|
//! | initramfs, before coldplug | [`commands::reserve`] | [`passthrough::Plan`] | [`passthrough::reserve`] |
//! | from the initramfs on, beside the boot | [`commands::menu`] | [`menu::state::Menu`], [`persona_paint`] | [`menu::session`] with [`screen`], [`menu::input`], [`console`], [`root`], [`uevent`] |
//! | after the choice, as root | [`commands::prepare`] | [`passthrough::Plan`] | [`passthrough::bind`], [`legion::slot`] |
//! | then, as the user legion | [`commands::run`] | [`legion::argv()`], [`legion::ladder`], [`legion::ending`] | [`legion::supervise`] |
//! | after the guest's end, as root | [`commands::release`] | what `prepare` recorded | [`passthrough::release()`] |
//!
//! Beside it, and changing nothing: [`commands::plan`] tells what a launch would do, [`commands::doctor`] holds the machine
//! against the settings ([`doctor`]), [`commands::detect`] proposes settings ([`detect`]). All stand on the same
//! [`passthrough::Machine`] and [`passthrough::Plan`]. [`commands::preview`] shows the menu anywhere ([`preview`]).
//!
//! The commands hand over to each other by small files ([`state`]), all below `/run/persona` and `/var/lib/persona`:
//! `choice.toml` starts `legion.service` (by `legion.path`), `legion.toml` tells the menu and `persona status` what has
//! become of it.
//!
//! Whoever is root elsewhere speaks to the menu by its socket ([`control`]): [`commands::choose`] decides in it, and
//! [`commands::watch`] follows it.
//!
//! [`doctor`] looks at all of it beforehand, and changes nothing.
//!
//! # What everything stands on
//!
//! [`settings`] are checked before anything is done with them. [`paths::Paths`] alone knows where things are, below
//! `--root`. [`error::Error`] says what was being done, to what, why it failed and how to fix it. [`atomic`] writes files
//! and symlinks whole. [`sys`] has the few system calls that need `unsafe`. [`persona_paint`] is a crate of its own, for the
//! compiler's sake: what paints is made fast.
//!
//! # When in doubt
//!
//! The host boots, SSH answers, legion stays off, and the reason is on the screen, in the journal and in `persona
//! status`.

pub mod boot_log;
pub mod cli;
pub mod commands;
pub mod config;
pub mod control;
pub mod display;
pub mod error;
pub mod legion;
pub mod menu;
pub mod passthrough;
pub mod state;
pub mod sys;
