//! Converts the parsed file to checked settings.

use super::value::{Audio, Color, Cpus, MemorySize, NAMES, Network, Rotation, RunningWell, is_name, time};
use super::{
    Backend, BuiltInEmblem, DefaultPersona, DiskBus, Display, Emblem, Guest, GuestDisplay, Legion, MenuSettings, OnPoweroff, Passthrough,
    Persona, Settings, Starts, file,
};
use crate::config::Ladder;
use crate::config::document::{Checked, Problem, nearest, parsed};
use crate::config::pin::Pin;
use crate::sys::pci::{PciAddress, PciId};
use file::Scalar;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

const DEFAULT_ACCENT: Color = Color::rgb(0x8f, 0xa3, 0xbf);

const TIME_TO_FLUSH: Duration = Duration::from_secs(5);
const LONGEST_STOP: Duration = Duration::from_secs(30 * 60);

pub(super) fn check(file: file::File) -> Checked<Settings> {
    let personas = personas(&file)?;
    Ok(Settings { menu: menu(&file.menu, &personas)?, passthrough: passthrough(&file.legion.passthrough)?, personas })
}

fn menu(menu: &file::Menu, personas: &[Persona]) -> Checked<MenuSettings> {
    let default = match &menu.default {
        None => DefaultPersona::Named(personas[0].name.clone()),
        Some(name) if name.get_ref() == "last" => DefaultPersona::Last,
        Some(name) if personas.iter().any(|persona| persona.name == *name.get_ref()) => DefaultPersona::Named(name.get_ref().clone()),
        Some(name) => {
            let names = || personas.iter().map(|persona| persona.name.as_str());
            let problem = Problem::at(name.span(), format!("there is no persona `{}` to be the default", name.get_ref()));
            return Err(match nearest(name.get_ref(), names()) {
                Some(near) => problem.with_hint(format!("did you mean `{near}`?")),
                None => problem.with_hint(format!("name one of {}, or \"last\"", names().collect::<Vec<_>>().join(", "))),
            });
        }
    };
    let display = match &menu.display {
        None => Display::Auto,
        Some(text) if text.get_ref() == "auto" => Display::Auto,
        Some(text) => Display::At(address(text)?),
    };
    let usual = MenuSettings::default();
    Ok(MenuSettings {
        timeout: menu.timeout.as_ref().map_or(Ok(usual.timeout), parsed)?,
        default,
        display,
        early: menu.early.unwrap_or(usual.early),
        motion: menu.motion.unwrap_or(usual.motion),
        scale: menu.scale.as_ref().map_or(Ok(None), scale)?,
        rotation: menu.rotation.as_ref().map_or(Ok(None), rotation)?,
        high_contrast: menu.theme == Some(file::Theme::HighContrast),
        large_text: menu.large_text.unwrap_or(usual.large_text),
        font: menu.font.as_ref().map(|path| absolute(Some(path), "")).transpose()?,
        language: menu.language.and_then(file::MenuLanguage::language),
        beep: menu.beep.unwrap_or(usual.beep),
    })
}

/// "auto" becomes `None`.
fn scale(value: &Spanned<Scalar>) -> Checked<Option<f32>> {
    let scale = match value.get_ref() {
        Scalar::Text(word) if word == "auto" => return Ok(None),
        Scalar::Integer(number) => *number as f32,
        Scalar::Float(number) => *number as f32,
        _ => f32::NAN,
    };
    if (0.5..=3.0).contains(&scale) {
        return Ok(Some(scale));
    }
    Err(Problem::at(value.span(), "scale is \"auto\" or a number from 0.5 to 3").with_hint("1.5 makes all text 50 % larger"))
}

/// "auto" becomes `None`.
fn rotation(value: &Spanned<Scalar>) -> Checked<Option<Rotation>> {
    let rotation = match value.get_ref() {
        Scalar::Text(word) if word == "auto" => return Ok(None),
        Scalar::Integer(degrees) => Rotation::from_degrees(*degrees),
        _ => None,
    };
    rotation.map(Some).ok_or_else(|| {
        Problem::at(value.span(), "rotation is \"auto\" or one of 0, 90, 180, 270")
            .with_hint("the degrees by which the picture is turned clockwise on the panel")
    })
}

fn passthrough(entries: &[file::Passthrough]) -> Checked<Vec<Passthrough>> {
    let mut seen = BTreeSet::new();
    entries
        .iter()
        .map(|entry| {
            let device = address(&entry.device)?;
            if !seen.insert(device) {
                return Err(
                    Problem::at(entry.device.span(), format!("{device} is listed twice")).with_hint("remove one of the two entries")
                );
            }
            let id = entry.id.as_ref().map(parsed::<PciId>).transpose()?;
            let subsystem = entry.subsystem.as_ref().map(parsed::<PciId>).transpose()?;
            let romfile = entry.romfile.as_ref().map(|path| absolute(Some(path), "")).transpose()?;
            Ok(Passthrough { device, id, subsystem, label: entry.label.clone(), bind: entry.bind, rombar: entry.rombar, romfile })
        })
        .collect()
}

fn personas(file: &file::File) -> Checked<Vec<Persona>> {
    if file.personas.is_empty() {
        return Err(Problem {
            span: None,
            what: "there is no [[persona]]".into(),
            hint: Some("add at least one; starts = \"host\" needs nothing else".into()),
        });
    }
    let mut names = BTreeSet::new();
    file.personas
        .iter()
        .map(|entry| {
            let name = file_name(&entry.name, "a persona's name")?;
            // In menu.default, "last" means the remembered persona.
            if name == "last" {
                return Err(Problem::at(entry.name.span(), "a persona cannot be called `last`")
                    .with_hint("menu.default = \"last\" means the persona that last ran well; choose another name"));
            }
            if !names.insert(name.clone()) {
                return Err(Problem::at(entry.name.span(), format!("there are two personas named `{name}`"))
                    .with_hint("give one of them another name"));
            }
            let title = match &entry.title {
                None => capitalised(&name),
                Some(title) if title.get_ref().trim().is_empty() => {
                    return Err(Problem::at(title.span(), "the title is empty").with_hint("leave it out to use the name"));
                }
                Some(title) => title.get_ref().clone(),
            };
            Ok(Persona {
                title,
                tagline: entry.tagline.clone().unwrap_or_default(),
                accent: entry.accent.as_ref().map_or(Ok(DEFAULT_ACCENT), parsed)?,
                emblem: entry.emblem.as_ref().map_or(Ok(Emblem::Initial), emblem)?,
                starts: starts(entry, &file.legion, &name)?,
                pin: entry.pin.as_ref().map(pin).transpose()?,
                unattended: entry.unattended.unwrap_or(false),
                name,
            })
        })
        .collect()
}

/// A device's address; written as other programs write it, the hint has it in our way.
fn address(text: &Spanned<String>) -> Checked<PciAddress> {
    let hint = |problem: Problem| match text.get_ref().strip_prefix("pci_") {
        // libvirt's `pci_0000_0a_00_0`.
        Some(libvirt) => match libvirt.split('_').collect::<Vec<_>>()[..] {
            [domain, bus, device, function] => problem.with_hint(format!("write {domain}:{bus}:{device}.{function}")),
            _ => problem,
        },
        None if text.get_ref().split(':').next().is_some_and(|domain| domain.len() > 4) && text.get_ref().matches(':').count() == 2 => {
            problem.with_hint("a device behind Intel VMD goes with its controller (class 0104): list that one, see `lspci -nn`")
        }
        None => problem.with_hint("`lspci -D` lists the addresses"),
    };
    parsed(text).map_err(hint)
}

fn pin(text: &Spanned<String>) -> Checked<Pin> {
    parsed(text).map_err(|problem: Problem| problem.with_hint("make one with `persona pin`"))
}

fn starts(entry: &file::Persona, common: &file::Legion, name: &str) -> Checked<Starts> {
    match &entry.starts {
        None => {}
        Some(starts) if starts.get_ref() == "legion" => {}
        Some(starts) if starts.get_ref() == "host" => return Ok(Starts::Host),
        Some(starts) if is_unit_name(starts.get_ref()) => return Ok(Starts::Unit(starts.get_ref().clone())),
        Some(starts) => {
            return Err(Problem::at(starts.span(), format!("`{}` is not something a persona can start", starts.get_ref()))
                .with_hint("write \"legion\", \"host\" or the name of a systemd unit such as \"lab.service\""));
        }
    }
    let own = entry;
    let guest = entry.guest.unwrap_or(Guest::Linux);
    // Windows 11 requires both.
    let wants = |asked: Option<bool>| asked.unwrap_or(guest == Guest::Windows);
    Ok(Starts::Legion(Box::new(Legion {
        cartridge: entry.cartridge.as_ref().map_or(Ok(name.to_owned()), |cartridge| file_name(cartridge, "a cartridge's name"))?,
        guest,
        on_poweroff: entry.on_poweroff.unwrap_or(OnPoweroff::Menu),
        memory: own.memory.as_ref().or(common.memory.as_ref()).map_or(Ok(MemorySize::from_mebibytes(4096)), parsed)?,
        cpus: own.cpus.as_ref().or(common.cpus.as_ref()).map_or(Ok(Cpus::Count(2)), cpus)?,
        hugepages: own.hugepages.or(common.hugepages).unwrap_or(false),
        network: own.network.as_ref().or(common.network.as_ref()).map_or(Ok(Network::User), parsed)?,
        disk: own.disk.or(common.disk).unwrap_or(DiskBus::Virtio),
        audio: own.audio.as_ref().or(common.audio.as_ref()).map_or(Ok(Audio::None), parsed)?,
        display: own.display.or(common.display).unwrap_or(GuestDisplay::None),
        secure_boot: wants(own.secure_boot.or(common.secure_boot)),
        tpm: wants(own.tpm.or(common.tpm)),
        cartridges: absolute(own.cartridges.as_ref().or(common.cartridges.as_ref()), "/var/lib/legion/cartridges")?,
        slot: absolute(own.slot.as_ref().or(common.slot.as_ref()), "/var/lib/legion/slot")?,
        stop: own.stop.as_ref().or(common.stop.as_ref()).map_or(Ok(Ladder::default()), stop)?,
        running_well: own.running_well.as_ref().or(common.running_well.as_ref()).map_or(Ok(RunningWell::USUAL), parsed)?,
        extra_args: own.extra_args.as_ref().or(common.extra_args.as_ref()).map_or(Ok(Vec::new()), |words| arguments(words))?,
        backend: own.backend.or(common.backend).unwrap_or(Backend::Qemu),
        domain: own.domain.as_ref().or(common.domain.as_ref()).map_or(Ok("legion".to_owned()), domain_name)?,
    })))
}

fn duration(text: &Spanned<String>) -> Checked<Duration> {
    time(text.get_ref()).map_err(|wrong| Problem::at(text.span(), wrong))
}

/// The rungs must follow each other, and QEMU must have time to flush the disk before it is killed.
fn stop(given: &Spanned<file::Stop>) -> Checked<Ladder> {
    let (span, given) = (given.span(), given.get_ref());
    let usual = Ladder::default();
    let at = |key: &Option<Spanned<String>>, usual| key.as_ref().map_or(Ok(usual), duration);
    let ladder = Ladder { again: at(&given.again, usual.again)?, quit: at(&given.quit, usual.quit)?, kill: at(&given.kill, usual.kill)? };
    if ladder.again <= ladder.quit && ladder.quit + TIME_TO_FLUSH <= ladder.kill && ladder.kill <= LONGEST_STOP {
        return Ok(ladder);
    }
    let Ladder { again, quit, kill } = ladder;
    Err(Problem::at(span, format!("invalid order of the stop times: again {again:?}, quit {quit:?}, kill {kill:?}"))
        .with_hint("all three are counted from the request: again <= quit, quit + 5s <= kill, kill <= 30m"))
}

fn cpus(value: &Spanned<Scalar>) -> Checked<Cpus> {
    match value.get_ref() {
        Scalar::Integer(count) => Cpus::from_count(*count),
        Scalar::Text(list) => list.parse(),
        _ => Err("cpus is a number such as 12, or a list of host CPUs such as \"4-15\"".into()),
    }
    .map_err(|wrong| Problem::at(value.span(), wrong))
}

fn file_name(name: &Spanned<String>, what: &str) -> Checked<String> {
    let text = name.get_ref();
    if is_name(text) { Ok(text.clone()) } else { Err(Problem::at(name.span(), format!("`{text}` cannot be {what}")).with_hint(NAMES)) }
}

/// libvirt itself allows almost any name, but `virsh` reads a number as a running domain's ID, and a word that starts with a dash as an
/// option.
fn domain_name(name: &Spanned<String>) -> Checked<String> {
    let text = name.get_ref();
    let harmless = (1..=64).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && !text.bytes().all(|b| b.is_ascii_digit());
    if harmless {
        Ok(text.clone())
    } else {
        Err(Problem::at(name.span(), format!("`{text}` cannot be a domain's name")).with_hint(
            "use letters, digits, \"-\", \"_\" and \".\" only, at most 64 of them, a letter or digit first and not digits alone",
        ))
    }
}

fn emblem(text: &Spanned<String>) -> Checked<Emblem> {
    let word = text.get_ref();
    if let Some((_, emblem)) = BuiltInEmblem::ALL.iter().find(|(name, _)| name == word) {
        return Ok(Emblem::BuiltIn(*emblem));
    }
    if Path::new(word).is_absolute() {
        return Ok(Emblem::Png(PathBuf::from(word)));
    }
    let names = || BuiltInEmblem::ALL.iter().map(|(name, _)| *name);
    let problem = Problem::at(text.span(), format!("`{word}` is not an emblem"));
    Err(match nearest(word, names()) {
        Some(near) => problem.with_hint(format!("did you mean `{near}`?")),
        None => problem.with_hint(format!("take one of {}, or the absolute path of a PNG", names().collect::<Vec<_>>().join(", "))),
    })
}

fn absolute(path: Option<&Spanned<String>>, default: &str) -> Checked<PathBuf> {
    match path {
        None => Ok(PathBuf::from(default)),
        Some(path) if path.get_ref().contains(char::is_control) => {
            Err(Problem::at(path.span(), "there is a control character in this path").with_hint("remove it, or rename the file"))
        }
        Some(path) if path.get_ref().starts_with('/') => Ok(PathBuf::from(path.get_ref())),
        Some(path) => {
            Err(Problem::at(path.span(), format!("`{}` is not an absolute path", path.get_ref())).with_hint("begin it with \"/\""))
        }
    }
}

/// The kernel ends an argument at its first NUL.
fn arguments(words: &[Spanned<String>]) -> Checked<Vec<String>> {
    let argument = |word: &Spanned<String>| match word.get_ref() {
        text if text.contains('\0') => Err(Problem::at(word.span(), "no argument can hold a NUL").with_hint("remove it")),
        text => Ok(text.clone()),
    };
    words.iter().map(argument).collect()
}

/// systemd's rule for unit names (`systemd.unit(5)`), with the suffixes of units that can be started by hand.
fn is_unit_name(name: &str) -> bool {
    let Some((prefix, suffix)) = name.rsplit_once('.') else { return false };
    (1..256).contains(&name.len())
        && !prefix.is_empty()
        && !prefix.starts_with('-')
        && prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b))
        && ["service", "target", "socket", "timer", "path", "mount", "slice", "scope"].contains(&suffix)
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
