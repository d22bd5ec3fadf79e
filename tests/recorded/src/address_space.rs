//! `/proc/iomem`: who has which part of the address space.

use crate::tree::{Tree, done};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The firmware's framebuffer, in the largest window of a card.
#[derive(Debug, Clone, Copy)]
pub struct Framebuffer<'a> {
    /// The card's folder below `sys/devices`.
    pub card: &'a str,
    /// Who drives it: `simpledrm`, `efifb`; empty when nobody does.
    pub holder: &'a str,
}

impl Tree {
    /// Writes `/proc/iomem` from the windows of all functions: call it when all are there.
    pub fn address_space(&self, framebuffer: Option<Framebuffer<'_>>) {
        let mut ranges = vec![line(0, 0x1000, 0x9_ffff, "System RAM"), line(0, 0x10_0000, 0xbfff_ffff, "System RAM")];
        let devices = self.at("sys/devices");
        for root in folders(&devices).into_iter().filter(|folder| name(folder).starts_with("pci")) {
            let bus = name(&root).trim_start_matches("pci").to_owned();
            let mut below = Vec::new();
            folders(&root).iter().for_each(|function| collect(function, &mut below, 1));
            ranges.extend(windows(&below).map(|(start, end, text)| format!("{}{text}", line(0, start, end, &format!("PCI Bus {bus}")))));
        }
        let mut text = ranges.concat();
        if let Some(Framebuffer { card, holder }) = framebuffer {
            text = with_framebuffer(&text, crate::tree::name_of(card), holder);
        }
        self.file("proc/iomem", text);
    }
}

/// Start, end and text of something and all that is in it.
type Range = (u64, u64, String);

fn collect(folder: &Path, found: &mut Vec<Range>, depth: usize) {
    let resources = fs::read_to_string(folder.join("resource")).unwrap_or_default();
    let driver = fs::read_link(folder.join("driver")).ok().map(|link| name(&link).to_owned()).unwrap_or_default();
    for resource in resources.lines() {
        let mut numbers = resource.split(' ').map(|number| u64::from_str_radix(number.trim_start_matches("0x"), 16).unwrap_or_default());
        let (start, end, flags) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        const MEMORY: u64 = 0x200;
        if flags & MEMORY != 0 {
            let mut text = line(depth, start, end, name(folder));
            if let Some(holder) = region_name(&driver) {
                text += &line(depth + 1, start, end, holder);
            }
            found.push((start, end, text));
        }
    }
    let children: Vec<PathBuf> = folders(folder).into_iter().filter(|child| child.join("class").exists()).collect();
    let Some(first) = children.first() else { return };
    let mut below = Vec::new();
    children.iter().for_each(|child| collect(child, &mut below, depth + 1));
    let bus = name(first).rsplit_once(':').map(|(bus, _)| bus.to_owned()).unwrap_or_default();
    let bridged = windows(&below).map(|(start, end, text)| (start, end, line(depth, start, end, &format!("PCI Bus {bus}")) + &text));
    found.extend(bridged);
}

/// What drivers call their part of the address space; graphics drivers claim none.
fn region_name(driver: &str) -> Option<&str> {
    Some(match driver {
        "" | "amdgpu" | "i915" | "nouveau" | "pcieport" => return None,
        "xhci_hcd" => "xhci-hcd",
        "snd_hda_intel" => "ICH HD audio",
        driver => driver,
    })
}

/// Ranges joined to one window below 4 GiB and one above.
fn windows(ranges: &[Range]) -> impl Iterator<Item = Range> {
    let (mut low, mut high): (Vec<&Range>, Vec<&Range>) = ranges.iter().partition(|(start, ..)| *start < 1 << 32);
    let window = |ranges: &mut Vec<&Range>| {
        ranges.sort();
        let start = ranges.first()?.0;
        let end = ranges.iter().map(|(_, end, _)| *end).max()?;
        Some((start, end, ranges.iter().map(|(.., text)| text.as_str()).collect()))
    };
    [window(&mut low), window(&mut high)].into_iter().flatten()
}

/// The first 8 MiB of the card's largest window: 1920 by 1080 pixels of four bytes.
fn with_framebuffer(text: &str, card: &str, holder: &str) -> String {
    let range = |line: &str| {
        let (range, owner) = line.trim().split_once(" : ")?;
        let (start, end) = range.split_once('-')?;
        let hex = |digits| u64::from_str_radix(digits, 16).ok();
        (owner == card).then_some((hex(start)?, hex(end)?))
    };
    let largest = text.lines().max_by_key(|line| range(line).map_or(0, |(start, end)| end - start + 1)).unwrap_or_default();
    let mut out = String::new();
    for each in text.lines() {
        let _ = writeln!(out, "{each}");
        if let Some((start, _)) = range(each).filter(|_| each == largest) {
            let depth = (each.len() - each.trim_start().len()) / 2;
            let end = start + 1920 * 1080 * 4 - 1;
            out += &line(depth + 1, start, end, "BOOTFB");
            if !holder.is_empty() {
                out += &line(depth + 2, start, end, holder);
            }
        }
    }
    out
}

fn line(depth: usize, start: u64, end: u64, owner: &str) -> String {
    format!("{:width$}{start:08x}-{end:08x} : {owner}\n", "", width = depth * 2)
}

/// The folders in a folder, by name.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = done(fs::read_dir(folder), folder)
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}
