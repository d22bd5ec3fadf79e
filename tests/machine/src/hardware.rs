//! The PC that QEMU plays: what is in it, and where.

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
    /// The passthrough card's third function, if it has one.
    pub const CARD_THIRD: &str = "0000:01:00.2";
    /// The passthrough card's fourth function, if it has one.
    pub const CARD_FOURTH: &str = "0000:01:00.3";
    /// The USB controller that is legion's.
    pub const LEGION_USB: &str = "0000:02:00.0";
    /// The disk with the root file system, if it is behind a root port.
    pub const DISK_BEHIND_PORT: &str = "0000:03:00.0";
    /// The host's second card, if it has one.
    pub const SPARE: &str = "0000:00:0c.0";
    /// The network card, if it is behind a root port.
    pub const NETWORK_BEHIND_PORT: &str = "0000:04:00.0";
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
    /// Whether a second card stays with the host: bochs-display, at a higher address than the first.
    pub spare: bool,
    /// The functions of the passthrough card, from number 0 up; none: there is no card.
    pub card: Vec<CardFunction>,
    /// Whether the root ports keep what is behind them apart (PCI Express Access Control Services). If not, the ports and
    /// all behind them are one IOMMU group, as on many a mainboard.
    pub acs: bool,
    /// Whether the disk with the root file system and the network card are behind root ports too.
    pub host_behind_ports: bool,
    /// The keyboard on the host's USB controller.
    pub host_keyboard: bool,
    /// The keyboard on legion's USB controller.
    pub legion_keyboard: bool,
}

/// The display card and its first monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Display {
    /// Which card.
    pub model: CardModel,
    /// The first monitor's preferred width.
    pub width: u32,
    /// The first monitor's preferred height.
    pub height: u32,
    /// How many monitors can be plugged in; all but the first are unplugged at power-on ([`Monitor`](crate::Monitor)). Of
    /// the models only virtio-gpu has more than one.
    pub outputs: u32,
}

/// A graphics card that QEMU emulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardModel {
    /// virtio-gpu with VGA: another maker's card than the passthrough card.
    Virtio,
    /// The same model as the passthrough card, IDs included.
    Bochs,
}

/// A function of the passthrough card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardFunction {
    /// What a monitor is plugged into; bochs-display.
    Graphics,
    /// Sound. The machine has no driver for it.
    Audio,
    /// A USB controller, another model than the other two.
    Usb,
    /// Stands in for the USB-C controller of a graphics card: what has a driver nowhere.
    UsbC,
    /// A serial port, whose driver is built into the kernel: it has the function before any program runs.
    Serial,
}

impl CardFunction {
    /// QEMU's device, and its name.
    pub(crate) fn device(self) -> &'static str {
        match self {
            Self::Graphics => "bochs-display,id=card",
            Self::Audio => "intel-hda,id=cardaudio",
            Self::Usb => "qemu-xhci,id=cardusb",
            Self::UsbC => "edu,id=cardusbc",
            Self::Serial => "pci-serial,id=cardserial",
        }
    }
}

/// One of the two keyboards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyboard {
    /// On the USB controller that stays with the host.
    Host,
    /// On the USB controller that is legion's.
    Legion,
}

/// One of the monitors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// The display card's.
    Display,
    /// The display card's second.
    Second,
    /// The host's second card's.
    Spare,
    /// The passthrough card's.
    Card,
}

impl Head {
    /// QEMU's name for the card.
    pub(crate) fn device(self) -> &'static str {
        match self {
            Self::Display | Self::Second => "display",
            Self::Spare => "spare",
            Self::Card => "card",
        }
    }

    /// Which of the card's outputs.
    pub(crate) fn number(self) -> u32 {
        u32::from(self == Self::Second)
    }
}

impl Keyboard {
    /// Where QEMU plugs it in, and its name.
    pub(crate) fn bus_and_id(self) -> (&'static str, &'static str) {
        match self {
            Self::Host => ("hostusb.0", "hostkbd"),
            Self::Legion => ("legionusb.0", "legionkbd"),
        }
    }

    /// The keyboards are bound to the consoles of the two cards, by which QEMU tells them apart.
    pub(crate) fn console(self) -> Head {
        match self {
            Self::Host => Head::Display,
            Self::Legion => Head::Card,
        }
    }
}

impl Hardware {
    /// The reference machine with one processor and a small monitor. Two of them beside each other take less time than two with two
    /// processors, one after the other; and painting takes a processor long that is emulated.
    pub fn small() -> Self {
        let display = Display { model: CardModel::Virtio, width: 1280, height: 720, outputs: 1 };
        Self { cpus: 1, display: Some(display), ..Self::standard() }
    }

    /// The reference machine: everything there.
    pub fn standard() -> Self {
        Self {
            memory: 3072,
            cpus: 2,
            iommu: true,
            display: Some(Display { model: CardModel::Virtio, width: 1920, height: 1080, outputs: 1 }),
            spare: false,
            card: vec![CardFunction::Graphics, CardFunction::Audio],
            acs: true,
            host_behind_ports: false,
            host_keyboard: true,
            legion_keyboard: true,
        }
    }
}
