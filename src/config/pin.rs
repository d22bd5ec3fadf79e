//! A persona's PIN: its hash as stored in the settings, and the delay after wrong attempts.
//!
//! A PIN prevents others from picking a persona at the menu. It protects nothing from root, and a short PIN is soon guessed by anyone who
//! has the hash: it does not replace encryption of the cartridge.

use argon2::{Algorithm, Argon2, Params, Version};
use base64ct::{Base64Unpadded, Encoding};
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// How many digits a PIN may have.
pub const LENGTH: RangeInclusive<usize> = 4..=12;

/// The maximum cost of verifying a PIN: memory in KiB, number of passes, lanes. `persona pin` uses 19 MiB and two passes, as OWASP's
/// Password Storage Cheat Sheet does; other tools use up to 64 MiB.
const MAX_COST: (u32, u32, u32) = (64 * 1024, 8, 8);

/// The salt's length in bytes that the specification recommends (RFC 9106, 3.1), and what others may use.
pub const SALT: usize = 16;
const SALTS: RangeInclusive<usize> = 8..=64;

/// The hash's length in bytes, and what others may use.
const HASH: usize = 32;
const HASHES: RangeInclusive<usize> = 16..=64;

/// A PIN's argon2id hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin {
    params: Params,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Pin {
    /// The hash of these digits. Takes tens of milliseconds and 19 MiB. The salt must be random, and another one each time.
    ///
    /// # Errors
    /// When these cannot be a PIN, with the reason.
    pub fn hash(digits: &str, salt: &[u8; SALT]) -> Result<Self, String> {
        if !LENGTH.contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("a PIN is {} to {} digits", LENGTH.start(), LENGTH.end()));
        }
        let mut pin = Self { params: Params::default(), salt: salt.to_vec(), hash: vec![0; HASH] };
        pin.hash = pin.hash_of(digits).ok_or("hashing the PIN failed")?;
        Ok(pin)
    }

    /// Whether these digits are the PIN. Takes tens of milliseconds and 19 MiB with a hash from `persona pin`, and at
    /// most some 25 times that.
    pub fn verify(&self, digits: &str) -> bool {
        let differs = |hash: Vec<u8>| hash.iter().zip(&self.hash).fold(0, |differs, (one, other)| differs | (one ^ other));
        self.hash_of(digits).is_some_and(|hash| differs(hash) == 0)
    }

    /// The same length as the stored hash.
    fn hash_of(&self, digits: &str) -> Option<Vec<u8>> {
        let mut hash = vec![0; self.hash.len()];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        argon2.hash_password_into(digits.as_bytes(), &self.salt, &mut hash).ok()?;
        Some(hash)
    }
}

impl FromStr for Pin {
    type Err = String;

    /// Reads a hash as all implementations of argon2 write it (the PHC string format), and accepts it only if verifying a PIN
    /// against it costs little.
    fn from_str(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split('$').collect();
        let ["", "argon2id", "v=19", costs, salt, hash] = fields[..] else {
            return Err("this is not a whole argon2id hash: $argon2id$v=19$m=...,t=...,p=...$salt$hash".into());
        };
        let [memory, passes, lanes] = read_costs(costs).ok_or_else(|| format!("`{costs}` is not an argon2id hash's m=...,t=...,p=..."))?;
        if memory > MAX_COST.0 || passes > MAX_COST.1 || lanes > MAX_COST.2 {
            let (memory, passes, lanes) = MAX_COST;
            return Err(format!("this hash is too costly to verify at a menu: at most m={memory},t={passes},p={lanes}"));
        }
        let read =
            |base64, lengths: RangeInclusive<usize>| Base64Unpadded::decode_vec(base64).ok().filter(|bytes| lengths.contains(&bytes.len()));
        let (Some(salt), Some(hash)) = (read(salt, SALTS), read(hash, HASHES)) else {
            return Err("this argon2id hash has a broken salt or end".into());
        };
        let params = Params::new(memory, passes, lanes, None).map_err(|error| format!("this is no argon2id hash: {error}"))?;
        Ok(Self { params, salt, hash })
    }
}

/// Memory in KiB, passes and lanes.
fn read_costs(text: &str) -> Option<[u32; 3]> {
    let costs: Vec<&str> = text.split(',').collect();
    let [memory, passes, lanes] = costs[..] else { return None };
    let read = |cost: &str, key| cost.strip_prefix(key)?.parse().ok();
    Some([read(memory, "m=")?, read(passes, "t=")?, read(lanes, "p=")?])
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (memory, passes, lanes) = (self.params.m_cost(), self.params.t_cost(), self.params.p_cost());
        let [salt, hash] = [&self.salt, &self.hash].map(|bytes| Base64Unpadded::encode_string(bytes));
        write!(f, "$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}")
    }
}

impl fmt::Debug for Pin {
    /// Without the hash, which would end up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

/// The delay between attempts: two are free, then each wrong one doubles the wait, from a second to five minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tries {
    wrong: u32,
    next_at: Duration,
}

impl Tries {
    const FREE: u32 = 2;

    /// The longest wait.
    pub const MAX_WAIT: Duration = Duration::from_secs(300);

    /// So many wrong attempts are assumed if their number is unknown: the next wrong one makes the following wait for four seconds.
    pub const DOUBT: u32 = 3;

    /// Attempts that were made before, after which the next one may be made at `next_at`.
    pub fn resumed(wrong: u32, next_at: Duration) -> Self {
        Self { wrong, next_at }
    }

    /// How long to wait after so many wrong attempts.
    pub fn delay(wrong: u32) -> Duration {
        let doublings = wrong.checked_sub(Self::FREE);
        let wait = doublings.map_or(Duration::ZERO, |doublings| Duration::from_secs(1_u64.checked_shl(doublings).unwrap_or(u64::MAX)));
        wait.min(Self::MAX_WAIT)
    }

    /// A wrong attempt, at `now`.
    pub fn wrong(&mut self, now: Duration) {
        self.wrong = self.wrong.saturating_add(1);
        self.next_at = now + Self::delay(self.wrong);
    }

    /// Takes over the attempts that another process has counted, if they are more.
    pub fn raise_to(&mut self, other: Self) {
        *self = Self { wrong: self.wrong.max(other.wrong), next_at: self.next_at.max(other.next_at) };
    }

    /// A right attempt: resets the count.
    pub fn right(&mut self) {
        *self = Self::default();
    }

    /// How long the next attempt must still wait; none if it need not.
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
            assert!(Pin::hash(digits, &[0; SALT]).is_err(), "{digits}");
        }
    }

    #[test]
    fn a_hash_that_is_not_argon2ids_or_costs_too_much_is_refused() {
        let whole = Pin::hash("1234", &[3; SALT]).unwrap().to_string();
        for (text, why) in [
            ("1234".to_owned(), "not a whole argon2id hash"),
            (String::new(), "not a whole argon2id hash"),
            (whole.replace("argon2id", "argon2i"), "not a whole argon2id hash"),
            (whole.replace("v=19", "v=16"), "v=19"),
            (whole.replace("m=19456", "m=4194304"), "too costly"),
            (whole.replace("t=2", "t=4000000000"), "too costly"),
            (whole.replace("p=1", "p=255"), "too costly"),
            (whole.replace("p=1", "p=-1"), "m=...,t=...,p=..."),
            (whole.replace(",p=1", ""), "m=...,t=...,p=..."),
            (whole.replace("m=19456", "m=1"), "no argon2id hash"),
            (whole.replace("t=2", "t=0"), "no argon2id hash"),
            (whole.rsplit_once('$').unwrap().0.to_owned(), "not a whole argon2id hash"),
            (whole[..whole.len() - 30].to_owned(), "broken salt or end"),
            (format!("{whole}="), "broken salt or end"),
            (format!("{whole}$x"), "not a whole argon2id hash"),
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
            assert_eq!(tries.wait(Duration::ZERO), Some(Tries::MAX_WAIT));
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\$?(argon2id|[a-z0-9$]{0,9})(\\$v=[0-9]{1,3})?(\\$m=[0-9]{1,11},t=[0-9]{1,11},p=[0-9]{1,11})?(\\$[A-Za-z0-9+/=]{0,24}){0,3}") {
            let _ = text.parse::<Pin>();
        }
    }
}
