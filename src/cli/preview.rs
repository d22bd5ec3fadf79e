//! Options of `persona preview`.

use super::parse::{Words, one_of, path};
use crate::commands::preview::{Preview, Protocol, State, size};
use clap::{Args, ValueHint};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct PreviewArgs {
    /// The highlighted persona; the default if left out
    name: Option<String>,
    /// What the menu shows
    #[arg(long, value_name = "STATE", default_value = "countdown", value_parser = one_of(STATES))]
    state: State,
    /// The screen's size in pixels
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1920x1080", value_parser = size)]
    size: (u32, u32),
    /// The PNG file; standard output if left out
    #[arg(long, value_name = "FILE", value_parser = path(), value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,
    /// Print the menu as text, as on a console without a usable card
    #[arg(long, conflicts_with_all = ["size", "out"])]
    text: bool,
    /// Show the menu in this terminal, with simulated launches; `q` ends it. The graphics protocol is detected, or set: --live=kitty
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, value_parser = one_of(PROTOCOLS),
        conflicts_with_all = ["size", "out", "text", "state"])]
    live: Option<Option<Protocol>>,
}

impl From<PreviewArgs> for Preview {
    fn from(PreviewArgs { name, state, size, out, text, live }: PreviewArgs) -> Self {
        Self { name, state, size, out, text, live }
    }
}

const STATES: &Words<State> = &[
    ("countdown", "The default starts soon", State::Countdown),
    ("waiting", "Waiting for a choice", State::Waiting),
    ("picked", "The cartridge moves into the slot", State::Picked),
    ("starting", "The steps of the launch", State::Starting),
    ("running", "Which monitor to look at", State::Running),
    ("failed", "Why legion does not run", State::Failed),
    ("pin", "PIN entry of a locked persona", State::Pin),
    ("power", "The power menu", State::Power),
    ("help", "What the keys do", State::Help),
    ("broken", "Settings that cannot be used", State::Broken),
];

const PROTOCOLS: &Words<Protocol> =
    &[("kitty", "Kitty's graphics protocol", Protocol::Kitty), ("blocks", "Half blocks in 24-bit colour", Protocol::Blocks)];
