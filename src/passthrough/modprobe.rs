//! The settings of modprobe, `modprobe.d(5)`: what other setups have written there about vfio-pci.

use crate::sys::file;
use crate::sys::paths::Paths;
use std::collections::BTreeMap;
use std::fs;

/// One file of settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModprobeFile {
    /// Its path on the machine.
    pub path: String,
    /// Its lines, those that go on in the next one joined.
    text: String,
}

impl ModprobeFile {
    /// All that count, by name: of files of one name only that of the first folder.
    pub fn all(paths: &Paths) -> Vec<Self> {
        let mut found: BTreeMap<String, Self> = BTreeMap::new();
        for folder in paths.modprobe_folders() {
            for entry in fs::read_dir(paths.at(&folder)).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.ends_with(".conf") && !found.contains_key(&name) {
                    let text = file::read_text(entry.path()).unwrap_or_default().replace("\\\n", " ");
                    found.insert(name.clone(), Self { path: format!("{}/{name}", folder.display()), text });
                }
            }
        }
        found.into_values().collect()
    }

    /// What the lines of this kind say about vfio-pci: `options`, `install`. To modprobe `-` and `_` are the same in names.
    pub fn about_vfio<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> {
        self.text.lines().filter_map(move |line| {
            let (first, rest) = line.trim().split_once(char::is_whitespace)?;
            let (module, rest) = rest.trim_start().split_once(char::is_whitespace)?;
            (first == kind && module.replace('-', "_") == "vfio_pci").then(|| rest.trim())
        })
    }

    /// Whether it keeps modprobe from loading vfio-pci: another command that does nothing is run instead.
    pub(super) fn blocks_vfio(&self) -> bool {
        self.about_vfio("install").any(|command| {
            let program = command.split_whitespace().next().unwrap_or_default();
            ["true", "false", ":"].contains(&program.rsplit('/').next().unwrap_or_default())
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn file_of_the_first_folder_counts() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        for (file, text) in [
            ("usr/lib/modprobe.d/vfio.conf", "install vfio-pci /bin/false\n"),
            ("etc/modprobe.d/vfio.conf", "# install vfio-pci /bin/false\noptions vfio_pci disable_vga=1 \\\n ids=10de:1e84\n"),
            ("run/modprobe.d/other.conf", "install\tvfio-pci  /usr/bin/vfio-override.sh\ninstall vfio-pci-core /bin/true\n"),
            ("etc/modprobe.d/notes", "install vfio-pci /bin/false\n"),
        ] {
            fs::create_dir_all(paths.at(file).parent().unwrap()).unwrap();
            fs::write(paths.at(file), text).unwrap();
        }
        let files = ModprobeFile::all(&paths);
        let told: Vec<(&str, Vec<&str>, Vec<&str>)> = files
            .iter()
            .map(|file| (file.path.as_str(), file.about_vfio("options").collect(), file.about_vfio("install").collect()))
            .collect();
        assert_eq!(
            told,
            [
                ("/run/modprobe.d/other.conf", vec![], vec!["/usr/bin/vfio-override.sh"]),
                ("/etc/modprobe.d/vfio.conf", vec!["disable_vga=1   ids=10de:1e84"], vec![]),
            ]
        );
        assert!(!files.iter().any(ModprobeFile::blocks_vfio));
        fs::remove_file(paths.at("etc/modprobe.d/vfio.conf")).unwrap();
        assert!(ModprobeFile::all(&paths).iter().any(ModprobeFile::blocks_vfio));
    }
}
