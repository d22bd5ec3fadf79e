//! The PC as QEMU's command line.

use crate::accel::Accel;
use crate::hardware::{CardFunction, CardModel, Display, Hardware, Head, Keyboard};
use crate::monitor;
use std::path::{Path, PathBuf};

/// The files one boot needs.
#[derive(Debug, Clone)]
pub(crate) struct Boot<'a> {
    pub(crate) accel: Accel,
    /// Whether an emulated processor has nested paging.
    pub(crate) nested_paging: bool,
    pub(crate) kernel: &'a Path,
    pub(crate) initramfs: &'a Path,
    pub(crate) cmdline: &'a str,
    pub(crate) disk: &'a Path,
    /// Whether what the machine has been told to be on the disk is there when its power is cut.
    pub(crate) durable: bool,
    /// Sockets, logs and what the guest gets by firmware configuration.
    pub(crate) folder: &'a Path,
    pub(crate) ssh_port: u16,
    /// Items of firmware configuration: name and file.
    pub(crate) firmware: &'a [(String, PathBuf)],
    /// Whether windows show the monitors.
    pub(crate) windows: bool,
}

/// What an emulated processor takes long for and no test asks for, in the machine and in its guests. And a check of the timer that gives
/// up the boot when the emulator was not given a processor for a moment.
pub(crate) const CHEAP: &str = "mitigations=off cryptomgr.notests audit=0 lsm=capability no_timer_check \
    initcall_blacklist=jent_mod_init,crypto_kdf108_init,init_encrypted";

impl Hardware {
    /// What the kernel is told: the console on serial is an addition, tty1 stays the console of a person.
    pub(crate) fn cmdline(&self, extra: &str) -> String {
        let iommu = if self.iommu { " intel_iommu=on" } else { "" };
        format!("root=/dev/vda rootfstype=ext4 rw quiet loglevel=4 console=ttyS0 console=tty0{iommu} {CHEAP} {extra}").trim_end().to_owned()
    }

    /// QEMU's arguments.
    pub(crate) fn argv(&self, boot: &Boot<'_>) -> Vec<String> {
        let mut line = Line::default();
        self.board(&mut line, boot);
        self.display_side(&mut line, boot);
        self.root_ports(&mut line);
        self.host_devices(&mut line, boot);
        self.legion_devices(&mut line);
        let monitor = boot.folder.join("qmp");
        line.add("-chardev", format!("socket,id=qmp,path={},server=on,wait=off", monitor.display()));
        line.add("-mon", "chardev=qmp,mode=control");
        // A second monitor, for a person: `busybox nc local:FOLDER/monitor`.
        let person = boot.folder.join("monitor");
        line.add("-chardev", format!("socket,id=monitor,path={},server=on,wait=off", person.display()));
        line.add("-mon", "chardev=monitor,mode=readline");
        // Somebody may sit at the other end of the line; what was said is kept either way.
        let (socket, kept) = (boot.folder.join("serial"), boot.folder.join("serial.log"));
        line.add("-chardev", format!("socket,id=line,path={},server=on,wait=off,logfile={}", socket.display(), kept.display()));
        line.add("-serial", "chardev:line");
        for (name, file) in boot.firmware {
            line.add("-fw_cfg", format!("name=opt/persona/{name},file={}", file.display()));
        }
        line.0
    }

    fn board(&self, line: &mut Line, boot: &Boot<'_>) {
        // Interrupt remapping wants the interrupt controller in QEMU, wholly or in part. No PS/2: its keyboard would be
        // a third one.
        let (machine, cpu) = match boot.accel {
            // Four levels of page tables are fewer to walk in software than five. What QEMU 7.2 makes of nested paging now and then takes
            // the host down; without it KVM shadows legion's page tables, which QEMU 10 gets wrong.
            Accel::Tcg if boot.nested_paging => ("q35,i8042=off,kernel-irqchip=off", "max,la57=off"),
            Accel::Tcg => ("q35,i8042=off,kernel-irqchip=off", "max,la57=off,npt=off"),
            Accel::Kvm => ("q35,i8042=off,kernel-irqchip=split", "host"),
        };
        line.add("-machine", machine).add("-cpu", cpu);
        line.add(
            "-accel",
            match boot.accel {
                Accel::Tcg => "tcg,thread=multi,tb-size=512",
                Accel::Kvm => "kvm",
            },
        );
        line.flag("-nodefaults").add("-display", if boot.windows { "gtk,show-tabs=on" } else { "none" });
        line.add("-smp", self.cpus.to_string()).add("-m", self.memory.to_string());
        line.add("-kernel", boot.kernel.display().to_string());
        line.add("-initrd", boot.initramfs.display().to_string());
        line.add("-append", boot.cmdline);
        if self.iommu {
            line.add("-device", "intel-iommu,intremap=on,caching-mode=on");
        }
    }

    fn display_side(&self, line: &mut Line, boot: &Boot<'_>) {
        if let Some(Display { model, width, height, outputs }) = &self.display {
            let model = match model {
                CardModel::Virtio => format!("virtio-vga,max_outputs={outputs}"),
                CardModel::Bochs => "bochs-display".to_owned(),
            };
            line.add("-device", format!("{model},id=display,addr=2,xres={width},yres={height},edid=on"));
            for head in [Head::Display, Head::Second].into_iter().take(*outputs as usize).filter(|_| *outputs > 1) {
                let socket = monitor::socket(boot.folder, head);
                line.add("-vnc", format!("unix:{},display={},head={}", socket.display(), head.device(), head.number()));
            }
        }
        if self.spare {
            line.add("-device", format!("bochs-display,id={},addr=0xc,xres=1280,yres=800,edid=on", Head::Spare.device()));
        }
        line.add("-device", "qemu-xhci,id=hostusb,addr=3");
        if self.host_keyboard {
            self.keyboard(line, Keyboard::Host);
        }
    }

    fn keyboard(&self, line: &mut Line, keyboard: Keyboard) {
        let options = self.keyboard_options(keyboard).into_iter().map(|(name, value)| format!(",{name}={value}"));
        line.add("-device", format!("usb-kbd{}", options.collect::<String>()));
    }

    /// A keyboard is told from the other by the console it belongs to, if there is that console.
    pub(crate) fn keyboard_options(&self, keyboard: Keyboard) -> Vec<(&'static str, &'static str)> {
        let (bus, id) = keyboard.bus_and_id();
        let has_console = match keyboard {
            Keyboard::Host => self.display.is_some(),
            Keyboard::Legion => self.card.contains(&CardFunction::Graphics),
        };
        let console = has_console.then(|| ("display", keyboard.console().device()));
        [("bus", bus), ("id", id)].into_iter().chain(console).collect()
    }

    fn host_devices(&self, line: &mut Line, boot: &Boot<'_>) {
        let cache = if boot.durable { "writeback" } else { "unsafe" };
        line.add("-drive", format!("if=none,id=root,file={},format=qcow2,cache={cache}", boot.disk.display()));
        let (disk, network) = if self.host_behind_ports { ("bus=diskport", "bus=networkport") } else { ("addr=4", "addr=5") };
        line.add("-device", format!("virtio-blk-pci,drive=root,{disk}"));
        line.add("-netdev", format!("user,id=net,hostfwd=tcp:127.0.0.1:{}-:22", boot.ssh_port));
        line.add("-device", format!("virtio-net-pci,netdev=net,{network},romfile="));
        line.add("-device", "virtio-serial-pci,id=serial,addr=6");
        line.add("-chardev", format!("socket,id=probe,path={},server=on,wait=off", boot.folder.join("probe").display()));
        line.add("-device", format!("virtserialport,bus=serial.0,chardev=probe,name={}", crate::wire::PROBE_PORT));
        line.add("-device", "virtio-rng-pci,addr=7");
    }

    /// One for each slot behind them. The firmware numbers their buses in this order.
    fn root_ports(&self, line: &mut Line) {
        let mut ports = vec!["cardport", "usbport"];
        if self.host_behind_ports {
            ports.extend(["diskport", "networkport"]);
        }
        for (index, port) in ports.into_iter().enumerate() {
            // Functions of one slot without ACS are one IOMMU group; ports in slots of their own never are. Intel's port has no ACS.
            let (model, place) = if self.acs {
                ("pcie-root-port", format!("addr={}", index + 8))
            } else {
                ("ioh3420", format!("addr=8.{index}{}", if index == 0 { ",multifunction=on" } else { "" }))
            };
            let number = index + 1;
            line.add("-device", format!("{model},id={port},chassis={number},slot={number},{place}"));
        }
    }

    fn legion_devices(&self, line: &mut Line) {
        for (number, function) in self.card.iter().enumerate() {
            let multifunction = if number == 0 && self.card.len() > 1 { ",multifunction=on" } else { "" };
            line.add("-device", format!("{},bus=cardport,addr=0.{number}{multifunction}", function.device()));
        }
        line.add("-device", "nec-usb-xhci,id=legionusb,bus=usbport");
        if self.legion_keyboard {
            self.keyboard(line, Keyboard::Legion);
        }
    }
}

#[derive(Default)]
struct Line(Vec<String>);

impl Line {
    fn flag(&mut self, flag: &str) -> &mut Self {
        self.0.push(flag.to_owned());
        self
    }

    fn add(&mut self, option: &str, value: impl Into<String>) -> &mut Self {
        self.0.extend([option.to_owned(), value.into()]);
        self
    }
}
