//! The shape of the settings file, before anything in it is checked for meaning.

use super::message::Problem;
use super::{Backend, BindTime, DiskBus, Guest, GuestDisplay, OnPoweroff};
use serde::Deserialize;
use std::path::PathBuf;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) menu: Menu,
    #[serde(default)]
    pub(super) legion: Legion,
    #[serde(default)]
    pub(super) persona: Vec<Persona>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Menu {
    pub(super) timeout: Option<Spanned<String>>,
    pub(super) default: Option<Spanned<String>>,
    pub(super) display: Option<Spanned<String>>,
    pub(super) motion: Option<bool>,
    pub(super) scale: Option<Spanned<toml::Value>>,
    pub(super) rotation: Option<Spanned<toml::Value>>,
    pub(super) theme: Option<Theme>,
    pub(super) large_text: Option<bool>,
    pub(super) beep: Option<bool>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Theme {
    Standard,
    HighContrast,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Legion {
    pub(super) memory: Option<Spanned<String>>,
    pub(super) cpus: Option<Spanned<toml::Value>>,
    pub(super) hugepages: Option<bool>,
    pub(super) network: Option<Spanned<String>>,
    pub(super) disk: Option<DiskBus>,
    pub(super) audio: Option<Spanned<String>>,
    pub(super) display: Option<GuestDisplay>,
    pub(super) secure_boot: Option<bool>,
    pub(super) tpm: Option<bool>,
    pub(super) cartridges: Option<Spanned<PathBuf>>,
    pub(super) slot: Option<Spanned<PathBuf>>,
    pub(super) stop: Option<Spanned<Stop>>,
    pub(super) running_well: Option<Spanned<String>>,
    pub(super) extra_args: Option<Vec<Spanned<String>>>,
    pub(super) backend: Option<Backend>,
    pub(super) domain: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) passthrough: Vec<Passthrough>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Stop {
    pub(super) again: Option<Spanned<String>>,
    pub(super) quit: Option<Spanned<String>>,
    pub(super) kill: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Passthrough {
    pub(super) device: Spanned<String>,
    pub(super) id: Option<Spanned<String>>,
    pub(super) subsystem: Option<Spanned<String>>,
    pub(super) label: Option<String>,
    pub(super) bind: Option<BindTime>,
    pub(super) rombar: Option<bool>,
    pub(super) romfile: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
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
    pub(super) memory: Option<Spanned<String>>,
    pub(super) cpus: Option<Spanned<toml::Value>>,
    pub(super) hugepages: Option<bool>,
    pub(super) network: Option<Spanned<String>>,
    pub(super) disk: Option<DiskBus>,
    pub(super) audio: Option<Spanned<String>>,
    pub(super) display: Option<GuestDisplay>,
    pub(super) secure_boot: Option<bool>,
    pub(super) tpm: Option<bool>,
    pub(super) cartridges: Option<Spanned<PathBuf>>,
    pub(super) slot: Option<Spanned<PathBuf>>,
    pub(super) stop: Option<Spanned<Stop>>,
    pub(super) running_well: Option<Spanned<String>>,
    pub(super) extra_args: Option<Vec<Spanned<String>>>,
    pub(super) backend: Option<Backend>,
    pub(super) domain: Option<Spanned<String>>,
}

impl File {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        toml::from_str(text).map_err(|error| Problem::from_toml(&error))
    }
}
