//! `persona cartridge list`.

use super::super::{OutputFormat, print, print_json};
use crate::config::Settings;
use crate::error::Result;
use crate::legion::cartridge::survey::{Leftover, ShelfEntry};
use crate::legion::cartridge::{DiskSize, Shelf};
use crate::sys::paths::Paths;
use crate::sys::time::ago;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `cartridge list --json`.
#[derive(Serialize)]
struct Listing {
    cartridges: Vec<Row>,
    leftovers: Vec<Left>,
}

/// A cartridge in `cartridge list --json`. Unknown values are absent.
#[derive(Serialize)]
struct Row {
    name: String,
    folder: PathBuf,
    /// `disk.qcow2`, `disk.raw` or `disk`.
    disk: Option<&'static str>,
    /// The disk's size as the guest sees it, in bytes.
    size: Option<u64>,
    /// The space it takes on the file system, snapshots included, in bytes.
    used: u64,
    /// `uefi` or `bios`.
    firmware: Option<&'static str>,
    /// The installation image that boots until the disk does.
    install: Option<PathBuf>,
    /// Seconds since 1970.
    last_run: Option<u64>,
    snapshots: Vec<String>,
    personas: Vec<String>,
    in_slot: bool,
    running: bool,
    /// Warnings to know before it is started.
    note: Option<String>,
    /// Why it cannot be used; absent if it can be used.
    trouble: Option<String>,
    /// The same as an identifier that stays when the text changes.
    trouble_code: Option<&'static str>,
    hint: Option<String>,
}

/// Leftovers of a killed command, in `cartridge list --json`.
#[derive(Serialize)]
struct Left {
    path: PathBuf,
    /// A command is working on it.
    in_work: bool,
    /// The command that clears it.
    hint: String,
}

pub(super) fn list(paths: &Paths, settings: &Settings, output: OutputFormat, now: SystemTime, out: &mut dyn Write) -> Result<()> {
    let mut listing = Listing { cartridges: Vec::new(), leftovers: Vec::new() };
    for shelf in Shelf::all(paths, settings) {
        let (entries, leftovers) = shelf.survey()?;
        listing.cartridges.extend(entries.into_iter().map(|entry| row(&shelf, entry)));
        listing.leftovers.extend(leftovers.into_iter().map(|Leftover { path, in_work, hint }| Left { path, in_work, hint }));
    }
    match output {
        OutputFormat::Json => print_json(out, &listing),
        OutputFormat::Text => print(out, &listing.text(now)),
    }
}

fn row(shelf: &Shelf<'_>, entry: ShelfEntry) -> Row {
    let (cartridge, error) = match entry.cartridge {
        Ok(cartridge) => (Some(cartridge), None),
        Err(error) => (None, Some(error)),
    };
    let seen = cartridge.as_ref();
    Row {
        folder: shelf.folder.join(&entry.name),
        disk: seen.map(|cartridge| cartridge.disk.kind.file_name()),
        size: entry.size,
        used: entry.used,
        firmware: seen.map(|cartridge| if cartridge.nvram.is_some() { "uefi" } else { "bios" }),
        install: seen.and_then(|cartridge| cartridge.install.clone()),
        last_run: entry.last_run.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map(|time| time.as_secs()),
        snapshots: entry.snapshots,
        personas: entry.personas,
        in_slot: entry.in_slot,
        running: entry.running,
        note: entry.note,
        trouble: error.as_ref().map(|error| error.reason()),
        trouble_code: error.as_ref().map(|error| error.code().unwrap_or("cartridge-unusable")),
        hint: error.and_then(|error| error.hint().map(str::to_owned)),
        name: entry.name,
    }
}

impl Listing {
    fn text(&self, now: SystemTime) -> String {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let heads = ["NAME", "DISK", "SIZE", "USED", "LAST RUN", "PERSONAS"].map(str::to_owned);
        let rows: Vec<[String; 6]> = self.cartridges.iter().map(|row| row.cells(now)).collect();
        let all = || std::iter::once(&heads).chain(&rows);
        let widths: [usize; 6] = std::array::from_fn(|column| all().map(|cells| cells[column].chars().count()).max().unwrap_or(0));
        let line = |cells: &[String; 6]| {
            let mut line = String::new();
            for (cell, width) in cells.iter().zip(widths) {
                let _ = write!(line, "{cell:width$}  ");
            }
            line
        };
        let mut text = if rows.is_empty() { "there are no cartridges\n".to_owned() } else { line(&heads).trim_end().to_owned() + "\n" };
        for (row, cells) in self.cartridges.iter().zip(&rows) {
            let _ = writeln!(text, "{}", (line(cells) + &row.marks()).trim_end());
            for (what, words) in [("wrong", &row.trouble), ("hint", &row.hint), ("note", &row.note)] {
                if let Some(words) = words {
                    let _ = writeln!(text, "  {what}: {words}");
                }
            }
        }
        for left in &self.leftovers {
            let what = if left.in_work { "a command is working on" } else { "a killed command left" };
            let _ = writeln!(text, "{what} {}", left.path.display());
            if !left.in_work {
                let _ = writeln!(text, "  cleared by: {}", left.hint);
            }
        }
        text
    }
}

impl Row {
    fn cells(&self, now: Duration) -> [String; 6] {
        let unknown = || "-".to_owned();
        [
            self.name.clone(),
            self.disk.map_or_else(unknown, |disk| disk.trim_start_matches("disk.").replace("disk", "device")),
            self.size.map_or_else(unknown, |size| DiskSize(size).to_string()),
            DiskSize(self.used).to_string(),
            self.last_run.map_or_else(|| "never".to_owned(), |then| ago(now.saturating_sub(Duration::from_secs(then)))),
            if self.personas.is_empty() { unknown() } else { self.personas.join(", ") },
        ]
    }

    fn marks(&self) -> String {
        let mut marks: Vec<String> =
            [(self.running, "running"), (self.in_slot && !self.running, "in the slot"), (self.install.is_some(), "to be installed")]
                .into_iter()
                .filter(|(is, _)| *is)
                .map(|(_, mark)| mark.to_owned())
                .collect();
        if !self.snapshots.is_empty() {
            marks.push(format!("saved: {}", self.snapshots.join(", ")));
        }
        marks.join("; ")
    }
}
