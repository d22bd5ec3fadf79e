//! The position of the highlight as beeps of the PC speaker, for users who cannot see it: one beep at the first
//! persona, two at the second, and so on.

use crate::sys::file;
use crate::sys::paths::Paths;
use evdev::raw_stream::RawDevice;
use evdev::{EventType, InputEvent, SoundCode};
use nix::libc::O_NONBLOCK;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

/// In hertz.
const TONE: i32 = 880;
const SHORT: Duration = Duration::from_millis(40);
const PAUSE: Duration = Duration::from_millis(60);

/// More beeps than this are hard to count: one long beep stands for all later positions.
const MAX_TONES: usize = 9;
const LONG: Duration = Duration::from_millis(400);

/// A row of beeps, as changes of the tone in time. Each change is timed from the one before, so that a late call makes beeps longer but
/// loses none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Beeps {
    left: usize,
    length: Duration,
    sounds: bool,
    next_change: Option<Duration>,
}

impl Beeps {
    /// Begins anew, for the position counted from 0.
    fn play(&mut self, position: usize, now: Duration) {
        let (left, length) = if position < MAX_TONES { (position + 1, SHORT) } else { (1, LONG) };
        *self = Self { left, length, sounds: self.sounds, next_change: Some(now) };
    }

    /// The tone from now on in hertz, 0 for silence; none if it stays as it is.
    fn due(&mut self, now: Duration) -> Option<i32> {
        self.next_change.filter(|&change| change <= now)?;
        self.sounds = !self.sounds;
        if self.sounds {
            self.left -= 1;
            self.next_change = Some(now + self.length);
            return Some(TONE);
        }
        self.next_change = (self.left > 0).then_some(now + PAUSE);
        Some(0)
    }
}

/// The PC speaker. Dropping it silences it.
pub struct Beeper {
    paths: Paths,
    speaker: Option<RawDevice>,
    beeps: Beeps,
}

impl Beeper {
    /// A beeper that looks for the speaker when there is something to play: its driver may come late.
    pub fn new(paths: &Paths) -> Self {
        Self { paths: paths.clone(), speaker: None, beeps: Beeps::default() }
    }

    /// Starts the beeps for a position, counted from 0, replacing any that still play. Without a speaker it does nothing.
    pub fn step(&mut self, position: usize, now: Duration) {
        if self.speaker.is_none() {
            self.speaker = speaker(&self.paths)
                .and_then(|node| open(&node).inspect_err(|error| log::info!("no beeps by {}: {error}", node.display())).ok());
        }
        if self.speaker.is_some() {
            self.beeps.play(position, now);
            self.tick(now);
        }
    }

    /// When to call [`Beeper::tick`] again.
    pub fn deadline(&self) -> Option<Duration> {
        self.beeps.next_change
    }

    /// Plays what is due. It never waits.
    pub fn tick(&mut self, now: Duration) {
        if let Some(tone) = self.beeps.due(now) {
            self.sound(tone);
        }
    }

    fn sound(&mut self, hertz: i32) {
        let Some(speaker) = &mut self.speaker else { return };
        if let Err(error) = speaker.send_events(&[tone(hertz)]) {
            log::info!("the PC speaker is gone: {error}");
            self.speaker = None;
            self.beeps = Beeps::default();
        }
    }
}

/// Silences the PC speaker after a menu that died within a tone: the kernel lets it sound on.
pub fn silence(paths: &Paths) {
    let silenced = speaker(paths).map(|node| open(&node)?.send_events(&[tone(0)]));
    if let Some(Err(error)) = silenced {
        log::debug!("silencing the PC speaker: {error}");
    }
}

fn tone(hertz: i32) -> InputEvent {
    InputEvent::new(EventType::SOUND.0, SoundCode::SND_TONE.0, hertz)
}

impl Drop for Beeper {
    fn drop(&mut self) {
        if self.beeps.sounds {
            self.sound(0);
        }
    }
}

fn open(node: &std::path::Path) -> io::Result<RawDevice> {
    let file = OpenOptions::new().read(true).write(true).custom_flags(O_NONBLOCK).open(node)?;
    RawDevice::try_from(file)
}

/// The evdev node of a device that plays tones, if there is one.
fn speaker(paths: &Paths) -> Option<PathBuf> {
    let devices = fs::read_dir(paths.input_class()).ok()?.flatten();
    let nodes = devices.filter(|entry| entry.file_name().to_string_lossy().starts_with("event"));
    let plays = |sounds: &str| {
        let lowest = sounds.split_whitespace().next_back().and_then(|word| u64::from_str_radix(word, 16).ok());
        lowest.is_some_and(|bits| bits >> SoundCode::SND_TONE.0 & 1 == 1)
    };
    let mut speakers = nodes.filter(|entry| file::read_text(entry.path().join("device/capabilities/snd")).is_ok_and(|text| plays(&text)));
    speakers.next().map(|entry| paths.input_nodes().join(entry.file_name()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// All changes of the tone, for a caller that is always on time.
    fn changes(beeps: &mut Beeps) -> Vec<(Duration, i32)> {
        std::iter::from_fn(|| beeps.next_change.and_then(|now| Some((now, beeps.due(now)?)))).collect()
    }

    #[test]
    fn the_position_is_counted_in_short_beeps() {
        let mut beeps = Beeps::default();
        beeps.play(1, ms(1000));
        assert_eq!(changes(&mut beeps), [(ms(1000), TONE), (ms(1040), 0), (ms(1100), TONE), (ms(1140), 0)]);
        assert_eq!(beeps.due(ms(9999)), None);
        for position in 0..9 {
            beeps.play(position, ms(0));
            assert_eq!(changes(&mut beeps).len(), 2 * (position + 1));
        }
    }

    #[test]
    fn beyond_nine_it_is_one_long_beep() {
        for position in [9, 11, usize::MAX] {
            let mut beeps = Beeps::default();
            beeps.play(position, ms(0));
            assert_eq!(changes(&mut beeps), [(ms(0), TONE), (ms(400), 0)]);
        }
    }

    #[test]
    fn a_step_while_it_beeps_begins_anew_after_a_pause() {
        let mut beeps = Beeps::default();
        beeps.play(8, ms(0));
        assert_eq!(beeps.due(ms(0)), Some(TONE));
        beeps.play(0, ms(20));
        assert_eq!(changes(&mut beeps), [(ms(20), 0), (ms(80), TONE), (ms(120), 0)]);
    }

    #[test]
    fn the_speaker_is_the_device_with_tones() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path(), None);
        assert_eq!(speaker(&paths), None);
        for (name, sounds) in [("event0", "0\n"), ("event1", "2\n"), ("event7", "6\n"), ("js0", "6\n")] {
            let capabilities = paths.input_class().join(name).join("device/capabilities");
            fs::create_dir_all(&capabilities).unwrap();
            fs::write(capabilities.join("snd"), sounds).unwrap();
        }
        assert_eq!(speaker(&paths), Some(paths.input_nodes().join("event7")));
    }

    #[test]
    fn without_a_speaker_nothing_is_due() {
        let folder = tempfile::tempdir().unwrap();
        let mut beeper = Beeper::new(&Paths::new(folder.path(), None));
        beeper.step(3, ms(0));
        assert_eq!(beeper.deadline(), None);
    }

    proptest! {
        #[test]
        fn however_late_somebody_comes_every_beep_is_heard_and_then_silence(position in 0..12usize, delays in proptest::collection::vec(0..500u64, 20)) {
            let mut beeps = Beeps::default();
            beeps.play(position, ms(0));
            let mut tones = Vec::new();
            for delay in delays {
                if let Some(change) = beeps.next_change {
                    tones.extend(beeps.due(change + ms(delay)));
                }
            }
            prop_assert_eq!(tones.iter().filter(|&&tone| tone == TONE).count(), if position < MAX_TONES { position + 1 } else { 1 });
            prop_assert_eq!(tones.last(), Some(&0));
            prop_assert_eq!(beeps.next_change, None);
        }
    }
}
