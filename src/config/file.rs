//! The structure of the settings file, before its values are checked. Where each value stands is kept for messages.

use super::{Backend, BindTime, DiskBus, Guest, GuestDisplay, OnPoweroff};
use persona_paint::Language;
use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) menu: Menu,
    #[serde(default)]
    pub(super) legion: Legion,
    #[serde(default, rename = "persona")]
    pub(super) personas: Vec<Persona>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
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
    pub(super) language: Option<MenuLanguage>,
    pub(super) font: Option<Spanned<String>>,
    pub(super) beep: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Theme {
    Standard,
    HighContrast,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) enum MenuLanguage {
    #[serde(rename = "auto")]
    Auto,
    #[serde(rename = "en")]
    English,
    #[serde(rename = "de")]
    German,
}

impl MenuLanguage {
    /// `None` is the host's.
    pub(super) fn language(self) -> Option<Language> {
        match self {
            Self::Auto => None,
            Self::English => Some(Language::English),
            Self::German => Some(Language::German),
        }
    }
}

/// A value that may be of several types; what is of none of them is refused where it is checked.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Scalar {
    Integer(i64),
    Float(f64),
    Text(String),
    Other(IgnoredAny),
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
    pub(super) romfile: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stop {
    pub(super) again: Option<Spanned<String>>,
    pub(super) quit: Option<Spanned<String>>,
    pub(super) kill: Option<Spanned<String>>,
}

/// A table with these keys and those of legion's hardware, which `[legion]` sets for all personas and a persona for itself. serde's
/// `flatten` would lose where the values stand.
macro_rules! with_hardware {
    ($(#[$attribute:meta])* struct $name:ident { $($(#[$key_attribute:meta])* $key:ident: $type:ty,)* }) => {
        $(#[$attribute])*
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$key_attribute])* pub(super) $key: $type,)*
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
            pub(super) stop: Option<Spanned<Stop>>,
            pub(super) running_well: Option<Spanned<String>>,
            pub(super) extra_args: Option<Vec<Spanned<String>>>,
            pub(super) backend: Option<Backend>,
            pub(super) domain: Option<Spanned<String>>,
        }
    };
}

with_hardware! {
    #[derive(Default)]
    struct Legion {
        #[serde(default)]
        passthrough: Vec<Passthrough>,
    }
}

with_hardware! {
    struct Persona {
        name: Spanned<String>,
        title: Option<Spanned<String>>,
        tagline: Option<String>,
        accent: Option<Spanned<String>>,
        emblem: Option<Spanned<String>>,
        starts: Option<Spanned<String>>,
        pin: Option<Spanned<String>>,
        unattended: Option<bool>,
        guest: Option<Guest>,
        cartridge: Option<Spanned<String>>,
        on_poweroff: Option<OnPoweroff>,
    }
}
