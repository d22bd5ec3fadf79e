//! The owner's emblems: PNG files that the settings name, read once for all painters.

use crate::config::Emblem;
use crate::error::{Context, Error, Result};
use crate::sys::file;
use crate::sys::paths::Paths;
use persona_paint::{Art, Gallery};
use std::path::Path;

/// Reads the PNG files among `emblems`. Those that cannot be read are left out and come back as errors to report; the
/// menu then shows the title's first letter instead.
pub fn load<'a>(paths: &Paths, emblems: impl IntoIterator<Item = &'a Emblem>) -> (Gallery, Vec<Error>) {
    let mut errors = Vec::new();
    let files = emblems.into_iter().filter_map(|emblem| match emblem {
        Emblem::Png(path) => Some(path),
        Emblem::Initial | Emblem::BuiltIn(_) => None,
    });
    let art = files
        .filter_map(|path| read(&paths.at(path)).map_err(|error| errors.push(error)).ok().map(|art| (path.clone(), art)))
        .collect::<Vec<_>>();
    (Gallery::of(art), errors)
}

/// A picture that is larger is not read, in bytes: 2048 by 2048 pixels without compression.
const MAX_EMBLEM: u64 = 16 << 20;
/// A font that is larger is not read: it would take seconds at each start of the menu.
const MAX_FONT: u64 = 16 << 20;

/// Reads the owner's font (`menu.font`), for letters that the built-in ones lack.
///
/// # Errors
/// When the file cannot be read, is too large or no font.
pub fn load_font(paths: &Paths, path: &Path) -> Result<()> {
    let at = paths.at(path);
    file::read(&at, MAX_FONT)
        .and_then(|font| persona_paint::add_font(&font).map_err(std::io::Error::other))
        .context(|| format!("reading the font {}", at.display()))
        .map_err(|error| error.with_code("font-unusable").with_hint("give `font` a TrueType or OpenType file"))
}

fn read(path: &Path) -> Result<Art> {
    file::read(path, MAX_EMBLEM)
        .and_then(|picture| Art::decode(&picture))
        .context(|| format!("reading the emblem {}", path.display()))
        .map_err(|error| error.with_hint("give `emblem` a PNG of at most 2048 by 2048 pixels, or one of the built-in names"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    #[test]
    fn a_picture_that_cannot_be_used_is_told_and_left_out() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("owner.png"), b"no picture").unwrap();
        let emblems = [Emblem::Png("/nowhere.png".into()), Emblem::Initial, Emblem::Png("/owner.png".into())];
        let (_, errors) = load(&Paths::new(root.path(), None), &emblems);
        assert_eq!(errors.len(), 2);
        for (error, file) in errors.iter().zip(["nowhere.png", "owner.png"]) {
            let error = error.to_string();
            assert!(error.contains(file) && error.contains("hint:"), "{error}");
        }
    }
}
