//! A persona's PIN: its hash as it stands in the settings, and the pace of wrong tries.
//!
//! A PIN keeps the wrong person from picking a persona at the menu. It keeps nothing from root, and few digits are soon
//! guessed by who has the hash: it is no substitute for encrypting what the cartridge holds.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{ARGON2ID_IDENT, Argon2, Params, Version};
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// How many digits a PIN may have.
pub const LENGTH: RangeInclusive<usize> = 4..=12;

/// The most that verifying a PIN may cost: memory in KiB, passes over it, lanes. `persona pin` asks for 19 MiB and two
/// passes, as OWASP's Password Storage Cheat Sheet does; other tools ask for up to 64 MiB.
const MOST: (u32, u32, u32) = (64 * 1024, 8, 8);

/// The salt's length in bytes that the specification recommends (RFC 9106, 3.1), and the least that it allows.
pub const SALT: usize = 16;
const LEAST_SALT: usize = 8;

/// A PIN's argon2id hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(PasswordHash);

impl Pin {
    /// The hash of these digits. Takes tens of milliseconds and 19 MiB. The salt must be random, and another one each time.
    ///
    /// # Errors
    /// When these cannot be a PIN, with the reason.
    pub fn hash(digits: &str, salt: &[u8; SALT]) -> Result<Self, String> {
        if !LENGTH.contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("a PIN is {} to {} digits", LENGTH.start(), LENGTH.end()));
        }
        Argon2::default().hash_password_with_salt(digits.as_bytes(), salt).map(Self).map_err(|error| error.to_string())
    }

    /// Whether these digits are the PIN. Takes tens of milliseconds and 19 MiB with a hash from `persona pin`, and at
    /// most some 25 times that.
    pub fn verify(&self, digits: &str) -> bool {
        Argon2::default().verify_password(digits.as_bytes(), &self.0).is_ok()
    }
}

impl FromStr for Pin {
    type Err = String;

    /// Reads a hash in the PHC string format, and accepts it only if verifying a PIN against it costs little.
    fn from_str(text: &str) -> Result<Self, String> {
        let hash = PasswordHash::new(text).map_err(|error| format!("this is no argon2id hash: {error}"))?;
        if hash.algorithm != ARGON2ID_IDENT || hash.version.is_some_and(|version| version != u32::from(Version::V0x13)) {
            return Err("this is a hash, but not by argon2id, version 19".into());
        }
        let salted = hash.salt.as_ref().is_some_and(|salt| salt.len() >= LEAST_SALT);
        if !salted || hash.hash.is_none() {
            return Err("this is an argon2id hash that was cut off".into());
        }
        let params = Params::try_from(&hash).map_err(|error| format!("this is no argon2id hash: {error}"))?;
        if params.m_cost() > MOST.0 || params.t_cost() > MOST.1 || params.p_cost() > MOST.2 {
            let (memory, passes, lanes) = MOST;
            return Err(format!("this hash is too costly to verify at a menu: at most m={memory},t={passes},p={lanes}"));
        }
        Ok(Self(hash))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Pin {
    /// Without the hash: it would end in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

/// The pace of tries: two are free, then each wrong one makes the next wait twice as long, from a second to five minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tries {
    wrong: u32,
    next_at: Duration,
}

impl Tries {
    const FREE: u32 = 2;
    const LONGEST: Duration = Duration::from_secs(300);

    /// A try was wrong, at `now`.
    pub fn wrong(&mut self, now: Duration) {
        self.wrong = self.wrong.saturating_add(1);
        let doublings = self.wrong.checked_sub(Self::FREE);
        let wait = doublings.map_or(Duration::ZERO, |doublings| Duration::from_secs(1_u64.checked_shl(doublings).unwrap_or(u64::MAX)));
        self.next_at = now + wait.min(Self::LONGEST);
    }

    /// A try was right: the next wrong one is the first again.
    pub fn right(&mut self) {
        *self = Self::default();
    }

    /// How long the next try must still wait; none if it need not.
    pub fn wait(&self, now: Duration) -> Option<Duration> {
        self.next_at.checked_sub(now).filter(|wait| !wait.is_zero())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// Made by the reference implementation: `printf 2468 | argon2 somesalt -id -m 12 -t 2 -p 1 -e`.
    const BY_ANOTHER: &str = "$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHQ$JKOB01VuKJ2tIB4TSD4Ral+5P1JSjH8P8g2VzptYyms";

    #[test]
    fn the_right_digits_and_no_others() {
        let pin = Pin::hash("0123", &[7; SALT]).unwrap();
        assert!(pin.verify("0123"));
        for wrong in ["", "0", "123", "01234", "3210"] {
            assert!(!pin.verify(wrong), "{wrong}");
        }
        assert_eq!(pin.to_string().parse(), Ok(pin));
    }

    #[test]
    fn another_implementations_hash_is_understood() {
        let pin: Pin = BY_ANOTHER.parse().unwrap();
        assert!(pin.verify("2468") && !pin.verify("2469"));
    }

    #[test]
    fn the_salt_is_in_the_hash() {
        let [one, other] = [[1; SALT], [2; SALT]].map(|salt| Pin::hash("1234", &salt).unwrap().to_string());
        assert_ne!(one, other);
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
    }

    #[test]
    fn only_four_to_twelve_digits_are_a_pin() {
        for digits in ["", "123", "1234567890123", "12a4", "12 4", "١٢٣٤"] {
            assert!(Pin::hash(digits, &[0; SALT]).unwrap_err().contains("4 to 12 digits"), "{digits}");
        }
    }

    #[test]
    fn a_hash_that_is_not_argon2ids_or_costs_too_much_is_refused() {
        let whole = Pin::hash("1234", &[3; SALT]).unwrap().to_string();
        for (text, why) in [
            ("1234".to_owned(), "no argon2id hash"),
            (String::new(), "no argon2id hash"),
            (whole.replace("argon2id", "argon2i"), "not by argon2id"),
            (whole.replace("v=19", "v=16"), "version 19"),
            (whole.replace("m=19456", "m=4194304"), "too costly"),
            (whole.replace("t=2", "t=4000000000"), "too costly"),
            (whole.replace("p=1", "p=255"), "too costly"),
            (whole.replace("m=19456", "m=1"), "no argon2id hash"),
            (whole.rsplit_once('$').unwrap().0.to_owned(), "cut off"),
            (format!("{whole}$x"), "no argon2id hash"),
        ] {
            let told = text.parse::<Pin>().unwrap_err();
            assert!(told.contains(why), "{text}: {told}");
        }
    }

    #[test]
    fn wrong_tries_slow_down() {
        let mut tries = Tries::default();
        let mut now = Duration::from_secs(100);
        let mut waits = Vec::new();
        for _ in 0..13 {
            tries.wrong(now);
            let wait = tries.wait(now).unwrap_or_default();
            waits.push(wait.as_secs());
            now += wait;
            assert_eq!(tries.wait(now), None, "waiting ends");
        }
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        tries.right();
        tries.wrong(now);
        assert_eq!(tries.wait(now), None);
    }

    #[test]
    fn any_number_of_wrong_tries_waits_five_minutes_at_most() {
        let mut tries = Tries { wrong: u32::MAX - 1, next_at: Duration::ZERO };
        for _ in 0..3 {
            tries.wrong(Duration::ZERO);
            assert_eq!(tries.wait(Duration::ZERO), Some(Tries::LONGEST));
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\$?(argon2id|[a-z0-9$]{0,9})(\\$v=[0-9]{1,3})?(\\$m=[0-9]{1,11},t=[0-9]{1,11},p=[0-9]{1,11})?(\\$[A-Za-z0-9+/=]{0,24}){0,3}") {
            let _ = text.parse::<Pin>();
        }
    }
}
