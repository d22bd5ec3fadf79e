//! Single values of the settings: durations, sizes, CPUs, colours, networks.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub use persona_paint::Color;

/// How long the menu waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeout {
    /// For ever.
    Never,
    /// This long; zero starts the default at once.
    After(Duration),
}

impl FromStr for Timeout {
    type Err = String;

    /// Reads a [`time`] or `never`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "never" => Ok(Self::Never),
            _ => time(text).map(Self::After).map_err(|wrong| wrong + "; \"never\" waits for ever"),
        }
    }
}

/// The longest time that a setting can be: a day keeps every later sum of instants far from overflow.
const MAX_DURATION: Duration = Duration::from_secs(24 * 3600);

/// Reads `10s`, `1m30s`, `1500ms`, `2min` and `0s`.
///
/// # Errors
/// When it is no time, or longer than a day.
pub fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time such as \"10s\" or \"1m30s\"");
    let total = humantime::parse_duration(text.trim()).map_err(|_| wrong())?;
    if total > MAX_DURATION { Err(format!("`{text}` is longer than a day")) } else { Ok(total) }
}

/// When a guest counts as running well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RunningWell {
    /// After it has run for this long.
    After(Duration),
    /// Once its guest agent answers.
    Agent,
}

impl RunningWell {
    /// A minute: long enough for a guest to fail at booting.
    pub const USUAL: Self = Self::After(Duration::from_secs(60));
}

impl FromStr for RunningWell {
    type Err = String;

    /// Reads a [`time`] or `agent`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "agent" => Ok(Self::Agent),
            _ => time(text).map(Self::After).map_err(|wrong| wrong + "; \"agent\" waits for the guest's agent"),
        }
    }
}

impl TryFrom<String> for RunningWell {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<RunningWell> for String {
    fn from(value: RunningWell) -> Self {
        value.to_string()
    }
}

impl fmt::Display for RunningWell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(time) => write!(f, "{}ms", time.as_millis()),
            Self::Agent => f.write_str("agent"),
        }
    }
}

/// Whether this can be the name of a persona, a cartridge or a snapshot. Names become file names, unit arguments and command-line
/// arguments: only characters that are safe in all of these are allowed.
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The hint for an invalid name.
pub const NAMES: &str = "use a-z, 0-9 and \"-\" only, at most 64 of them, not \"-\" first";

/// The clockwise rotation of the picture on its panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rotation {
    /// Not at all.
    #[default]
    None,
    /// By 90 degrees.
    Right,
    /// By 180 degrees.
    UpsideDown,
    /// By 270 degrees.
    Left,
}

impl Rotation {
    /// The rotation by this many degrees, if they are a multiple of 90 below 360.
    pub fn from_degrees(degrees: i64) -> Option<Self> {
        Some(match degrees {
            0 => Self::None,
            90 => Self::Right,
            180 => Self::UpsideDown,
            270 => Self::Left,
            _ => return None,
        })
    }
}

/// An amount of memory, in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemorySize {
    mebibytes: u64,
}

impl MemorySize {
    /// So many MiB.
    pub const fn mebibytes(self) -> u64 {
        self.mebibytes
    }

    /// That many MiB.
    pub const fn from_mebibytes(mebibytes: u64) -> Self {
        Self { mebibytes }
    }
}

impl fmt::Display for MemorySize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mebibytes {
            mebibytes if mebibytes % 1024 == 0 => write!(f, "{}G", mebibytes / 1024),
            mebibytes => write!(f, "{mebibytes}M"),
        }
    }
}

impl FromStr for MemorySize {
    type Err = String;

    /// Reads `24G` and `512M` (binary units; `GiB` and `MiB` too).
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an amount of memory such as \"24G\" or \"512M\"");
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(digits);
        let factor = match unit {
            "M" | "MiB" => 1,
            "G" | "GiB" => 1024,
            _ => return Err(wrong()),
        };
        match number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)) {
            Some(mebibytes @ 64..=16_777_216) => Ok(Self { mebibytes }),
            _ => Err(format!("`{text}` is out of range: legion can have 64M to 16384G")),
        }
    }
}

/// Virtual CPUs, and where they run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cpus {
    /// This many, wherever the host schedules them.
    Count(u16),
    /// One pinned to each of these host CPUs, in ascending order.
    Pinned(Vec<u16>),
}

impl Cpus {
    /// How many virtual CPUs.
    pub fn count(&self) -> usize {
        match self {
            Self::Count(count) => usize::from(*count),
            Self::Pinned(host) => host.len(),
        }
    }
}

/// The maximum number of CPUs of QEMU's q35 machine.
const MOST_CPUS: u16 = 1024;

impl Cpus {
    /// A count, as the settings file gives it: a number.
    ///
    /// # Errors
    /// When QEMU's machine cannot have that many.
    pub fn from_count(count: i64) -> Result<Self, String> {
        match u16::try_from(count) {
            Ok(count @ 1..=MOST_CPUS) => Ok(Self::Count(count)),
            _ => Err(format!("{count} CPUs are out of range: legion can have 1 to {MOST_CPUS}")),
        }
    }
}

impl FromStr for Cpus {
    type Err = String;

    /// Reads a list of host CPUs as the kernel writes them: `4-15`, `0,2,4-7`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a list of host CPUs such as \"4-15\" or \"0,2,4-7\"");
        let mut host = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.trim().parse::<u16>().ok().filter(|cpu| *cpu < 8192).ok_or_else(wrong);
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return Err(wrong());
            }
            host.extend(first..=last);
        }
        host.sort_unstable();
        host.dedup();
        if host.len() > usize::from(MOST_CPUS) {
            return Err(format!("`{text}` names {} CPUs; legion can have at most {MOST_CPUS}", host.len()));
        }
        Ok(Self::Pinned(host))
    }
}

/// The virtual network card's peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// QEMU's own NAT.
    User,
    /// No network card.
    None,
    /// A bridge of the host.
    Bridge(String),
    /// A network interface of the host, with legion's own MAC address (macvtap).
    Macvtap(String),
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "user" => Ok(Self::User),
            "none" => Ok(Self::None),
            _ => match text.split_once(':') {
                Some(("bridge", name)) if is_interface_name(name) => Ok(Self::Bridge(name.to_owned())),
                Some(("macvtap", name)) if is_interface_name(name) => Ok(Self::Macvtap(name.to_owned())),
                _ => Err(format!("`{text}` is not a network: \"user\", \"none\", \"bridge:br0\" or \"macvtap:eth0\"")),
            },
        }
    }
}

/// The kernel's own rule for interface names (`dev_valid_name`), without characters that are special in options of `ip` and QEMU.
fn is_interface_name(name: &str) -> bool {
    (1..16).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// Where the virtual sound card plays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audio {
    /// There is no virtual sound card.
    None,
    /// An ALSA device of the host, by name. Not `default`, which mixes in a separate process: QEMU may not start any.
    Alsa(String),
    /// A PulseAudio server (or PipeWire, which has the same protocol), by the address of its socket.
    Pulse(String),
}

impl FromStr for Audio {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The rest is interpreted by libasound and libpulse.
        let is_name = |name: &str| !name.is_empty() && !name.contains(char::is_control);
        match text.split_once(':') {
            None if text == "none" => Ok(Self::None),
            Some(("alsa", device)) if is_name(device) && device != "default" => Ok(Self::Alsa(device.to_owned())),
            Some(("pulse", server)) if is_name(server) => Ok(Self::Pulse(server.to_owned())),
            _ => Err(format!("`{text}` is not a place for sound: \"none\", \"alsa:plughw:0,0\" or \"pulse:unix:/run/pulse/native\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let after = |milliseconds| Ok(Timeout::After(Duration::from_millis(milliseconds)));
        assert_eq!("10s".parse(), after(10_000));
        assert_eq!("1m30s".parse(), after(90_000));
        assert_eq!("0s".parse(), after(0));
        assert_eq!("1500ms".parse(), after(1500));
        assert_eq!("2h".parse(), after(7_200_000));
        assert_eq!("never".parse(), Ok(Timeout::Never));
        for text in ["", "10", "s", "-1s", "25h", "99999999999999999999s", "1441min", "10 s x"] {
            assert!(text.parse::<Timeout>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_guest_runs_well_after_a_time_or_by_its_own_word() {
        for rule in [RunningWell::USUAL, RunningWell::Agent, RunningWell::After(Duration::from_millis(1500))] {
            assert_eq!(rule.to_string().parse(), Ok(rule));
        }
        assert!("never".parse::<RunningWell>().is_err_and(|wrong| wrong.contains("\"agent\"")));
    }

    #[test]
    fn memory() {
        assert_eq!("24G".parse::<MemorySize>().map(MemorySize::mebibytes), Ok(24 * 1024));
        assert_eq!("512M".parse::<MemorySize>().map(|size| size.to_string()), Ok("512M".to_owned()));
        for text in ["", "24", "24g", "0G", "63M", "18446744073709551615G", "1.5G"] {
            assert!(text.parse::<MemorySize>().is_err(), "{text}");
        }
    }

    #[test]
    fn cpus() {
        assert_eq!("0,2,4-6,5".parse(), Ok(Cpus::Pinned(vec![0, 2, 4, 5, 6])));
        assert!(Cpus::from_count(0).is_err());
        assert_eq!(Cpus::from_count(12), Ok(Cpus::Count(12)));
        for text in ["", "-", "7-4", "a", "1,,2", "0-65535"] {
            assert!(text.parse::<Cpus>().is_err(), "{text}");
        }
    }

    #[test]
    fn networks_cannot_break_out_of_their_argument() {
        assert_eq!("bridge:br0".parse(), Ok(Network::Bridge("br0".into())));
        assert_eq!("macvtap:enp5s0".parse(), Ok(Network::Macvtap("enp5s0".into())));
        for text in ["", "bridge:", "bridge:br0,script=/bin/sh", "bridge:a-name-that-is-too-long", "tap", "macvtap:-d", "bridge:.."] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn sound_goes_to_what_the_owner_names() {
        assert_eq!("alsa:plughw:0,3".parse(), Ok(Audio::Alsa("plughw:0,3".into())));
        assert_eq!("pulse:unix:/run/pulse/native".parse(), Ok(Audio::Pulse("unix:/run/pulse/native".into())));
        for text in ["", "alsa", "alsa:", "alsa:default", "pulse:\n", "spice", "none:"] {
            assert!(text.parse::<Audio>().is_err(), "{text}");
        }
    }
}
