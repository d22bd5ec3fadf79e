//! Golden files for tests: what was looked at once, and is to stay.

use std::path::Path;

/// Holds a text against `tests/golden/NAME`. PERSONA_BLESS=1 writes that anew.
pub(crate) fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("PERSONA_BLESS").is_some() {
        let written = std::fs::create_dir_all(path.parent().unwrap_or(&path)).and_then(|()| std::fs::write(&path, text));
        assert!(written.is_ok(), "{}: {written:?}", path.display());
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "{} differs (PERSONA_BLESS=1 writes it anew); now it is:\n{text}", path.display());
}
