//! The one error type: what was being done, why it failed, how to fix it.

use std::error::Error as StdError;
use std::fmt;

/// The default `Result` type.
pub type Result<T> = std::result::Result<T, Error>;

/// The kind of an error, which decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It could not be done: exit code 1.
    Failed,
    /// Wrong usage or bad settings: exit code 2.
    Usage,
}

/// An error a person can act on. Displays as `CONTEXT: CAUSE` and, if there is one, a second line `hint: HINT`.
///
/// A boxed pointer: results are moved everywhere, and errors are rare.
#[derive(Debug)]
pub struct Error(Box<Parts>);

#[derive(Debug)]
struct Parts {
    kind: Kind,
    doing: String,
    cause: Option<Cause>,
    hint: Option<String>,
    code: Option<&'static str>,
}

type Cause = Box<dyn StdError + Send + Sync>;

impl Error {
    /// Something that failed for a reason that the sentence itself names.
    pub fn new(message: impl Into<String>) -> Self {
        Self::of(Kind::Failed, message.into(), None)
    }

    /// Something that failed because of `cause`; `doing` says what was being done, to what.
    pub fn caused_by(doing: impl Into<String>, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::of(Kind::Failed, doing.into(), Some(cause.into()))
    }

    /// Wrong usage or bad settings.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::of(Kind::Usage, message.into(), None)
    }

    #[cold]
    #[inline(never)]
    fn of(kind: Kind, doing: String, cause: Option<Cause>) -> Self {
        Self(Box::new(Parts { kind, doing, cause, hint: None, code: None }))
    }

    /// Adds what the reader can do about it.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        self.with(hint.into())
    }

    #[cold]
    #[inline(never)]
    fn with(mut self, hint: String) -> Self {
        self.0.hint = Some(hint);
        self
    }

    /// Adds an identifier of the error, for programs: kebab-case, and it stays when the text changes.
    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.0.code = Some(code);
        self
    }

    /// The identifier of the error, if it has one: the outermost of the chain.
    pub fn code(&self) -> Option<&'static str> {
        let inner = || self.0.cause.as_ref()?.downcast_ref::<Self>()?.code();
        self.0.code.or_else(inner)
    }

    /// What was being done and why it failed, without the hint.
    pub fn reason(&self) -> String {
        let mut reason = self.0.doing.clone();
        let mut next: Option<&(dyn StdError + 'static)> = StdError::source(self);
        while let Some(cause) = next {
            if let Some(ours) = cause.downcast_ref::<Self>() {
                return reason + ": " + &ours.reason();
            }
            reason += &format!(": {cause}");
            next = cause.source();
        }
        reason
    }

    /// What the reader can do about it, if anything is known: the outermost hint of the chain.
    pub fn hint(&self) -> Option<&str> {
        let inner = || self.0.cause.as_ref()?.downcast_ref::<Self>()?.hint();
        self.0.hint.as_deref().or_else(inner)
    }

    /// The kind of the error.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The process exit code for this error (DESIGN section 7).
    pub fn exit_code(&self) -> u8 {
        match self.0.kind {
            Kind::Failed => 1,
            Kind::Usage => 2,
        }
    }

    /// The `errno` of the underlying system call, if there was one.
    pub fn errno(&self) -> Option<i32> {
        let mut next: Option<&(dyn StdError + 'static)> = StdError::source(self);
        while let Some(cause) = next {
            if let Some(io) = cause.downcast_ref::<std::io::Error>() {
                return io.raw_os_error();
            }
            next = cause.source();
        }
        None
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason())?;
        if let Some(hint) = self.hint() {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}

/// Adds context to an error of another type.
pub trait Context<T> {
    /// Wraps the error, if any, as the cause of a failed `doing`.
    fn context(self, doing: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> Context<T> for std::result::Result<T, E> {
    fn context(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|cause| Error::caused_by(doing(), cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_told_once_with_one_hint() {
        let io = std::io::Error::from_raw_os_error(libc::EACCES);
        let inner = Error::caused_by("opening /x", io).with_hint("become root");
        let outer = Error::caused_by("inserting", inner);
        assert_eq!(outer.to_string(), "inserting: opening /x: Permission denied (os error 13)\n  hint: become root");
        assert_eq!(outer.errno(), Some(libc::EACCES));
    }

    #[test]
    fn the_outermost_code_of_a_chain_counts() {
        let inner = Error::new("the lock is taken").with_code("legion-running");
        let outer = Error::caused_by("inserting", inner);
        assert_eq!(outer.code(), Some("legion-running"));
        assert_eq!(Error::caused_by("starting", outer).with_code("start-failed").code(), Some("start-failed"));
        assert_eq!(Error::caused_by("x", std::io::Error::other("y")).code(), None);
    }
}
