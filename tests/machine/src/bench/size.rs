//! How small Persona is, and what it adds to an initramfs.

use crate::artifacts::Artifacts;
use crate::initramfs::{Growth, ImageKind};
use persona::error::{Context, Result};

/// The design's limit for the static binary, in bytes.
const LARGEST_BINARY: u64 = 4 << 20;

/// Measures files.
///
/// # Errors
/// When the initramfs without Persona cannot be made.
pub(super) fn measure(artifacts: &Artifacts) -> Result<Vec<String>> {
    let size = std::fs::metadata(&artifacts.persona).context(|| format!("measuring {}", artifacts.persona.display()))?.len();
    let mut lines = vec![
        "static binary".to_owned(),
        format!("  persona        {size} bytes   {:.3} of the limit of 4 MiB", size as f64 / LARGEST_BINARY as f64),
        "initramfs growth".to_owned(),
    ];
    for kind in ImageKind::ALL {
        let Growth { without, with, compressed } = artifacts.growth(kind)?;
        let part = |(without, with): (u64, u64)| {
            format!("{:+.2} MiB, ratio {:.3}", with.saturating_sub(without) as f64 / f64::from(1 << 20), with as f64 / without as f64)
        };
        lines.push(format!("  {:14} {} unpacked; {} as zstd", kind.name(), part((without, with)), part(compressed)));
    }
    Ok(lines)
}
