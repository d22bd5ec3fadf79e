//! The dependencies against `deny.toml`: what `cargo deny check licenses bans` says, where that is not installed.
#![allow(clippy::unwrap_used)]

use serde::Deserialize;
use std::collections::BTreeMap;
use std::process::Command;

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    skip: Vec<Skip>,
}

/// A crate of which an older version is there, too.
#[derive(Deserialize)]
struct Skip {
    name: String,
    version: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// None for those of this repository.
    source: Option<String>,
}

fn deny() -> Deny {
    toml::from_str(include_str!("../../deny.toml")).unwrap()
}

/// All packages of the lock file that this platform needs.
fn packages() -> Vec<Package> {
    let arguments = ["metadata", "--format-version=1", "--offline", "--locked", "--filter-platform=x86_64-unknown-linux-gnu"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Metadata>(&output.stdout).unwrap().packages
}

/// Whether an SPDX expression (`(MIT OR Apache-2.0) AND Unicode-3.0`) leaves a choice among the allowed licences. AND binds stronger than
/// OR; crates of old write `/` for OR.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let expression = expression.trim();
    let split = |separator: &str| -> Option<(String, String)> {
        let depth = |text: &str| text.matches('(').count() == text.matches(')').count();
        let at = expression.match_indices(separator).find(|(at, _)| depth(&expression[..*at]))?.0;
        Some((expression[..at].to_owned(), expression[at + separator.len()..].to_owned()))
    };
    if let Some((left, right)) = split(" OR ").or_else(|| split("/")) {
        return is_allowed(&left, allowed) || is_allowed(&right, allowed);
    }
    if let Some((left, right)) = split(" AND ") {
        return is_allowed(&left, allowed) && is_allowed(&right, allowed);
    }
    match expression.strip_prefix('(').and_then(|inside| inside.strip_suffix(')')) {
        Some(inside) => is_allowed(inside, allowed),
        None => allowed.iter().any(|license| license == expression),
    }
}

#[test]
fn license_of_every_dependency_is_allowed() {
    let allowed = deny().licenses.allow;
    for Package { name, license, .. } in packages() {
        assert!(license.as_deref().is_some_and(|license| is_allowed(license, &allowed)), "{name} has the licence {license:?}");
    }
}

#[test]
fn license_expressions_are_read_as_spdx_says() {
    let allowed = ["MIT".to_owned(), "Zlib".to_owned()];
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
        ("GPL-3.0-only/MIT", true),
        ("MIT AND Zlib", true),
        ("MIT AND GPL-3.0-only", false),
        ("(MIT OR GPL-3.0-only) AND Zlib", true),
        ("(MIT OR Zlib) AND GPL-3.0-only", false),
        ("Zlib OR MIT AND GPL-3.0-only", true),
    ] {
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    }
}

#[test]
fn crate_in_two_versions_is_named_in_deny_toml() {
    let skipped = deny().bans.skip;
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Package { name, version, source, .. } in packages() {
        assert!(source.as_deref().is_none_or(|source| source.starts_with("registry+")), "{name} is from {source:?}");
        let is_skipped = skipped.iter().any(|skip| skip.name == name && version.starts_with(&format!("{}.", skip.version)));
        if !is_skipped {
            versions.entry(name).or_default().push(version);
        }
    }
    let several: Vec<_> = versions.into_iter().filter(|(_, versions)| versions.len() > 1).collect();
    assert!(several.is_empty(), "{several:?}");
}
