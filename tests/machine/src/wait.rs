//! Waiting with a deadline.

use persona::error::Result;
use std::time::{Duration, Instant};

/// How often something without an event of its own is looked at.
const INTERVAL: Duration = Duration::from_millis(100);

/// Tries until there is a value or `limit` has passed; then `None`.
///
/// # Errors
/// The first error of `attempt`, at once.
pub(crate) fn until<T>(limit: Duration, mut attempt: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = attempt()? {
            return Ok(Some(value));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        std::thread::sleep(INTERVAL);
    }
}
