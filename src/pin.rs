//! stub
use std::time::Duration;
/// Pin
#[derive(Debug, Clone, PartialEq)]
pub struct Pin;
impl std::str::FromStr for Pin {
    type Err = String;
    fn from_str(_: &str) -> Result<Self, String> {
        Ok(Self)
    }
}
impl Pin {
    /// verify
    pub fn verify(&self, _digits: &str) -> bool {
        false
    }
}
/// Tries
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tries {
    wrong: u32,
    until: Duration,
}
impl Tries {
    /// x
    pub fn wrong(&mut self, now: Duration) {
        self.wrong += 1;
        if self.wrong > 2 {
            self.until = now + Duration::from_secs(1 << (self.wrong - 3).min(8));
        }
    }
    /// x
    pub fn wait(&self, now: Duration) -> Option<Duration> {
        self.until.checked_sub(now).filter(|wait| !wait.is_zero())
    }
    /// x
    pub fn right(&mut self) {
        *self = Self::default()
    }
}
