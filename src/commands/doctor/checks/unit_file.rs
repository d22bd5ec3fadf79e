//! systemd's unit files: the effective one with its drop-ins, and what is enabled (`systemd.unit(5)`).

use crate::commands::doctor::checks::host::files;
use crate::sys::file;
use crate::sys::paths::Paths;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// The unit file folders, the first takes precedence.
const FOLDERS: [&str; 5] =
    ["/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// A unit as systemd would load it.
#[derive(Debug, Default)]
pub(super) struct Unit {
    /// File by file, in the order of precedence.
    settings: Vec<Setting>,
}

#[derive(Debug)]
struct Setting {
    section: String,
    key: String,
    value: String,
    file: String,
}

impl Unit {
    /// `None` if there is no such unit, or it is masked.
    pub(super) fn read(paths: &Paths, name: &str) -> Option<Self> {
        let main = FOLDERS.iter().map(|folder| format!("{folder}/{name}")).find(|file| paths.at(file).symlink_metadata().is_ok())?;
        let text = file::read_text(paths.at(&main)).ok().filter(|text| !text.is_empty())?;
        let mut unit = Self::default();
        unit.add(&main, &text);
        unit.add_drop_ins(paths, &FOLDERS, name);
        Some(unit)
    }

    /// The settings of one of systemd's own services, such as `logind.conf`; empty without any (`logind.conf(5)`).
    pub(super) fn of_service(paths: &Paths, name: &str) -> Self {
        const FOLDERS: [&str; 4] = ["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];
        let mut found = Self::default();
        let mut main = FOLDERS.iter().map(|folder| format!("{folder}/{name}"));
        if let Some((file, text)) = main.find_map(|file| file::read_text(paths.at(&file)).ok().map(|text| (file, text))) {
            found.add(&file, &text);
        }
        found.add_drop_ins(paths, &FOLDERS, name);
        found
    }

    /// Of drop-ins with the same name the first folder's counts; they are read in the order of their names, whatever their folder.
    fn add_drop_ins(&mut self, paths: &Paths, folders: &[&str], name: &str) {
        let mut drop_ins: BTreeMap<String, (String, PathBuf)> = BTreeMap::new();
        for folder in folders.iter().rev() {
            for path in files(&paths.at(folder).join(format!("{name}.d")), ".conf") {
                let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                drop_ins.insert(file.clone(), (format!("{folder}/{name}.d/{file}"), path));
            }
        }
        for (file, path) in drop_ins.values() {
            self.add(file, &file::read_text(path).unwrap_or_default());
        }
    }

    fn add(&mut self, file: &str, text: &str) {
        let mut section = String::new();
        for line in text.replace("\\\n", " ").lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.to_owned();
            } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with(['#', ';'])) {
                let [key, value] = [key, value].map(|part| part.trim().to_owned());
                self.settings.push(Setting { section: section.clone(), key, value, file: file.to_owned() });
            }
        }
    }

    /// The effective value of a single-value setting, and the file it is in.
    pub(super) fn last(&self, section: &str, key: &str) -> Option<(&str, &str)> {
        let setting = self.settings.iter().rfind(|setting| setting.section == section && setting.key == key)?;
        (!setting.value.is_empty()).then_some((&setting.value, &setting.file))
    }

    /// The words of a list setting; an empty value resets it.
    pub(super) fn list(&self, section: &str, key: &str) -> Vec<&str> {
        let mut words = Vec::new();
        for setting in self.settings.iter().filter(|setting| setting.section == section && setting.key == key) {
            if setting.value.is_empty() {
                words.clear();
            }
            words.extend(setting.value.split_whitespace());
        }
        words
    }
}

/// The enabled units, and the masked ones.
#[derive(Debug, Default)]
pub(super) struct Enabled {
    wanted: BTreeSet<String>,
    masked: BTreeSet<String>,
    /// Whether any folder of units could be read.
    pub(super) is_known: bool,
}

impl Enabled {
    pub(super) fn read(paths: &Paths) -> Self {
        let mut all = Self::default();
        for folder in FOLDERS {
            let Ok(entries) = fs::read_dir(paths.at(folder)) else { continue };
            all.is_known = true;
            for entry in entries.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.ends_with(".wants") || name.ends_with(".requires") {
                    let links = fs::read_dir(entry.path()).into_iter().flatten().flatten();
                    all.wanted.extend(links.map(|link| link.file_name().to_string_lossy().into_owned()));
                } else if fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == "/dev/null") {
                    all.masked.insert(name);
                }
            }
        }
        all
    }

    pub(super) fn has(&self, unit: &str) -> bool {
        self.wanted.contains(unit) && !self.masks(unit)
    }

    pub(super) fn masks(&self, unit: &str) -> bool {
        self.masked.contains(unit)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::symlink;

    fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Paths) {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        for (file, text) in files {
            fs::create_dir_all(paths.at(file).parent().unwrap()).unwrap();
            fs::write(paths.at(file), text).unwrap();
        }
        (root, paths)
    }

    #[test]
    fn drop_ins_count_after_the_unit_and_by_name() {
        let (_root, paths) = machine(&[
            ("usr/lib/systemd/system/a.service", "[Service]\n# LimitMEMLOCK=1\nLimitMEMLOCK=infinity\nReadWritePaths=/a /b\n"),
            ("usr/lib/systemd/system/a.service.d/50-x.conf", "[Service]\nLimitMEMLOCK=1G\n"),
            ("etc/systemd/system/a.service.d/50-x.conf", "[Service]\nLimitMEMLOCK=2G\nReadWritePaths=/c\n"),
            ("run/systemd/system/a.service.d/40-x.conf", "[Service]\nLimitMEMLOCK=3G\n"),
        ]);
        let unit = Unit::read(&paths, "a.service").unwrap();
        assert_eq!(unit.last("Service", "LimitMEMLOCK"), Some(("2G", "/etc/systemd/system/a.service.d/50-x.conf")));
        assert_eq!(unit.list("Service", "ReadWritePaths"), ["/a", "/b", "/c"]);
        assert_eq!(unit.last("Unit", "LimitMEMLOCK"), None);
        assert!(Unit::read(&paths, "b.service").is_none());
    }

    #[test]
    fn lists_and_values_can_be_emptied() {
        let mut unit = Unit::default();
        unit.add("a", "[Service]\nReadWritePaths=/a \\\n /b\nLimitMEMLOCK=infinity\n; x=y\nnonsense\n[");
        unit.add("b", "[Service]\nReadWritePaths=\nReadWritePaths=/c\nLimitMEMLOCK=\n");
        assert_eq!(unit.list("Service", "ReadWritePaths"), ["/c"]);
        assert_eq!(unit.last("Service", "LimitMEMLOCK"), None);
    }

    #[test]
    fn what_is_enabled_or_masked() {
        let (root, paths) = machine(&[("etc/systemd/system/multi-user.target.wants/sshd.service", "")]);
        let folder = root.path().join("etc/systemd/system");
        symlink("/usr/lib/systemd/system/legion.path", folder.join("multi-user.target.wants/legion.path")).unwrap();
        symlink("/dev/null", folder.join("legion.path")).unwrap();
        let enabled = Enabled::read(&paths);
        assert!(enabled.is_known && enabled.has("sshd.service") && !enabled.has("ssh.service"));
        assert!(enabled.masks("legion.path") && !enabled.has("legion.path"));
    }
}
