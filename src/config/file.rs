//! The structure of the settings file, before its values are checked.

use super::{Backend, BindTime, DiskBus, Guest, GuestDisplay, OnPoweroff};
use crate::config::document::{Checked, Scalar, Table, Word};
use persona_paint::Language;
use std::ops::Range;
use toml::Spanned;

pub(super) struct File {
    pub(super) menu: Menu,
    pub(super) passthrough: Vec<Passthrough>,
    /// The values for all personas that do not set their own.
    pub(super) machine: Machine,
    pub(super) personas: Vec<Persona>,
}

pub(super) struct Menu {
    pub(super) timeout: Option<Spanned<String>>,
    pub(super) default: Option<Spanned<String>>,
    pub(super) display: Option<Spanned<String>>,
    pub(super) early: Option<bool>,
    pub(super) motion: Option<bool>,
    pub(super) scale: Option<Spanned<Scalar>>,
    pub(super) rotation: Option<Spanned<Scalar>>,
    pub(super) theme: Option<Theme>,
    pub(super) large_text: Option<bool>,
    /// `Some(None)` is "auto".
    pub(super) language: Option<Option<Language>>,
    pub(super) beep: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Theme {
    Standard,
    HighContrast,
}

pub(super) struct Passthrough {
    pub(super) device: Spanned<String>,
    pub(super) id: Option<Spanned<String>>,
    pub(super) subsystem: Option<Spanned<String>>,
    pub(super) label: Option<String>,
    pub(super) bind: Option<BindTime>,
    pub(super) rombar: Option<bool>,
    pub(super) romfile: Option<Spanned<String>>,
}

/// The keys that `[legion]` and every persona may have.
pub(super) struct Machine {
    pub(super) memory: Option<Spanned<String>>,
    pub(super) cpus: Option<Spanned<Scalar>>,
    pub(super) hugepages: Option<bool>,
    pub(super) network: Option<Spanned<String>>,
    pub(super) disk: Option<DiskBus>,
    pub(super) audio: Option<Spanned<String>>,
    pub(super) display: Option<GuestDisplay>,
    pub(super) secure_boot: Option<bool>,
    pub(super) tpm: Option<bool>,
    pub(super) cartridges: Option<Spanned<String>>,
    pub(super) slot: Option<Spanned<String>>,
    pub(super) stop: Option<Stop>,
    pub(super) running_well: Option<Spanned<String>>,
    pub(super) extra_args: Option<Vec<Spanned<String>>>,
    pub(super) backend: Option<Backend>,
    pub(super) domain: Option<Spanned<String>>,
}

pub(super) struct Stop {
    pub(super) span: Range<usize>,
    pub(super) again: Option<Spanned<String>>,
    pub(super) quit: Option<Spanned<String>>,
    pub(super) kill: Option<Spanned<String>>,
}

pub(super) struct Persona {
    pub(super) name: Spanned<String>,
    pub(super) title: Option<Spanned<String>>,
    pub(super) tagline: Option<String>,
    pub(super) accent: Option<Spanned<String>>,
    pub(super) emblem: Option<Spanned<String>>,
    pub(super) starts: Option<Spanned<String>>,
    pub(super) pin: Option<Spanned<String>>,
    pub(super) unattended: Option<bool>,
    pub(super) guest: Option<Guest>,
    pub(super) cartridge: Option<Spanned<String>>,
    pub(super) on_poweroff: Option<OnPoweroff>,
    pub(super) machine: Machine,
}

impl File {
    pub(super) fn parse(text: &str) -> Checked<Self> {
        let mut table = Table::parse(text)?;
        let menu = menu(table.table("menu")?.unwrap_or_default())?;
        let mut legion = table.table("legion")?.unwrap_or_default();
        let passthrough = legion.tables("passthrough")?.into_iter().map(passthrough).collect::<Checked<_>>()?;
        let machine = machine(&mut legion)?;
        legion.end()?;
        let personas = table.tables("persona")?.into_iter().map(persona).collect::<Checked<_>>()?;
        table.end()?;
        Ok(Self { menu, passthrough, machine, personas })
    }
}

fn menu(mut table: Table<'_>) -> Checked<Menu> {
    let menu = Menu {
        timeout: table.text("timeout")?,
        default: table.text("default")?,
        display: table.text("display")?,
        early: table.flag("early")?,
        motion: table.flag("motion")?,
        scale: table.scalar("scale"),
        rotation: table.scalar("rotation"),
        theme: table.word("theme")?,
        large_text: table.flag("large_text")?,
        language: table.word("language")?,
        beep: table.flag("beep")?,
    };
    table.end()?;
    Ok(menu)
}

fn passthrough(mut table: Table<'_>) -> Checked<Passthrough> {
    Ok(Passthrough {
        id: table.text("id")?,
        subsystem: table.text("subsystem")?,
        label: table.string("label")?,
        bind: table.word("bind")?,
        rombar: table.flag("rombar")?,
        romfile: table.text("romfile")?,
        device: table.need_and_end("device")?,
    })
}

fn machine(table: &mut Table<'_>) -> Checked<Machine> {
    Ok(Machine {
        memory: table.text("memory")?,
        cpus: table.scalar("cpus"),
        hugepages: table.flag("hugepages")?,
        network: table.text("network")?,
        disk: table.word("disk")?,
        audio: table.text("audio")?,
        display: table.word("display")?,
        secure_boot: table.flag("secure_boot")?,
        tpm: table.flag("tpm")?,
        cartridges: table.text("cartridges")?,
        slot: table.text("slot")?,
        stop: table.table("stop")?.map(stop).transpose()?,
        running_well: table.text("running_well")?,
        extra_args: table.texts("extra_args")?,
        backend: table.word("backend")?,
        domain: table.text("domain")?,
    })
}

fn stop(mut table: Table<'_>) -> Checked<Stop> {
    let stop = Stop { span: table.span.clone(), again: table.text("again")?, quit: table.text("quit")?, kill: table.text("kill")? };
    table.end()?;
    Ok(stop)
}

fn persona(mut table: Table<'_>) -> Checked<Persona> {
    Ok(Persona {
        title: table.text("title")?,
        tagline: table.string("tagline")?,
        accent: table.text("accent")?,
        emblem: table.text("emblem")?,
        starts: table.text("starts")?,
        pin: table.text("pin")?,
        unattended: table.flag("unattended")?,
        guest: table.word("guest")?,
        cartridge: table.text("cartridge")?,
        on_poweroff: table.word("on_poweroff")?,
        machine: machine(&mut table)?,
        name: table.need_and_end("name")?,
    })
}

impl Word for Theme {
    const WORDS: &'static [(&'static str, Self)] = &[("standard", Self::Standard), ("high-contrast", Self::HighContrast)];
}

impl Word for Option<Language> {
    const WORDS: &[(&str, Self)] = &[("auto", None), ("en", Some(Language::English)), ("de", Some(Language::German))];
}

impl Word for BindTime {
    const WORDS: &'static [(&'static str, Self)] = &[("boot", Self::Boot), ("launch", Self::Launch)];
}

impl Word for Backend {
    const WORDS: &'static [(&'static str, Self)] = &[("qemu", Self::Qemu), ("libvirt", Self::Libvirt)];
}

impl Word for Guest {
    const WORDS: &'static [(&'static str, Self)] = &[("linux", Self::Linux), ("windows", Self::Windows)];
}

impl Word for DiskBus {
    const WORDS: &'static [(&'static str, Self)] = &[("virtio", Self::Virtio), ("nvme", Self::Nvme)];
}

impl Word for GuestDisplay {
    const WORDS: &'static [(&'static str, Self)] = &[("none", Self::None), ("vnc", Self::Vnc)];
}

impl Word for OnPoweroff {
    const WORDS: &'static [(&'static str, Self)] = &[("menu", Self::Menu), ("poweroff", Self::Poweroff), ("host", Self::Host)];
}
