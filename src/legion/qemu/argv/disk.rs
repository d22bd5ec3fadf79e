//! The cartridge's disk, and a CD to install from.

use super::{Line, at, file};
use crate::config::DiskBus;
use crate::legion::cartridge::DiskKind;
use crate::legion::identity;
use crate::legion::virtual_machine::VirtualMachine;
use crate::sys::paths::Paths;
use serde_json::json;
use std::path::Path;

/// The disk is opened through the slot: the inserted cartridge is what boots.
///
/// Guests discard blocks they no longer need, so detecting zeroes in their writes would only cost time. An NVMe controller has no I/O
/// thread of its own before QEMU 8.
pub(super) fn disk(line: &mut Line, paths: &Paths, machine: &VirtualMachine<'_>) {
    let disk = machine.cartridge.disk;
    let file = paths.at(machine.legion.slot.join(disk.kind.file_name()));
    let driver = if disk.kind == DiskKind::BlockDevice { "host_device" } else { "file" };
    // Linux-native I/O needs a file opened without the page cache; threads work with any. io_uring is no faster with one disk, and the
    // kernel or the build of QEMU may not support it.
    let aio = if disk.direct { "native" } else { "threads" };
    let file = json!({ "driver": driver, "aio": aio, "filename": file.to_string_lossy() });
    let options = json!({ "discard": "unmap", "cache": { "direct": disk.direct } });
    line.block("disk", disk.kind.driver(), file, options);
    let device = match machine.legion.disk {
        DiskBus::Virtio => {
            line.add("-object", "iothread,id=disk-thread");
            "virtio-blk-pci,iothread=disk-thread"
        }
        DiskBus::Nvme => "nvme",
    };
    let serial = identity::serial(&machine.cartridge.name);
    line.add("-device", format!("{device},drive=disk,serial={serial},addr={},bootindex=0", at::DISK));
}

/// On the chipset's own SATA controller, for which every installer has a driver, and after the disk: with a blank disk the firmware falls
/// through to it, and once a system is installed, the disk boots.
pub(super) fn cd(line: &mut Line, paths: &Paths, iso: Option<&Path>) {
    let Some(iso) = iso else { return };
    line.block("cd", "raw", file(paths.at(iso)), json!({ "read-only": true }));
    line.add("-device", "ide-cd,bus=ide.0,drive=cd,bootindex=1");
}
