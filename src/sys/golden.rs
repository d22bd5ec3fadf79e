//! Golden files for tests: reviewed output that must not change.

use std::path::Path;

/// Compares a text with `tests/golden/NAME`. PERSONA_BLESS=1 rewrites the file.
pub(crate) fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("PERSONA_BLESS").is_some() {
        let written = std::fs::create_dir_all(path.parent().unwrap_or(&path)).and_then(|()| std::fs::write(&path, text));
        assert!(written.is_ok(), "{}: {written:?}", path.display());
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "{} differs (PERSONA_BLESS=1 rewrites it); now it is:\n{text}", path.display());
}
