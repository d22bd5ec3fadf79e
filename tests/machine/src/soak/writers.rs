//! Two hundred processes that change settings and override at once, some of them killed.

use super::bench::{Bench, NAMES};
use super::judge;
use super::operation::Operation;
use super::random::Random;
use persona::config::{DefaultPersona, Settings};
use persona::error::{Context, Error, Result};
use persona::state::Override;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

const WRITERS: usize = 200;

/// Runs them, kills every tenth, and judges what is left.
pub(super) fn crowd(bench: &mut Bench, random: &mut Random) -> Result<()> {
    let mut children: Vec<(Operation, Child)> = Vec::new();
    for number in 0..WRITERS {
        let name = random.one_of(&NAMES).to_owned();
        let operation = if number % 2 == 0 { Operation::Next(name) } else { Operation::Default(name) };
        let mut command = operation.command(bench)?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        children.push((operation, child.context(|| "running persona".to_owned())?));
        if number % 10 == 9 {
            sleep(Duration::from_micros(random.below(3000)));
            let victim = random.below(children.len() as u64) as usize;
            // One that has ended stays as it was.
            let _ = children[victim].1.kill();
        }
    }
    for (operation, child) in children {
        let output = child.wait_with_output().context(|| "waiting for a writer".to_owned())?;
        if output.status.code().is_some_and(|code| code != 0) {
            return Err(Error::new(format!("`{operation}` failed among {WRITERS}: {}", String::from_utf8_lossy(&output.stderr))));
        }
    }
    // Any of them may have been the last.
    let DefaultPersona::Named(default) = Settings::load(&bench.paths)?.menu.default else {
        return Err(Error::new("the default is none of those that were written"));
    };
    let next = Override::read(&bench.paths)?.map(|next| next.persona);
    (bench.default, bench.next) = (default.clone(), next.clone());
    judge::judge(bench, &Operation::Default(default))?;
    judge::judge(bench, &Operation::Next(next.unwrap_or_else(|| NAMES[0].to_owned())))
}
