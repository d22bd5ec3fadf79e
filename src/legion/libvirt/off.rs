//! Stops a domain that has no supervisor any more.

use super::check::VIRSH_TIMEOUT;
use super::virsh::{Answer, ask};
use super::watch::{Life, Watch};
use crate::error::{Error, Result};
use std::time::Duration;

/// libvirt gives QEMU 15 s to end by itself, the same again when it kills it, and longer with many devices.
const DESTROYING: Duration = Duration::from_secs(40);

/// Makes sure that the domain is off: the guest of a killed supervisor keeps running, because QEMU is libvirt's child. It is stopped with
/// its disk flushed, and killed if that fails. A domain that is off or unknown is fine.
///
/// # Errors
/// When it still runs after that, or libvirt does not answer. The guest then has its devices, and they must not be returned.
pub fn ensure_off(domain: &str) -> Result<()> {
    if is_off(domain)? {
        return Ok(());
    }
    log::warn!("the domain {domain} still runs without a supervisor: it is being stopped");
    for destroy in [&["destroy", domain, "--graceful"][..], &["destroy", domain]] {
        let Answer { done, words, .. } = ask(destroy, DESTROYING)?;
        if !done {
            log::warn!("{words}");
        }
        if is_off(domain)? {
            return Ok(());
        }
    }
    Err(Error::new(format!("the domain {domain} cannot be stopped"))
        .with_code("domain-not-off")
        .with_hint(format!("virsh -c qemu:///system destroy {domain}; the guest keeps its devices until then")))
}

fn is_off(domain: &str) -> Result<bool> {
    let state = ["domstate", domain, "--reason"];
    let answer = ask(&state, VIRSH_TIMEOUT)?;
    match Watch::default().state(&answer) {
        Life::Off => Ok(true),
        Life::On => Ok(false),
        Life::Unknown => Err(answer.into_error(&state)),
    }
}
