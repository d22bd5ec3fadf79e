//! Persona: a boot-time menu that turns one PC into several. One virtual machine, *legion*, gets a cartridge and real hardware.
//!
//! # From power-on to the guest's end
//!
//! | when | command | decides (pure) | acts |
//! |---|---|---|---|
//! | initramfs, before udev | [`commands::reserve`] | [`passthrough::Plan`] | [`passthrough::reserve`] |
//! | from the initramfs on, in parallel with the boot | [`commands::menu`] | [`menu::model::Menu`], [`persona_paint`] | [`menu::session`] with [`display`], [`menu::input`], [`sys::console`], [`sys::root`], [`sys::uevent`] |
//! | after the choice, as root | [`commands::prepare`] | [`passthrough::Plan`] | [`passthrough::bind`], [`legion::cartridge::slot`] |
//! | then, as the user legion | [`commands::run`] | [`legion::qemu::argv()`], [`config::ladder`], [`legion::ending`] | [`legion::qemu::supervise`] |
//! | after the guest's end, as root | [`commands::release`] | what `prepare` recorded | [`passthrough::release()`] |
//!
//! The commands pass on what they decided in small files ([`state`]) below `/run/persona` and `/var/lib/persona`: `choice.toml` starts
//! `legion.service` (by `legion.path`), and `legion.toml` tells the menu and `persona status` what legion does.
//!
//! Other commands: [`commands::plan`] shows what a launch would do, [`commands::doctor`] checks the machine against the settings,
//! [`commands::detect`] proposes settings; all use the same [`passthrough::Machine`] and [`passthrough::Plan`]. [`commands::preview`] shows the
//! menu anywhere. [`commands::choose`] and [`commands::watch`] talk to the running menu over its socket ([`control`]).
//!
//! # Layers
//!
//! A layer uses only those below it (`tests/host/layers.rs` checks that); each may use [`error`].
//!
//! | layer | what is there |
//! |---|---|
//! | [`cli`] | the command line |
//! | [`commands`] | one module for each subcommand |
//! | [`menu`] | the state machine (`model`), its event loop (`session`), `input`, `text` |
//! | [`legion`] | the virtual machine: `qemu`, `libvirt`, `cartridge`, and what they share |
//! | [`passthrough`], [`display`], [`control`], [`boot_log`] | devices and vfio-pci; monitors; the menu's socket; the journal |
//! | [`state`] | records, and the lock of operations on legion |
//! | [`config`] | settings, kernel command line, PIN hashes |
//! | [`sys`] | system calls, paths, files, locks, systemd, terminals |
//!
//! [`sys::paths::Paths`] alone knows every path, below `--root`. [`error::Error`] says what was being done, to what, why it failed and how to
//! fix it. [`sys::syscalls`] has the only `unsafe`. [`persona_paint`] is a crate of its own.
//!
//! # In doubt
//!
//! The host boots, SSH answers, legion stays off, and the reason is on the screen, in the journal and in `persona status`.

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
