//! QEMU's command line, computed.

use super::cartridge::{Cartridge, Disk, DiskKind};
use super::firmware::Firmware;
use super::identity;
use super::network;
use crate::paths::Paths;
use crate::pci::PciAddress;
use crate::settings::value::Network;
use crate::settings::{Guest, Legion};
use std::path::Path;

/// The program, found in `PATH`.
pub const QEMU: &str = "qemu-system-x86_64";

/// What makes legion this persona's machine.
#[derive(Debug, Clone, Copy)]
pub struct Machine<'a> {
    /// legion as the persona wants it.
    pub legion: &'a Legion,
    /// The cartridge that is in the slot.
    pub cartridge: &'a Cartridge,
    /// UEFI firmware, for a cartridge with UEFI variables.
    pub firmware: Option<&'a Firmware>,
    /// The PCI functions to pass through, closures included.
    pub devices: &'a [PciAddress],
}

/// The guest's PCI slots. They are spelt out, so that a guest finds its hardware in the same place whatever else is
/// switched on or off, and does not take its network card for a new one.
pub(super) mod at {
    pub(in crate::legion) const DISK: &str = "0x2";
    pub(in crate::legion) const NETWORK: &str = "0x3";
    pub(in crate::legion) const RANDOM: &str = "0x4";
    pub(in crate::legion) const SERIAL: &str = "0x5";
    /// Root ports, eight a slot, from here up.
    pub(in crate::legion) const ROOT_PORTS: usize = 0x10;
}

/// QEMU's command line, program first, as one can paste it into a shell.
pub fn argv(paths: &Paths, machine: &Machine<'_>) -> Vec<String> {
    let mut line = Line::default();
    basics(&mut line, machine);
    memory(&mut line, machine.legion);
    sockets(&mut line, paths);
    disk(&mut line, paths, machine.legion, machine.cartridge.disk);
    if let Some(firmware) = machine.firmware {
        flash(&mut line, paths, machine.legion, firmware);
    }
    network(&mut line, machine);
    passthrough(&mut line, machine.devices);
    line.0.extend(machine.legion.extra_args.iter().cloned());
    line.0
}

/// The same line under supervision: QEMU inherits `descriptor` for its supervisor's QMP, and if it is to be `held`, the guest
/// runs once QMP says so.
pub fn supervised(argv: &[String], descriptor: i32, held: bool) -> Vec<String> {
    let mut line = Line(argv.to_vec());
    line.add("-chardev", format!("socket,id=supervisor,fd={descriptor}"));
    line.add("-mon", "chardev=supervisor,mode=control");
    if held {
        line.flag("-S");
    }
    line.0
}

fn basics(line: &mut Line, machine: &Machine<'_>) {
    let Machine { legion, cartridge, firmware, .. } = machine;
    let cpus = legion.cpus.count();
    line.flag("-nodefaults").flag("-no-user-config");
    line.add("-name", format!("guest=legion-{},debug-threads=on", cartridge.name));
    line.add("-uuid", identity::uuid(&cartridge.name));
    let mut chipset = "q35,accel=kvm,vmport=off,dump-guest-core=off".to_owned();
    if legion.guest == Guest::Windows {
        chipset.push_str(",hpet=off");
    }
    if firmware.is_some() {
        chipset.push_str(",pflash0=code,pflash1=variables");
    }
    if legion.hugepages {
        chipset.push_str(",memory-backend=memory");
    }
    line.add("-machine", chipset);
    line.add("-cpu", cpu(legion.guest));
    line.add("-smp", format!("{cpus},sockets=1,cores={cpus},threads=1"));
    line.add(
        "-rtc",
        match legion.guest {
            Guest::Linux => "base=utc",
            Guest::Windows => "base=localtime,driftfix=slew",
        },
    );
    // Nobody could wake a machine whose keyboard sleeps with it.
    line.add("-global", "ICH9-LPC.disable_s3=1").add("-global", "ICH9-LPC.disable_s4=1");
    line.add("-display", "none").add("-vga", "none").add("-boot", "strict=on");
    line.add("-msg", "timestamp=off");
    line.add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
    line.add("-object", "rng-builtin,id=random");
    line.add("-device", format!("virtio-rng-pci,rng=random,addr={}", at::RANDOM));
    line.add("-device", "pvpanic");
}

/// Windows is told that it runs on Hyper-V, whose clocks, timers and interrupts it knows how to use cheaply (QEMU's
/// `docs/system/i386/hyperv.rst`).
fn cpu(guest: Guest) -> &'static str {
    match guest {
        Guest::Linux => "host",
        Guest::Windows => concat!(
            "host,hv-relaxed=on,hv-vapic=on,hv-spinlocks=0x1fff,hv-vpindex=on,hv-runtime=on,hv-time=on,hv-synic=on,",
            "hv-stimer=on,hv-reset=on,hv-frequencies=on,hv-tlbflush=on,hv-ipi=on"
        ),
    }
}

fn memory(line: &mut Line, legion: &Legion) {
    let size = format!("{}M", legion.memory.mebibytes());
    if legion.hugepages {
        // An anonymous file needs no mount that the user legion may write to. Touched at the start, so that too few huge
        // pages are an error message and not a guest killed later.
        line.add("-object", format!("memory-backend-memfd,id=memory,size={size},hugetlb=on,prealloc=on"));
    }
    line.add("-m", size);
}

fn sockets(line: &mut Line, paths: &Paths) {
    line.add("-chardev", format!("socket,id=qmp,path={},server=on,wait=off", value(paths.qmp_socket())));
    line.add("-mon", "chardev=qmp,mode=control");
    line.add("-chardev", format!("socket,id=agent,path={},server=on,wait=off", value(paths.guest_agent_socket())));
    line.add("-device", format!("virtio-serial-pci,id=serial,addr={}", at::SERIAL));
    line.add("-device", "virtserialport,bus=serial.0,chardev=agent,name=org.qemu.guest_agent.0");
}

/// The disk is opened through the slot: what is inserted is what boots.
fn disk(line: &mut Line, paths: &Paths, legion: &Legion, disk: Disk) {
    let file = value(paths.at(legion.slot.join(disk.kind.file_name())));
    let (format, driver) = match disk.kind {
        DiskKind::Qcow2 => ("qcow2", "file"),
        DiskKind::Raw => ("raw", "file"),
        DiskKind::BlockDevice => ("raw", "host_device"),
    };
    // Linux-native I/O wants a file past the page cache; threads take any.
    let cache = if disk.direct { "cache.direct=on,file.aio=native" } else { "cache.direct=off,file.aio=threads" };
    line.add("-object", "iothread,id=disk-thread");
    line.add("-blockdev", format!("driver={format},node-name=disk,discard=unmap,{cache},file.driver={driver},file.filename={file}"));
    line.add("-device", format!("virtio-blk-pci,drive=disk,iothread=disk-thread,addr={},bootindex=0", at::DISK));
}

fn flash(line: &mut Line, paths: &Paths, legion: &Legion, firmware: &Firmware) {
    let code = value(paths.at(&firmware.code));
    let variables = value(paths.at(legion.slot.join("nvram.fd")));
    let format = firmware.format.driver();
    line.add("-blockdev", format!("driver={format},node-name=code,read-only=on,file.driver=file,file.filename={code}"));
    line.add("-blockdev", format!("driver=raw,node-name=variables,file.driver=file,file.filename={variables}"));
}

fn network(line: &mut Line, machine: &Machine<'_>) {
    match &machine.legion.network {
        Network::None => return,
        Network::User => line.add("-netdev", "user,id=network"),
        // QEMU's own bridge helper would have to gain privileges, which sandbox and unit both forbid.
        Network::Bridge(_) => line.add("-netdev", format!("tap,id=network,ifname={},script=no,downscript=no", network::TAP)),
    };
    let mac = identity::mac(&machine.cartridge.name);
    // No boot ROM: it is a package of its own on some distributions, and legion boots its cartridge.
    line.add("-device", format!("virtio-net-pci,netdev=network,mac={mac},romfile=,addr={}", at::NETWORK));
}

/// Every slot of the host becomes one multifunction device behind a root port of its own, as on a mainboard. Functions
/// are numbered anew from 0, without which the guest would not look for the others.
fn passthrough(line: &mut Line, devices: &[PciAddress]) {
    let mut functions = devices.to_vec();
    functions.sort_unstable();
    functions.dedup();
    for (port, slot) in functions.chunk_by(|a, b| a.same_slot(*b)).enumerate() {
        let (number, addr) = (port + 1, format!("{:#x}.{:#x}", at::ROOT_PORTS + port / 8, port % 8));
        let multifunction = if port % 8 == 0 { ",multifunction=on" } else { "" };
        line.add("-device", format!("pcie-root-port,id=port{number},chassis={number},slot={number},addr={addr}{multifunction}"));
        for (function, host) in slot.iter().enumerate() {
            let multifunction = if function == 0 && slot.len() > 1 { ",multifunction=on" } else { "" };
            line.add("-device", format!("vfio-pci,host={host},bus=port{number},addr=0x0.{function:#x}{multifunction}"));
        }
    }
}

#[derive(Debug)]
struct Line(Vec<String>);

impl Default for Line {
    fn default() -> Self {
        Self(vec![QEMU.to_owned()])
    }
}

impl Line {
    fn flag(&mut self, flag: &str) -> &mut Self {
        self.0.push(flag.to_owned());
        self
    }

    fn add(&mut self, option: &str, value: impl Into<String>) -> &mut Self {
        self.0.push(option.to_owned());
        self.0.push(value.into());
        self
    }
}

/// A path as a value inside a QEMU option: a comma would end the value, two stand for one.
fn value(path: impl AsRef<Path>) -> String {
    path.as_ref().to_string_lossy().replace(',', ",,")
}

/// A command line as one would type it into a shell.
pub fn shell_line(argv: &[String]) -> String {
    argv.iter().map(|argument| shell_quote(argument)).collect::<Vec<_>>().join(" ")
}

fn shell_quote(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=,./:+@%".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
#[path = "argv_tests.rs"]
mod tests;
