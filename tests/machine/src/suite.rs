//! The Debian release that is in the machine.

use persona::error::{Error, Result};

/// A suite of Debian's archive. Each has its own kernel, systemd and QEMU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// Debian 12: kernel 6.1, systemd 252, QEMU 7.2.
    Bookworm,
    /// Debian 13: kernel 6.12, systemd 257, QEMU 10.0. The default.
    Trixie,
    /// The rolling suite: what Arch has today. It changes daily.
    Sid,
}

impl Suite {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Bookworm, Self::Trixie, Self::Sid];

    /// The suite that the environment variable `SUITE` names; trixie if it is not set.
    ///
    /// # Errors
    /// When there is no such suite.
    pub fn from_environment() -> Result<Self> {
        match std::env::var("SUITE") {
            Ok(name) => Self::named(&name),
            Err(_) => Ok(Self::Trixie),
        }
    }

    fn named(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|suite| suite.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::usage(format!("SUITE is {name:?}, which the test machine does not know")).with_hint(format!("use one of: {names}"))
        })
    }

    /// Its name in the archive.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Sid => "sid",
        }
    }

    /// Lines for its sshd. Looking whether it answers is no attack, as OpenSSH takes it for from 9.8 on.
    pub(crate) fn sshd_settings(self) -> &'static str {
        match self {
            Self::Bookworm => "",
            Self::Trixie | Self::Sid => "PerSourcePenalties no\n",
        }
    }

    /// Packages that only this suite has, or needs for the same programs.
    pub(crate) fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Bookworm => &[],
            Self::Trixie => &["libvirt-daemon-driver-qemu"],
            // switch_root(8) is in a package of its own there.
            Self::Sid => &["libvirt-daemon-driver-qemu", "util-linux-extra"],
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn suite_by_its_name_is_found_and_another_name_is_refused_with_the_choices() {
        for suite in Suite::ALL {
            assert_eq!(Suite::named(suite.name()).unwrap(), suite);
        }
        let error = Suite::named("potato").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("bookworm, trixie, sid"), "{error}");
    }
}
