//! The PC that QEMU plays, as QEMU's command line.

use crate::accel::Accel;
use std::path::{Path, PathBuf};

/// Where the PCI devices of the test machine are.
pub mod address {
    /// The display card.
    pub const DISPLAY: &str = "0000:00:02.0";
    /// The USB controller that stays with the host.
    pub const HOST_USB: &str = "0000:00:03.0";
    /// The disk with the root file system.
    pub const DISK: &str = "0000:00:04.0";
    /// The network card.
    pub const NETWORK: &str = "0000:00:05.0";
    /// The passthrough card.
    pub const CARD: &str = "0000:01:00.0";
    /// The passthrough card's sound function.
    pub const CARD_AUDIO: &str = "0000:01:00.1";
    /// The USB controller that is legion's.
    pub const LEGION_USB: &str = "0000:02:00.0";
}

/// What is in the PC. A missing card or controller leaves every other at its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hardware {
    /// Mebibytes.
    pub memory: u32,
    /// Processors.
    pub cpus: u32,
    /// Whether there is an IOMMU and the kernel uses it.
    pub iommu: bool,
    /// The card that stays with the host.
    pub display: Option<Display>,
    /// The passthrough card.
    pub card: bool,
    /// Whether that card has a sound function beside its graphics.
    pub card_audio: bool,
    /// The keyboard on the host's USB controller.
    pub host_keyboard: bool,
    /// The keyboard on legion's USB controller.
    pub legion_keyboard: bool,
}

/// The display card and its monitors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Display {
    /// Which card.
    pub model: CardModel,
    /// The first monitor's preferred width.
    pub width: u32,
    /// The first monitor's preferred height.
    pub height: u32,
}

/// A graphics card that QEMU emulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardModel {
    /// virtio-gpu with VGA: another maker's card than the passthrough card.
    Virtio,
    /// The same model as the passthrough card, IDs included.
    Bochs,
}

/// One of the two keyboards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyboard {
    /// On the USB controller that stays with the host.
    Host,
    /// On the USB controller that is legion's.
    Legion,
}

/// One of the two monitors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// The display card's.
    Display,
    /// The passthrough card's.
    Card,
}

impl Head {
    /// QEMU's name for the card.
    pub(crate) fn device(self) -> &'static str {
        match self {
            Self::Display => "display",
            Self::Card => "card",
        }
    }
}

impl Keyboard {
    /// The keyboards are bound to the consoles of the two cards, by which QEMU tells them apart.
    pub(crate) fn console(self) -> Head {
        match self {
            Self::Host => Head::Display,
            Self::Legion => Head::Card,
        }
    }
}

/// The files one boot needs.
#[derive(Debug, Clone)]
pub(crate) struct Boot<'a> {
    pub(crate) accel: Accel,
    pub(crate) kernel: &'a Path,
    pub(crate) initramfs: &'a Path,
    pub(crate) cmdline: &'a str,
    pub(crate) disk: &'a Path,
    /// Sockets, logs and what the guest gets by firmware configuration.
    pub(crate) folder: &'a Path,
    pub(crate) ssh_port: u16,
    /// Items of firmware configuration: name and file.
    pub(crate) firmware: &'a [(String, PathBuf)],
    /// Whether windows show the monitors.
    pub(crate) windows: bool,
}

impl Hardware {
    /// The reference machine: everything there.
    pub fn standard() -> Self {
        Self {
            memory: 3072,
            cpus: 2,
            iommu: true,
            display: Some(Display { model: CardModel::Virtio, width: 1920, height: 1080 }),
            card: true,
            card_audio: true,
            host_keyboard: true,
            legion_keyboard: true,
        }
    }

    /// What the kernel is told: the console on serial is an addition, tty1 stays the console of a person.
    pub(crate) fn cmdline(&self, extra: &str) -> String {
        let iommu = if self.iommu { " intel_iommu=on" } else { "" };
        format!("root=/dev/vda rootfstype=ext4 rw quiet loglevel=4 console=ttyS0 console=tty0{iommu} {extra}").trim_end().to_owned()
    }

    /// QEMU's arguments.
    pub(crate) fn argv(&self, boot: &Boot<'_>) -> Vec<String> {
        let mut line = Line::default();
        self.board(&mut line, boot);
        self.display_side(&mut line);
        self.host_devices(&mut line, boot);
        self.legion_devices(&mut line);
        let monitor = boot.folder.join("qmp");
        line.add("-chardev", format!("socket,id=qmp,path={},server=on,wait=off", monitor.display()));
        line.add("-mon", "chardev=qmp,mode=control");
        // A second monitor, for a person: `busybox nc local:FOLDER/monitor`.
        let person = boot.folder.join("monitor");
        line.add("-chardev", format!("socket,id=monitor,path={},server=on,wait=off", person.display()));
        line.add("-mon", "chardev=monitor,mode=readline");
        line.add("-serial", format!("file:{}", boot.folder.join("serial.log").display()));
        for (name, file) in boot.firmware {
            line.add("-fw_cfg", format!("name=opt/persona/{name},file={}", file.display()));
        }
        line.0
    }

    fn board(&self, line: &mut Line, boot: &Boot<'_>) {
        // Interrupt remapping wants the interrupt controller in QEMU, wholly or in part. No PS/2: its keyboard would be
        // a third one.
        let (machine, cpu) = match boot.accel {
            Accel::Tcg => ("q35,i8042=off,kernel-irqchip=off", "max"),
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

    fn display_side(&self, line: &mut Line) {
        if let Some(Display { model, width, height }) = &self.display {
            let model = match model {
                CardModel::Virtio => "virtio-vga",
                CardModel::Bochs => "bochs-display",
            };
            line.add("-device", format!("{model},id=display,addr=2,xres={width},yres={height},edid=on"));
        }
        line.add("-device", "qemu-xhci,id=hostusb,addr=3");
        if self.host_keyboard {
            let console = if self.display.is_some() { ",display=display" } else { "" };
            line.add("-device", format!("usb-kbd,bus=hostusb.0,id=hostkbd{console}"));
        }
    }

    fn host_devices(&self, line: &mut Line, boot: &Boot<'_>) {
        line.add("-drive", format!("if=none,id=root,file={},format=qcow2,cache=unsafe", boot.disk.display()));
        line.add("-device", "virtio-blk-pci,drive=root,addr=4");
        line.add("-netdev", format!("user,id=net,hostfwd=tcp:127.0.0.1:{}-:22", boot.ssh_port));
        line.add("-device", "virtio-net-pci,netdev=net,addr=5,romfile=");
        line.add("-device", "virtio-serial-pci,id=serial,addr=6");
        line.add("-chardev", format!("socket,id=probe,path={},server=on,wait=off", boot.folder.join("probe").display()));
        line.add("-device", format!("virtserialport,bus=serial.0,chardev=probe,name={}", crate::wire::PROBE_PORT));
        line.add("-device", "virtio-rng-pci,addr=7");
    }

    /// Each behind a root port of its own, so that it has an IOMMU group of its own; the card's functions share theirs.
    fn legion_devices(&self, line: &mut Line) {
        line.add("-device", "pcie-root-port,id=cardport,chassis=1,slot=1,addr=8");
        line.add("-device", "pcie-root-port,id=usbport,chassis=2,slot=2,addr=9");
        if self.card {
            let multifunction = if self.card_audio { ",multifunction=on" } else { "" };
            line.add("-device", format!("bochs-display,id=card,bus=cardport,addr=0.0{multifunction}"));
            if self.card_audio {
                line.add("-device", "intel-hda,id=cardaudio,bus=cardport,addr=0.1");
            }
        }
        line.add("-device", "nec-usb-xhci,id=legionusb,bus=usbport");
        if self.legion_keyboard {
            let console = if self.card { ",display=card" } else { "" };
            line.add("-device", format!("usb-kbd,bus=legionusb.0,id=legionkbd{console}"));
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
