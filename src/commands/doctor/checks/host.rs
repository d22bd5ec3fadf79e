//! Host facts that several areas need.

use crate::sys::file;
use crate::sys::kernel_parameters::{self, Parameter};
use crate::sys::paths::Paths;
use std::fs;
use std::path::{Path, PathBuf};

/// The current contents of files; empty if missing.
#[derive(Debug, Default)]
pub(super) struct Host {
    /// The parameters on the kernel command line.
    pub(super) parameters: Vec<Parameter>,
    /// `/proc/cpuinfo`.
    pub(super) cpu_info: String,
    /// The running kernel's release.
    pub(super) release: String,
}

impl Host {
    pub(super) fn read(paths: &Paths) -> Self {
        let text = |path: PathBuf| file::read_text(path).unwrap_or_default();
        Self {
            parameters: kernel_parameters::read(paths).unwrap_or_default(),
            cpu_info: text(paths.cpu_info()),
            release: text(paths.kernel_release()).trim().to_owned(),
        }
    }

    /// The values of a kernel parameter, in order; `-` and `_` are the same to the kernel.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let same = |name: &str| name.replace('-', "_");
        self.parameters
            .iter()
            .filter(move |parameter| same(&parameter.name) == same(name))
            .filter_map(|parameter| parameter.value.as_deref())
    }

    /// The value of the first line of `/proc/cpuinfo` with that key.
    pub(super) fn cpu(&self, key: &str) -> Option<&str> {
        self.cpu_info.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| (name.trim() == key).then(|| value.trim()))
    }

    /// The kernel's version, as far as it can be parsed: `(6, 12)`.
    pub(super) fn version(&self) -> Option<(u32, u32)> {
        let mut numbers = self.release.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse().ok());
        Some((numbers.next()?, numbers.next()?))
    }
}

/// The files of a folder whose names end like this, sorted; none if the folder cannot be read.
pub(super) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(ending))).collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let version = |release: &str| Host { release: release.into(), ..Host::default() }.version();
        assert_eq!(version("6.12.10-arch1-1"), Some((6, 12)));
        assert_eq!(version("6.1-rc3"), Some((6, 1)));
        assert_eq!(version(""), None);
        assert_eq!(version("six.one"), None);
    }
}
