//! Prints the licences of all that is linked into the program: crates as their packages carry them, and the fonts' one. `make licences` runs
//! it. It is no part of the program.

use persona::sys::file;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `cargo metadata` tells (<https://doc.rust-lang.org/cargo/commands/cargo-metadata.html>).
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    /// None for those of this repository.
    source: Option<String>,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Resolve {
    root: String,
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// None for what is linked.
    kind: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let arguments = ["metadata", "--format-version=1", "--offline", "--locked", "--filter-platform=x86_64-unknown-linux-gnu"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(here).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    let linked = linked(&metadata.resolve);
    let mut packages: Vec<&Package> =
        metadata.packages.iter().filter(|package| package.source.is_some() && linked.contains(package.id.as_str())).collect();
    packages.sort_by_key(|package| (&package.name, &package.version));

    let mut out = stdout().lock();
    let fonts = file::read_text(here.join("src/paint/fonts/LICENSE-OFL.txt"))?;
    writeln!(out, "persona contains these fonts and crates.\n\n==== Inter, JetBrains Mono (OFL-1.1)\n\n{}", fonts.trim_end())?;
    for package in packages {
        let license = package.license.as_deref().unwrap_or("see below");
        writeln!(out, "\n==== {} {} ({license})", package.name, package.version)?;
        let texts = texts(package.manifest_path.parent().unwrap_or(here))?;
        if texts.is_empty() {
            writeln!(out, "\nThe package carries no text.")?;
        }
        for text in texts {
            writeln!(out, "\n{}", text.trim_end())?;
        }
    }
    Ok(())
}

/// The packages that the root package links, by their IDs.
fn linked(resolve: &Resolve) -> BTreeSet<&str> {
    let nodes: BTreeMap<&str, &Node> = resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let (mut found, mut left) = (BTreeSet::new(), vec![resolve.root.as_str()]);
    while let Some(id) = left.pop() {
        if found.insert(id) {
            let deps = nodes.get(id).into_iter().flat_map(|node| &node.deps);
            left.extend(deps.filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind.is_none())).map(|dep| dep.pkg.as_str()));
        }
    }
    found
}

/// The texts of the licence files in a package's folder.
fn texts(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        if ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"].iter().any(|start| name.starts_with(start))
            && entry.path().is_file()
        {
            files.push(entry.path());
        }
    }
    files.sort();
    files.into_iter().map(file::read_text).collect()
}
