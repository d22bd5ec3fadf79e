//! The owner's domain against Persona's plan, before anything is touched.

use super::read::Element;
use super::virsh::demand;
use crate::error::{Error, Result};
use crate::passthrough::Note;
use crate::sys::pci::PciAddress;
use std::path::Path;
use std::time::Duration;

/// How long libvirt may take to answer; what asks it to look at something takes it a fraction of a second.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Makes sure that the domain is there, off, and takes nothing that is not legion's. Changes nothing.
///
/// # Errors
/// When legion has to stay off; as [`check_domain`], and when the domain runs already, has its state saved, or libvirt cannot be
/// asked.
pub fn look(domain: &str, devices: &[PciAddress], slot: &Path) -> Result<Vec<Note>> {
    let information = expect_off(domain)?;
    let mut notes = check_domain(&demand(&["dumpxml", domain, "--inactive"], PATIENCE)?, devices, slot)?;
    if value(&information, "Autostart") == Some("enable") {
        notes.push(Note {
            code: "domain-autostart",
            address: None,
            what: format!("libvirt starts the domain {domain} by itself when it starts, before there is a choice"),
            hint: Some(format!("virsh -c qemu:///system autostart --disable {domain}")),
        });
    }
    Ok(notes)
}

/// What `virsh dominfo` says of a domain that can be started anew.
///
/// # Errors
/// When it is not off, or would not start anew: a saved guest wakes up in the midst of its work, on a disk that may be another's
/// by now.
pub(super) fn expect_off(domain: &str) -> Result<String> {
    let information = demand(&["dominfo", domain], PATIENCE)?;
    match value(&information, "State") {
        Some("shut off") if value(&information, "Managed save") == Some("yes") => {
            Err(Error::new(format!("the domain {domain} would not boot but go on from its saved state"))
                .with_code("domain-saved")
                .with_hint(format!(
                    "virsh -c qemu:///system managedsave-remove {domain} forgets that state; or start it once by hand and shut it down"
                )))
        }
        Some("shut off") => Ok(information),
        state => {
            Err(Error::new(format!("the domain {domain} is already {}: somebody else started it", state.unwrap_or("in an unknown state")))
                .with_code("domain-not-off")
                .with_hint(format!("shut it down first: virsh -c qemu:///system shutdown {domain}")))
        }
    }
}

/// The value of a line `Name:   value`.
fn value<'a>(information: &'a str, name: &str) -> Option<&'a str> {
    information.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}

/// What the owner should know about a domain (`virsh dumpxml --inactive`) before legion is started as it: what it takes from
/// the host that Persona has its say in.
///
/// # Errors
/// When it takes a PCI device that is not among `devices`, legion's: libvirt would tear it from the host. And when it cannot be
/// read.
pub fn check_domain(xml: &str, devices: &[PciAddress], slot: &Path) -> Result<Vec<Note>> {
    let unreadable = || {
        Error::new("libvirt's description of the domain cannot be read")
            .with_code("domain-unreadable")
            .with_hint("look at it: virsh -c qemu:///system dumpxml")
    };
    let domain = Element::read(xml).filter(|root| root.name == "domain").ok_or_else(unreadable)?;
    let parts = domain.child("devices").ok_or_else(unreadable)?;
    let mut taken = Vec::new();
    host_devices(parts, false, &mut taken).ok_or_else(unreadable)?;
    if let Some((stranger, _)) = taken.iter().find(|(address, _)| !devices.contains(address)) {
        return Err(Error::new(format!("the domain takes {stranger}, which is not legion's"))
            .with_code("domain-takes-host-device")
            .with_hint("list it as [[legion.passthrough]] in the settings, or take it out of the domain: virsh -c qemu:///system edit"));
    }
    let mut notes = Vec::new();
    for device in devices {
        let (code, what, hint) = match taken.iter().find(|(address, _)| address == device) {
            None => (
                "domain-lacks-device",
                format!("{device} is legion's, but the domain does not have it: the guest will not see it"),
                "`persona export libvirt` prints its <hostdev>; `virsh -c qemu:///system edit` adds it",
            ),
            Some((_, true)) => (
                "domain-manages-device",
                format!("the domain has {device} with managed='yes': libvirt gives it back to its host driver when the guest ends"),
                "write managed='no' (virsh -c qemu:///system edit): Persona binds it before and gives it back after",
            ),
            Some((_, false)) => continue,
        };
        notes.push(Note { code, address: Some(*device), what, hint: Some(hint.to_owned()) });
    }
    let variables = domain.child("os").and_then(|os| os.child("nvram")).map(|nvram| (nvram.text.trim(), "nvram.fd"));
    let disks = parts.children.iter().filter(|part| part.name == "disk" && matches!(part.attribute("device"), None | Some("disk")));
    let files = disks.filter_map(|disk| disk.child("source")).filter_map(|source| source.attribute("file").or(source.attribute("dev")));
    for (file, name) in files.map(|file| (file, "disk.qcow2 (or disk.raw, or disk)")).chain(variables) {
        if !file.is_empty() && !Path::new(file).starts_with(slot) {
            notes.push(Note {
                code: "domain-disk-outside-slot",
                address: None,
                what: format!("the domain's {file} does not lie in the slot: it stays the same whichever cartridge is in"),
                hint: Some(format!("if it is the cartridge's, write {}/{name} (virsh -c qemu:///system edit)", slot.display())),
            });
        }
    }
    Ok(notes)
}

/// The PCI functions that parts of a domain take from the host, and whether libvirt binds and unbinds them. They are the
/// addresses of sources: of hostdevs, of network cards and NVMe disks that are such. `None` if one cannot be read.
fn host_devices(part: &Element, managed: bool, taken: &mut Vec<(PciAddress, bool)>) -> Option<()> {
    let managed = part.attribute("managed").map_or(managed, |managed| managed == "yes");
    for child in &part.children {
        let is_pci = child.attribute("slot").is_some() || child.attribute("type") == Some("pci");
        if part.name == "source" && child.name == "address" && is_pci {
            taken.push((address(child)?, managed));
        }
        host_devices(child, managed, taken)?;
    }
    Some(())
}

fn address(element: &Element) -> Option<PciAddress> {
    let number = |name: &str| {
        let text = element.attribute(name)?;
        text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |hex| u16::from_str_radix(hex, 16).ok())
    };
    let domain = if element.attribute("domain").is_some() { number("domain")? } else { 0 };
    let [bus, device, function] = [number("bus")?, number("slot")?, number("function")?];
    format!("{domain:04x}:{bus:02x}:{device:02x}.{function:x}").parse().ok()
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
