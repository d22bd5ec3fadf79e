//! The commands, chosen at random among those that can succeed now.

use super::bench::{Bench, NAMES};
use super::random::Random;
use persona::error::{Context, Result};
use std::fmt;
use std::process::Command;

/// A command of Persona's, with what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    Create(String),
    Import(String),
    Remove(String),
    Save(String, String),
    Restore(String, String),
    Forget(String, String),
    Insert(String),
    Next(String),
    Clear,
    Default(String),
}

impl Operation {
    pub(super) fn random(bench: &Bench, random: &mut Random) -> Self {
        let name = random.one_of(&NAMES).to_owned();
        let Some(there) = bench.expected.get(&name) else {
            return if random.below(2) == 0 { Self::Create(name) } else { Self::Import(name) };
        };
        let labels: Vec<String> = there.snapshots.keys().cloned().collect();
        let free = ["one", "two", "three"].into_iter().find(|label| !there.snapshots.contains_key(*label)).map(str::to_owned);
        match (random.below(20), free) {
            (0, _) if bench.slot.as_ref() != Some(&name) => Self::Remove(name),
            (1..=5, Some(label)) => Self::Save(name, label),
            (6..=9, _) if !labels.is_empty() => Self::Restore(name, random.one_of(&labels)),
            (10..=12, _) if !labels.is_empty() => Self::Forget(name, random.one_of(&labels)),
            (13..=14, _) => Self::Insert(name),
            (15..=16, _) => Self::Next(name),
            (17, _) if bench.next.is_some() => Self::Clear,
            (18..=19, _) => Self::Default(name),
            (_, Some(label)) => Self::Save(name, label),
            _ => Self::Default(name),
        }
    }

    /// Its kind.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Import(_) => "import",
            Self::Remove(_) => "remove",
            Self::Save(..) => "save",
            Self::Restore(..) => "restore",
            Self::Forget(..) => "forget",
            Self::Insert(_) => "insert",
            Self::Next(_) => "next",
            Self::Clear => "next --clear",
            Self::Default(_) => "default",
        }
    }

    /// The cartridge that it is about.
    pub(super) fn cartridge(&self) -> Option<&str> {
        match self {
            Self::Create(name) | Self::Import(name) | Self::Remove(name) => Some(name),
            Self::Save(name, _) | Self::Restore(name, _) | Self::Forget(name, _) => Some(name),
            Self::Insert(_) | Self::Next(_) | Self::Clear | Self::Default(_) => None,
        }
    }

    /// Whether it runs `qemu-img`.
    pub(super) fn runs_tools(&self) -> bool {
        matches!(self, Self::Create(_) | Self::Import(_) | Self::Save(..) | Self::Restore(..) | Self::Forget(..))
    }

    /// The process that does it. No command for people moves the slot: this program does it, with Persona's own code.
    pub(super) fn command(&self, bench: &Bench) -> Result<Command> {
        let arguments = match self {
            Self::Insert(name) => {
                let mut command = Command::new(std::env::current_exe().context(|| "finding this program".to_owned())?);
                command.arg("insert").arg(bench.root()).arg(name);
                return Ok(command);
            }
            Self::Create(name) => vec!["cartridge", "create", name, "--size", "1M"],
            Self::Import(name) => vec!["cartridge", "import", name, "/images/old.raw"],
            Self::Remove(name) => vec!["cartridge", "remove", name, "--yes"],
            Self::Save(name, label) => vec!["cartridge", "save", name, label],
            Self::Restore(name, label) => vec!["cartridge", "restore", name, label],
            Self::Forget(name, label) => vec!["cartridge", "forget", name, label],
            Self::Next(name) => vec!["next", name],
            Self::Clear => vec!["next", "--clear"],
            Self::Default(name) => vec!["default", name],
        };
        bench.persona(&arguments)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Save(name, label) | Self::Restore(name, label) | Self::Forget(name, label) => write!(f, " {name} {label}"),
            Self::Insert(name) | Self::Next(name) | Self::Default(name) => write!(f, " {name}"),
            _ => self.cartridge().map_or(Ok(()), |name| write!(f, " {name}")),
        }
    }
}
