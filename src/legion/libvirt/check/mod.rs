//! Checks the owner's domain against Persona's plan, before anything is touched.

use super::read::Element;
use super::virsh::demand;
use crate::error::{Error, Result};
use crate::passthrough::Warning;
use crate::sys::pci::PciAddress;
use std::path::Path;
use std::time::Duration;

/// How long libvirt may take to answer; a query takes it a fraction of a second.
pub(super) const VIRSH_TIMEOUT: Duration = Duration::from_secs(20);

/// Checks that the domain exists, is off, and takes only legion's devices. Changes nothing.
///
/// # Errors
/// When legion has to stay off; as [`check_domain`], and when the domain already runs, has a saved state, or libvirt cannot be asked.
pub fn look(domain: &str, devices: &[PciAddress], slot: &Path) -> Result<Vec<Warning>> {
    let information = expect_off(domain)?;
    let mut notes = check_domain(&demand(&["dumpxml", domain, "--inactive"], VIRSH_TIMEOUT)?, devices, slot)?;
    if value(&information, "Autostart") == Some("enable") {
        notes.push(Warning {
            code: "domain-autostart",
            address: None,
            what: format!("libvirt starts the domain {domain} at libvirt's own start (autostart), before a choice is made"),
            hint: Some(format!("virsh -c qemu:///system autostart --disable {domain}")),
        });
    }
    Ok(notes)
}

/// The output of `virsh dominfo` for a domain that can be started fresh.
///
/// # Errors
/// When it is not off, or would not boot fresh: a saved guest resumes where it was, on a disk that may be another's by now.
pub(super) fn expect_off(domain: &str) -> Result<String> {
    let information = demand(&["dominfo", domain], VIRSH_TIMEOUT)?;
    match value(&information, "State") {
        Some("shut off") if value(&information, "Managed save") == Some("yes") => {
            Err(Error::new(format!("the domain {domain} would not boot but resume from its saved state"))
                .with_code("domain-saved")
                .with_hint(format!(
                    "virsh -c qemu:///system managedsave-remove {domain} discards that state; or start it once by hand and shut it down"
                )))
        }
        Some("shut off") => Ok(information),
        state => Err(Error::new(format!(
            "the domain {domain} is already {}: it was not started by Persona",
            state.unwrap_or("in an unknown state")
        ))
        .with_code("domain-not-off")
        .with_hint(format!("shut it down first: virsh -c qemu:///system shutdown {domain}"))),
    }
}

/// The value of a line `Name:   value`.
fn value<'a>(information: &'a str, name: &str) -> Option<&'a str> {
    information.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}

/// Warnings for the owner about a domain (`virsh dumpxml --inactive`) before legion is started as it: about the host resources it takes
/// that Persona manages.
///
/// # Errors
/// When it takes a PCI device that is not among `devices`, legion's: libvirt would take it from the host. And when it cannot be read.
pub fn check_domain(xml: &str, devices: &[PciAddress], slot: &Path) -> Result<Vec<Warning>> {
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
        return Err(Error::new(format!("the domain has the host device {stranger}, which is not listed for legion"))
            .with_code("domain-takes-host-device")
            .with_hint("list it as [[legion.passthrough]] in the settings, or remove it from the domain: virsh -c qemu:///system edit"));
    }
    let mut notes = Vec::new();
    for device in devices {
        let (code, what, hint) = match taken.iter().find(|(address, _)| address == device) {
            None => (
                "domain-lacks-device",
                format!("{device} is listed for legion, but not in the domain: the guest will not see it"),
                "`persona export libvirt` prints its <hostdev>; `virsh -c qemu:///system edit` adds it",
            ),
            Some((_, true)) => (
                "domain-manages-device",
                format!("the domain has {device} with managed='yes': libvirt gives it back to its host driver when the guest ends"),
                "write managed='no' (virsh -c qemu:///system edit): Persona binds it before the guest starts and returns it afterwards",
            ),
            Some((_, false)) => continue,
        };
        notes.push(Warning { code, address: Some(*device), what, hint: Some(hint.to_owned()) });
    }
    let variables = domain.child("os").and_then(|os| os.child("nvram")).map(|nvram| (nvram.text.trim(), "nvram.fd"));
    let disks = parts.children.iter().filter(|part| part.name == "disk" && matches!(part.attribute("device"), None | Some("disk")));
    let files = disks.filter_map(|disk| disk.child("source")).filter_map(|source| source.attribute("file").or(source.attribute("dev")));
    for (file, name) in files.map(|file| (file, "disk.qcow2 (or disk.raw, or disk)")).chain(variables) {
        if !file.is_empty() && !Path::new(file).starts_with(slot) {
            notes.push(Warning {
                code: "domain-disk-outside-slot",
                address: None,
                what: format!("the domain's {file} is not in the slot: it stays the same whichever cartridge is inserted"),
                hint: Some(format!("if it is the cartridge's, write {}/{name} (virsh -c qemu:///system edit)", slot.display())),
            });
        }
    }
    Ok(notes)
}

/// The PCI functions that parts of a domain take from the host, and whether libvirt binds and unbinds them. They are the addresses of the
/// sources of hostdevs, network cards and NVMe disks. `None` if one cannot be read.
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
mod tests;
