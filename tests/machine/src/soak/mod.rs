//! `make soak`: commands that change cartridges, snapshots, slot and settings, broken off at random instants, on a machine that
//! goes on from round to round. After each round all of it must be in one of the states that the command allows.

mod bench;
mod damage;
mod judge;
mod operation;
mod random;
mod writers;

use crate::log::Log;
use bench::Bench;
use damage::Damage;
use operation::Operation;
use persona::error::{Context, Error, Result};
use persona::legion::cartridge::slot;
use persona::legion::{Cartridge, LegionLock};
use persona::sys::paths::Paths;
use random::Random;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// So many rounds lie between two crowds of writers.
const ROUNDS_PER_CROWD: u32 = 200;

/// Of so many faults, what they left is kept.
const MAX_KEPT: usize = 20;

/// Runs so many rounds. The same `seed` chooses the same commands; the instants of the kills depend on the machine.
///
/// # Errors
/// When a round left what it must not leave, or the machine cannot be made.
pub fn soak(rounds: u32, seed: u64) -> Result<()> {
    let log = Log::new("soak");
    log.step(format!("{rounds} rounds, SOAK_SEED={seed}"));
    let mut random = Random::new(seed);
    let mut bench = Bench::new()?;
    if !bench.has_own_disk() {
        log.step("this is not root: a full disk and a read-only one are left out");
    }
    let mut counts: BTreeMap<(String, &'static str), u32> = BTreeMap::new();
    let mut faults = Vec::new();
    for round in 1..=rounds {
        let result = if round % ROUNDS_PER_CROWD == 0 {
            writers::crowd(&mut bench, &mut random).map(|()| ("200 writers".to_owned(), "was killed"))
        } else {
            play(&mut bench, &mut random)
        };
        match result {
            Ok((what, outcome)) => *counts.entry((what, outcome)).or_default() += 1,
            Err(error) => {
                let kept = if faults.len() < MAX_KEPT { bench.keep(faults.len())?.display().to_string() } else { "not kept".to_owned() };
                let fault = format!("round {round}: {error}\n    what is left: {kept}");
                log.step(&fault);
                faults.push(fault);
                bench = Bench::new()?;
            }
        }
        if round % 100 == 0 {
            log.step(format!("{round} rounds, {} faults", faults.len()));
        }
    }
    print(&counts, rounds, &faults).context(|| "printing".to_owned())?;
    if faults.is_empty() { Ok(()) } else { Err(Error::new(format!("{} of {rounds} rounds left what they must not", faults.len()))) }
}

/// Puts a cartridge into the slot, as a launch does. What a round breaks off is a process of its own.
///
/// # Errors
/// When the cartridge cannot be used, or the slot not be changed.
pub fn insert(root: &Path, name: &str) -> Result<()> {
    let paths = Paths::new(root, None);
    let lock = LegionLock::take(&paths)?;
    let cartridge = Cartridge::inspect(&paths, Path::new("/shelf"), name)?;
    slot::insert(&lock, &paths, Path::new("/slot"), &cartridge)?;
    slot::expect(&lock, &paths, Path::new("/slot"), &cartridge)
}

/// One round: a command, what happens to it, and the judgement. Returns what it was and what came of it.
fn play(bench: &mut Bench, random: &mut Random) -> Result<(String, &'static str)> {
    let operation = Operation::random(bench, random);
    let damage = Damage::random(bench, &operation, random);
    let doing = || format!("`{operation}` with {damage}");
    let outcome = damage.strike(bench, &operation, random).context(doing)?;
    judge::judge(bench, &operation).context(doing)?;
    Ok((format!("{} with {damage}", operation.word()), outcome))
}

fn print(counts: &BTreeMap<(String, &'static str), u32>, rounds: u32, faults: &[String]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for ((what, outcome), count) in counts {
        writeln!(out, "{count:>6}  {what:40} {outcome}")?;
    }
    let killed: u32 = counts.iter().filter(|((_, outcome), _)| *outcome == "was killed").map(|(_, count)| count).sum();
    writeln!(out, "{rounds:>6}  rounds, {killed} of them killed, {} faults", faults.len())?;
    faults.iter().try_for_each(|fault| writeln!(out, "FAULT {fault}"))
}
