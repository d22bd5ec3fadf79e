//! Every reader takes the inputs of `fuzz/seeds`: samples, and what fuzzing has found. With libFuzzer, `make fuzz` looks for more.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;

// The crate of the fuzz targets exports them.
#[allow(unreachable_pub)]
#[path = "../../fuzz/src/targets/mod.rs"]
mod targets;

use targets::{TARGETS, repository};

#[test]
fn readers_take_every_seed() {
    for target in TARGETS {
        let folder = repository().join("fuzz/seeds").join(target.name);
        let seeds: Vec<Vec<u8>> = fs::read_dir(&folder).unwrap().map(|seed| fs::read(seed.unwrap().path()).unwrap()).collect();
        assert!(seeds.len() > 1, "{} has {} seeds", target.name, seeds.len());
        (target.feed)(&[]);
        seeds.iter().for_each(|seed| (target.feed)(seed));
    }
}

#[test]
fn target_has_a_binary_and_seeds() {
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(repository().join("fuzz").join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let known: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(names("seeds"), known);
    assert_eq!(names("fuzz_targets"), known);
}
