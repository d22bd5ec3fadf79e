//! Taking the domain down when nobody supervises it any more.

use super::check::PATIENCE;
use super::virsh::{Answer, ask};
use super::watch::{Life, Watch};
use crate::error::{Error, Result};
use std::time::Duration;

/// libvirt gives QEMU 15 s to end by itself, and as long again when it kills it, and longer with many devices.
const DESTROYING: Duration = Duration::from_secs(40);

/// Makes sure that the domain is off: the guest of a supervisor that was killed lives on, for QEMU is libvirt's child. It is
/// switched off with its disk flushed, and killed if that does not help. A domain that is off, or unknown, is fine.
///
/// # Errors
/// When it still runs after that, or libvirt does not say. The guest then has its devices, and they must not be given back.
pub fn ensure_off(domain: &str) -> Result<()> {
    if is_off(domain)? {
        return Ok(());
    }
    log::warn!("the domain {domain} still runs, and nobody supervises it: it is switched off");
    for destroy in [&["destroy", domain, "--graceful"][..], &["destroy", domain]] {
        let Answer { done, words, .. } = ask(destroy, DESTROYING)?;
        if !done {
            log::warn!("{words}");
        }
        if is_off(domain)? {
            return Ok(());
        }
    }
    Err(Error::new(format!("the domain {domain} cannot be switched off"))
        .with_code("domain-not-off")
        .with_hint(format!("virsh -c qemu:///system destroy {domain}; its devices stay the guest's until then")))
}

fn is_off(domain: &str) -> Result<bool> {
    let state = ["domstate", domain, "--reason"];
    let answer = ask(&state, PATIENCE)?;
    match Watch::default().state(&answer) {
        Life::Off => Ok(true),
        Life::On => Ok(false),
        Life::Unknown => Err(answer.into_error(&state)),
    }
}
