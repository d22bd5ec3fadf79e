//! Which process controls a terminal.

use crate::sys::file;
use crate::sys::paths::Paths;
use nix::libc::{dev_t, major, minor};

/// Whether a terminal is some process's controlling terminal: a login, or a shell that was started on it.
pub(super) fn is_in_use(paths: &Paths, terminal: dev_t) -> bool {
    let processes = std::fs::read_dir(paths.at("/proc")).into_iter().flatten().flatten();
    let mut processes = processes.filter(|entry| entry.file_name().to_string_lossy().starts_with(|first: char| first.is_ascii_digit()));
    processes.any(|process| file::read_text(process.path().join("stat")).is_ok_and(|stat| controlling(&stat) == Some(number(terminal))))
}

/// The controlling terminal in `proc_pid_stat(5)`, field 7. The second field is the command in parentheses and may hold
/// anything; field 3 comes after the last parenthesis.
fn controlling(stat: &str) -> Option<u32> {
    let number: i32 = stat.rsplit_once(')')?.1.split_whitespace().nth(4)?.parse().ok()?;
    Some(number.cast_unsigned())
}

/// A device number as the kernel writes it there: the minor number's lower byte below the major number, the rest above.
fn number(device: dev_t) -> u32 {
    let (major, minor) = (major(device), minor(device));
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nix::libc::makedev;
    use std::fs;

    #[test]
    fn a_login_is_found_by_its_terminal() {
        let root = tempfile::tempdir().unwrap();
        for (process, stat) in [("1", "1 (systemd) S 0 1 1 0 -1"), ("300", "300 (a) getty) S 1 300 300 1088 -1"), ("self", "")] {
            fs::create_dir_all(root.path().join("proc").join(process)).unwrap();
            fs::write(root.path().join("proc").join(process).join("stat"), stat).unwrap();
        }
        let paths = Paths::new(root.path(), None);
        assert!(is_in_use(&paths, makedev(4, 64)), "ttyS0");
        assert!(!is_in_use(&paths, makedev(4, 65)), "ttyS1");
        assert!(!is_in_use(&paths, makedev(229, 0)), "hvc0");
    }
}
