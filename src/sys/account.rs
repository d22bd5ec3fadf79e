//! The users that legion and `qemu-img` run as.

use crate::error::{Context, Error, Result};
use crate::sys::file;
use crate::sys::paths::Paths;

/// The account's name; `legion.service` names it too.
pub const NAME: &str = "legion";

/// A user ID and a group ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// User ID.
    pub uid: u32,
    /// ID of the user's primary group.
    pub gid: u32,
}

impl Account {
    /// legion's account, from `/etc/passwd` (`passwd(5)`): the C library's lookup is not available in a static binary.
    ///
    /// # Errors
    /// When there is no such account.
    pub fn of_legion(paths: &Paths) -> Result<Self> {
        Self::of(paths, NAME)
    }

    /// The name of the user who reads images from elsewhere.
    pub const IMAGES: &str = "persona-image";

    /// The account of the user who reads images from elsewhere.
    ///
    /// # Errors
    /// As [`Self::of_legion`].
    pub fn of_images(paths: &Paths) -> Result<Self> {
        Self::of(paths, Self::IMAGES)
    }

    fn of(paths: &Paths, name: &str) -> Result<Self> {
        let file = paths.passwd();
        let text = file::read_text(&file).context(|| format!("reading {}", file.display()))?;
        Self::find(&text, name).ok_or_else(|| {
            Error::new(format!("there is no user `{name}` in {}", file.display()))
                .with_hint("run `systemd-sysusers`, which creates it from /usr/lib/sysusers.d/persona.conf")
        })
    }

    fn find(passwd: &str, name: &str) -> Option<Self> {
        let fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields.first() == Some(&name))?;
        Some(Self { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
    }
}

/// The ID of a group, from `/etc/group` (`group(5)`), if there is one of that name.
pub fn group_id(paths: &Paths, name: &str) -> Option<u32> {
    let text = file::read_text(paths.groups()).ok()?;
    let fields = text.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields.first() == Some(&name))?;
    fields.get(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_found_by_its_whole_name() {
        let passwd =
            "root:x:0:0::/root:/bin/bash\nlegionnaire:x:7:7::/:/bin/false\nlegion:x:980:979:legion:/var/lib/legion:/usr/bin/nologin\n";
        assert_eq!(Account::find(passwd, "legion"), Some(Account { uid: 980, gid: 979 }));
        assert_eq!(Account::find(passwd, "nobody"), None);
        assert_eq!(Account::find("legion:x:::\nlegion", "legion"), None);
    }
}
