//! There is one menu at a time. In the running system, a second menu process hands the first one over to its own unit.

use crate::error::{Context, Error, Result};
use crate::sys::file;
use crate::sys::file_lock::FileLock;
use crate::sys::paths::Paths;
use sd_notify::NotifyState;
use std::fs::OpenOptions;
use std::io::Write;

/// The proof that no other menu runs: an flock(2) on `/run/persona/menu.lock`, which holds the number of the process.
#[derive(Debug)]
pub struct InstanceLock(#[expect(dead_code, reason = "held, not used")] FileLock);

/// The result of trying to be the menu.
#[derive(Debug)]
pub enum Instance {
    /// There is no other.
    First(InstanceLock),
    /// Another runs, in the process of this number.
    AlreadyRunning(u32),
}

impl InstanceLock {
    /// Takes the lock, without waiting.
    ///
    /// # Errors
    /// When the lock file cannot be made, or does not say who holds it.
    pub fn take(paths: &Paths) -> Result<Instance> {
        let path = paths.menu_lock();
        let doing = || format!("taking the lock {}", path.display());
        let Some(mut lock) = FileLock::try_take(&path)? else {
            let holder = file::read_text(&path).context(doing)?;
            let holder = holder.trim().parse().map_err(|_| Error::new(format!("{}: it is held, but names no process", doing())))?;
            return Ok(Instance::AlreadyRunning(holder));
        };
        lock.file().set_len(0).and_then(|()| write!(lock.file(), "{}", std::process::id())).context(doing)?;
        Ok(Instance::First(Self(lock)))
    }
}

/// Hands the menu in the process `menu`, which was started before systemd's units (or by hand), over to this process' unit: it becomes the
/// unit's main process and moves to its control group. Without a service manager nothing happens.
///
/// # Errors
/// When the service manager cannot be notified.
pub fn hand_over(paths: &Paths, menu: u32) -> Result<()> {
    log::info!("the menu runs already, as process {menu}");
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return Ok(());
    }
    // Otherwise a stop of the unit would only reach its main process.
    if let Err(error) = join_group(paths, menu) {
        log::info!("the menu stays in its control group: {error}");
    }
    sd_notify::notify(&[NotifyState::MainPid(menu), NotifyState::Ready]).context(|| "handing the menu over to its unit".to_owned())
}

/// Moves a process to this one's control group (`cgroups(7)`, version 2).
fn join_group(paths: &Paths, process: u32) -> std::io::Result<()> {
    let groups = file::read_text(paths.at("/proc/self/cgroup"))?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/")).ok_or_else(|| std::io::Error::other("no version 2 groups"))?;
    OpenOptions::new()
        .write(true)
        .open(paths.at("/sys/fs/cgroup").join(group).join("cgroup.procs"))?
        .write_all(process.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[test]
    fn the_second_learns_who_the_first_is() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        let first = InstanceLock::take(&paths).unwrap();
        assert!(matches!(&first, Instance::First(_)));
        assert!(matches!(InstanceLock::take(&paths).unwrap(), Instance::AlreadyRunning(holder) if holder == std::process::id()));
        drop(first);
        assert!(matches!(InstanceLock::take(&paths).unwrap(), Instance::First(_)));
    }

    #[test]
    fn a_process_joins_the_group_of_the_one_that_asks() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        let group = root.path().join("sys/fs/cgroup/system.slice/persona-menu.service");
        fs::create_dir_all(&group).unwrap();
        fs::write(group.join("cgroup.procs"), "").unwrap();
        fs::create_dir_all(root.path().join("proc/self")).unwrap();
        fs::write(root.path().join("proc/self/cgroup"), "1:name=systemd:/x\n0::/system.slice/persona-menu.service\n").unwrap();
        join_group(&paths, 77).unwrap();
        assert_eq!(fs::read_to_string(group.join("cgroup.procs")).unwrap(), "77");
    }
}
