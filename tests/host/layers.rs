//! Every import of `src` runs downwards: a module uses only the layers below its own. `src/lib.rs` draws the same map.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// Each layer with those that it may use. All may use `error`.
const LAYERS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("sys", &[]),
    ("config", &["sys"]),
    ("state", &["config", "sys"]),
    ("boot_log", &["state", "config", "sys"]),
    ("control", &["state", "config", "sys"]),
    ("display", &["config", "sys"]),
    ("passthrough", &["state", "config", "sys"]),
    ("legion", &["passthrough", "boot_log", "state", "config", "sys"]),
    ("menu", &["legion", "passthrough", "display", "control", "boot_log", "state", "config", "sys"]),
    ("commands", &["menu", "legion", "passthrough", "display", "control", "boot_log", "state", "config", "sys"]),
    ("cli", &["commands", "menu", "legion", "passthrough", "display", "control", "boot_log", "state", "config", "sys"]),
];

/// What may lie at the top of `src` beside the layers.
const BESIDE: [&str; 3] = ["lib.rs", "main.rs", "paint"];
/// Files and folders at the top of `src`.
const MAX_ENTRIES: usize = 16;

/// The first words after `crate::` in a source text.
fn used(text: &str) -> impl Iterator<Item = &str> {
    text.split("crate::").skip(1).map(|rest| rest.split(|letter: char| !letter.is_ascii_lowercase() && letter != '_').next().unwrap())
}

/// The layers that a file of `layer` uses and may not.
fn forbidden<'a>(layer: &str, text: &'a str) -> Vec<&'a str> {
    let (_, allowed) = LAYERS.iter().find(|(name, _)| *name == layer).unwrap_or_else(|| panic!("{layer} is no layer"));
    let is_layer = |name: &&str| LAYERS.iter().any(|(layer, _)| layer == name);
    used(text).filter(is_layer).filter(|name| *name != layer && *name != "error" && !allowed.contains(name)).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn source_of_every_layer_uses_only_layers_below() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut upward = Vec::new();
    for file in &files {
        let inside = file.strip_prefix(&src).unwrap();
        let top = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        if BESIDE.contains(&top) {
            continue;
        }
        let text = fs::read_to_string(file).unwrap();
        let layer = top.trim_end_matches(".rs");
        upward.extend(forbidden(layer, &text).into_iter().map(|used| format!("{}: {layer} uses {used}", inside.display())));
    }
    assert!(files.len() > 200, "{} files", files.len());
    assert!(upward.is_empty(), "upward imports:\n{}", upward.join("\n"));
}

#[test]
fn top_of_src_has_layers_and_little_else() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let names: Vec<String> = fs::read_dir(src).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.len() <= MAX_ENTRIES, "{names:?}");
    for name in &names {
        let is_layer = LAYERS.iter().any(|(layer, _)| name.trim_end_matches(".rs") == *layer);
        assert!(is_layer || BESIDE.contains(&name.as_str()), "{name} is no layer");
    }
}

#[test]
fn layers_are_listed_from_the_bottom_up() {
    for (number, (layer, allowed)) in LAYERS.iter().enumerate() {
        for used in *allowed {
            assert!(LAYERS[..number].iter().any(|(below, _)| below == used), "{layer} uses {used}, which is not below it");
        }
    }
}

#[test]
fn upward_import_is_found_and_others_are_not() {
    assert_eq!(forbidden("sys", "use crate::error::Result;\nuse crate::menu::text;\n"), ["menu"]);
    assert_eq!(forbidden("state", "pub(crate) fn x() { crate::boot_log::tell() }"), ["boot_log"]);
    assert!(forbidden("menu", "use crate::legion::Launch;\nuse crate::menu::model;\nuse crate::error::Error;\n").is_empty());
}

/// A FIFO or a device in a file's place must not stop the menu, and a large file must not fill the memory: `sys::file` sees to both.
#[test]
fn source_reads_whole_files_by_sys_file_alone() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let is_ours = |file: &&PathBuf| {
        let inside = file.strip_prefix(&src).unwrap();
        // The painter is given bytes; the two others are for developers.
        !inside.starts_with("paint")
            && !inside.ends_with("tests.rs")
            && ![Path::new("cli/words.rs"), Path::new("sys/golden.rs")].contains(&inside)
    };
    let found: Vec<String> = files
        .iter()
        .filter(is_ours)
        .filter_map(|file| {
            let text = fs::read_to_string(file).unwrap();
            let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            // Not `Initramfs::read(`.
            let is_called = |call: &str| product.match_indices(call).any(|(at, _)| !product[..at].ends_with(char::is_alphanumeric));
            ["fs::read(", "fs::read_to_string("].iter().find(|call| is_called(call)).map(|call| format!("{}: {call}", file.display()))
        })
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}
