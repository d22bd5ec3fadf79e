//! UEFI firmware for the guest: the code image that matches a cartridge's variables.

use super::qcow2::MAGIC as QCOW2_MAGIC;
use crate::error::{Error, Result};
use crate::sys::file;
use crate::sys::paths::Paths;
use serde_json::Value;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The size of the variables of OVMF's 4 MiB build, in bytes (528 KiB).
pub const NVRAM_4M: u64 = 540_672;
/// The size of the variables of OVMF's 2 MiB build, in bytes (128 KiB).
pub const NVRAM_2M: u64 = 131_072;

/// A build of OVMF as a distribution ships it: code, the template of its variables, whether it supports Secure Boot, and whether that
/// template contains Microsoft's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Build {
    code: PathBuf,
    variables: PathBuf,
    secure: bool,
    keys: bool,
}

/// Where distributions put OVMF: folder, code, variables, Secure Boot, keys. The build is identified by the sizes, not by the names.
const PLACES: [(&str, &str, &str, bool, bool); 16] = [
    // Arch: edk2-ovmf, now and before 2024.
    ("/usr/share/edk2/x64", "OVMF_CODE.4m.fd", "OVMF_VARS.4m.fd", false, false),
    ("/usr/share/edk2/x64", "OVMF_CODE.secboot.4m.fd", "OVMF_VARS.4m.fd", true, false),
    ("/usr/share/edk2-ovmf/x64", "OVMF_CODE.4m.fd", "OVMF_VARS.4m.fd", false, false),
    ("/usr/share/edk2-ovmf/x64", "OVMF_CODE.secboot.4m.fd", "OVMF_VARS.4m.fd", true, false),
    ("/usr/share/edk2-ovmf/x64", "OVMF_CODE.fd", "OVMF_VARS.fd", false, false),
    ("/usr/share/edk2-ovmf/x64", "OVMF_CODE.secboot.fd", "OVMF_VARS.fd", true, false),
    // Debian and Ubuntu: ovmf.
    ("/usr/share/OVMF", "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd", false, false),
    ("/usr/share/OVMF", "OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd", true, true),
    ("/usr/share/OVMF", "OVMF_CODE.fd", "OVMF_VARS.fd", false, false),
    ("/usr/share/OVMF", "OVMF_CODE.secboot.fd", "OVMF_VARS.ms.fd", true, true),
    // Fedora: edk2-ovmf.
    ("/usr/share/edk2/ovmf", "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd", false, false),
    ("/usr/share/edk2/ovmf", "OVMF_CODE_4M.qcow2", "OVMF_VARS_4M.qcow2", false, false),
    ("/usr/share/edk2/ovmf", "OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.secboot.fd", true, true),
    ("/usr/share/edk2/ovmf", "OVMF_CODE_4M.secboot.qcow2", "OVMF_VARS_4M.secboot.qcow2", true, true),
    ("/usr/share/edk2/ovmf", "OVMF_CODE.fd", "OVMF_VARS.fd", false, false),
    ("/usr/share/edk2/ovmf", "OVMF_CODE.secboot.fd", "OVMF_VARS.secboot.fd", true, true),
];

/// A firmware code image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firmware {
    /// The file, as a path on the machine (not below `--root`).
    pub code: PathBuf,
    /// Its format.
    pub format: ImageFormat,
    /// Whether it supports Secure Boot, which requires system management mode.
    pub secure: bool,
}

/// The template from which a cartridge's variables are created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The file, as a path on the machine (not below `--root`).
    pub variables: PathBuf,
    /// Its format; `nvram.fd` is raw.
    pub format: ImageFormat,
    /// Whether it contains Microsoft's keys. Without keys, firmware that supports Secure Boot does not enforce it until its owner enrols
    /// some.
    pub keys: bool,
}

/// The format of an image file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    /// Raw.
    Raw,
    /// qcow2, QEMU's own.
    Qcow2,
}

impl ImageFormat {
    /// QEMU's name for it.
    pub fn driver(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }
}

impl Firmware {
    /// Finds the code image for variables of `nvram` bytes: code and variables together fill the flash of one build.
    ///
    /// # Errors
    /// When there is none. There is no fallback to legacy BIOS, which needs other boot loaders, nor to firmware without Secure Boot.
    pub fn find(paths: &Paths, nvram: u64, secure_boot: bool) -> Result<Self> {
        let (flash, size) = if nvram == NVRAM_2M { (2 << 20, "2 MiB") } else { (4 << 20, "4 MiB") };
        builds(paths)
            .filter(|build| build.secure == secure_boot)
            .find_map(|Build { code, secure, .. }| {
                let (size, format) = measure(&paths.at(&code))?;
                (size.checked_add(nvram) == Some(flash)).then_some(Self { code, format, secure })
            })
            .ok_or_else(|| {
                let what = if secure_boot { "with Secure Boot" } else { "without Secure Boot" };
                Error::new(format!("the cartridge boots by UEFI, but there is no firmware (OVMF, the {size} build {what}) for it")).with_code("firmware-missing")
                    .with_hint("install the package edk2-ovmf (Arch, Fedora) or ovmf (Debian, Ubuntu); if it has no such build, rename nvram.fd and copy its OVMF_VARS there: the guest's boot entries are in the renamed file")
            })
    }

    /// Finds the template for the variables of a new cartridge: the largest build first, builds with keys before those without.
    ///
    /// # Errors
    /// When there is no such firmware.
    pub fn template(paths: &Paths, secure_boot: bool) -> Result<Template> {
        let usable = builds(paths).filter(|build| build.secure == secure_boot).filter_map(|build| {
            let (code, _) = measure(&paths.at(&build.code))?;
            let (room, format) = measure(&paths.at(&build.variables))?;
            let fits = matches!((room, code.checked_add(room)), (NVRAM_4M, Some(0x40_0000)) | (NVRAM_2M, Some(0x20_0000)));
            fits.then_some((room, Template { variables: build.variables, format, keys: build.keys }))
        });
        // The first among equals.
        let best = usable.reduce(|best, next| if (next.0, next.1.keys) > (best.0, best.1.keys) { next } else { best });
        best.map(|(_, template)| template).ok_or_else(|| {
            Error::new("there is no UEFI firmware (OVMF) from which a cartridge's variables can be created")
                .with_code("firmware-missing")
                .with_hint("install the package edk2-ovmf (Arch, Fedora) or ovmf (Debian, Ubuntu)")
        })
    }
}

/// The candidate builds, the known places first.
fn builds(paths: &Paths) -> impl Iterator<Item = Build> {
    let known = PLACES.iter().map(|&(folder, code, variables, secure, keys)| {
        let folder = Path::new(folder);
        Build { code: folder.join(code), variables: folder.join(variables), secure, keys }
    });
    known.chain(described(paths))
}

/// Descriptions have one or two thousand bytes.
const MAX_DESCRIPTION: u64 = 64 << 10;

/// The builds described for QEMU's users, in the order of the names of their description files (QEMU's `docs/interop/firmware.json`).
fn described(paths: &Paths) -> impl Iterator<Item = Build> + use<> {
    let mut files: Vec<_> =
        fs::read_dir(paths.at("/usr/share/qemu/firmware")).into_iter().flatten().flatten().map(|file| file.path()).collect();
    files.sort_unstable();
    files.into_iter().filter_map(|path| build(&file::read(path, MAX_DESCRIPTION).ok()?))
}

/// The build in a description, if it is one that we can use.
fn build(description: &[u8]) -> Option<Build> {
    let description: Value = serde_json::from_slice(description).ok()?;
    let has = |list: &Value, word: &str| list.as_array().is_some_and(|list| list.iter().any(|item| item == word));
    let mapping = &description["mapping"];
    let file = |image: &str| Some(PathBuf::from(mapping[image]["filename"].as_str()?)).filter(|file| file.is_absolute());
    let targets = description["targets"].as_array()?;
    let ours = targets.iter().any(|target| target["architecture"] == "x86_64");
    // A cartridge needs separate code and variables: builds with both in one image, or without variables, do not fit.
    let split = mapping["device"] == "flash" && mapping["mode"].as_str().unwrap_or("split") == "split";
    let features = &description["features"];
    let (secure, smm) = (has(features, "secure-boot"), has(features, "requires-smm"));
    let keys = has(features, "enrolled-keys");
    (ours && split && secure == smm).then_some(Build { code: file("executable")?, variables: file("nvram-template")?, secure, keys })
}

/// The size of the flash contents in bytes and the format; `None` for anything but a readable image.
fn measure(path: &Path) -> Option<(u64, ImageFormat)> {
    let file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let mut header = Vec::new();
    file.take(32).read_to_end(&mut header).ok()?;
    if !header.starts_with(QCOW2_MAGIC) {
        return Some((length, ImageFormat::Raw));
    }
    // A qcow2 header holds the virtual size at byte 24, big-endian.
    let size = header.get(24..32)?.try_into().ok()?;
    Some((u64::from_be_bytes(size), ImageFormat::Qcow2))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn machine(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Paths) {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path(), None);
        for (file, contents) in files {
            fs::create_dir_all(paths.at(file).parent().unwrap()).unwrap();
            fs::write(paths.at(file), contents).unwrap();
        }
        (root, paths)
    }

    #[test]
    fn the_code_matches_the_variables() {
        let (_root, paths) =
            machine(&[("/usr/share/OVMF/OVMF_CODE_4M.fd", &vec![0; 3_653_632]), ("/usr/share/OVMF/OVMF_CODE.fd", &vec![0; 1_966_080])]);
        assert_eq!(Firmware::find(&paths, NVRAM_4M, false).unwrap().code, Path::new("/usr/share/OVMF/OVMF_CODE_4M.fd"));
        assert_eq!(Firmware::find(&paths, NVRAM_2M, false).unwrap().code, Path::new("/usr/share/OVMF/OVMF_CODE.fd"));
    }

    #[test]
    fn fedoras_qcow2_is_measured_inside() {
        let mut image = b"QFI\xfb".to_vec();
        image.resize(24, 0);
        image.extend(3_653_632_u64.to_be_bytes());
        let (_root, paths) = machine(&[("/usr/share/edk2/ovmf/OVMF_CODE_4M.qcow2", &image)]);
        assert_eq!(Firmware::find(&paths, NVRAM_4M, false).unwrap().format, ImageFormat::Qcow2);
    }

    #[test]
    fn no_firmware_names_the_package() {
        let (_root, paths) = machine(&[("/usr/share/OVMF/OVMF_CODE.fd", &vec![0; 1_966_080])]);
        let error = Firmware::find(&paths, NVRAM_4M, false).unwrap_err();
        assert_eq!(error.code(), Some("firmware-missing"));
        assert!(error.reason().contains("4 MiB") && error.hint().is_some_and(|hint| hint.contains("edk2-ovmf")), "{error}");
    }

    #[test]
    fn secure_boot_has_a_build_and_a_template_of_its_own() {
        let (code, variables) = (vec![0; 3_653_632], vec![0; 540_672]);
        let (_root, paths) = machine(&[
            ("/usr/share/OVMF/OVMF_CODE_4M.fd", &code),
            ("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", &code),
            ("/usr/share/OVMF/OVMF_VARS_4M.fd", &variables),
            ("/usr/share/OVMF/OVMF_VARS_4M.ms.fd", &variables),
            ("/usr/share/OVMF/OVMF_CODE.secboot.fd", &vec![0; 1_966_080]),
            ("/usr/share/OVMF/OVMF_VARS.ms.fd", &vec![0; 131_072]),
        ]);
        let secure = Firmware::find(&paths, NVRAM_4M, true).unwrap();
        assert_eq!((secure.code.as_path(), secure.secure), (Path::new("/usr/share/OVMF/OVMF_CODE_4M.secboot.fd"), true));
        let template = |secure| Firmware::template(&paths, secure).map(|template| (template.variables, template.keys)).unwrap();
        assert_eq!(template(true), ("/usr/share/OVMF/OVMF_VARS_4M.ms.fd".into(), true));
        assert_eq!(template(false), ("/usr/share/OVMF/OVMF_VARS_4M.fd".into(), false));
    }

    #[test]
    fn arch_has_no_keys_and_it_is_said() {
        let (_root, paths) = machine(&[
            ("/usr/share/edk2/x64/OVMF_CODE.secboot.4m.fd", &vec![0; 3_653_632]),
            ("/usr/share/edk2/x64/OVMF_VARS.4m.fd", &vec![0; 540_672]),
        ]);
        assert!(!Firmware::template(&paths, true).unwrap().keys);
        assert_eq!(Firmware::template(&paths, false).unwrap_err().code(), Some("firmware-missing"));
    }

    #[test]
    fn other_distributions_describe_theirs() {
        let description = |features: &str, device: &str, architecture: &str| {
            format!(
                r#"{{"mapping": {{"device": "{device}", "executable": {{"filename": "/nix/code.fd"}}, "nvram-template": {{"filename": "/nix/vars.fd"}}}},
                    "targets": [{{"architecture": "{architecture}"}}], "features": [{features}]}}"#
            )
        };
        let secure = r#""requires-smm", "secure-boot", "enrolled-keys""#;
        let (_root, paths) = machine(&[
            ("/usr/share/qemu/firmware/10-other.json", description("", "flash", "aarch64").as_bytes()),
            ("/usr/share/qemu/firmware/20-secure.json", description(secure, "flash", "x86_64").as_bytes()),
            ("/usr/share/qemu/firmware/30-mangled.json", b"{"),
            ("/nix/code.fd", &vec![0; 3_653_632]),
            ("/nix/vars.fd", &vec![0; 540_672]),
        ]);
        assert_eq!(Firmware::find(&paths, NVRAM_4M, true).unwrap().code, Path::new("/nix/code.fd"));
        assert!(Firmware::template(&paths, true).unwrap().keys);
        assert!(Firmware::find(&paths, NVRAM_4M, false).is_err());
        for text in [description(secure, "memory", "x86_64"), description("\"secure-boot\"", "flash", "x86_64"), "[]".into()] {
            assert_eq!(build(text.as_bytes()), None, "{text}");
        }
    }
}
