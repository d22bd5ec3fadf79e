//! What travels between the test bench and its helpers in the guests: JSON, one object a line.

use serde::{Deserialize, Serialize};

/// The virtio-serial port of the probe.
pub const PROBE_PORT: &str = "persona.probe";
/// The virtio-serial port on which a test cartridge reports.
pub const REPORT_PORT: &str = "persona.report";
/// Where legion's QEMU writes what the cartridge reports, on the machine.
pub const REPORT_FILE: &str = "/run/cartridges/report.jsonl";
/// Where legion's QEMU writes the guest's serial console, on the machine.
pub const CONSOLE_FILE: &str = "/run/cartridges/console.log";
/// The gamepad's name.
pub const PAD_NAME: &str = "Test Pad";
/// What a test cartridge is told about itself, in its initramfs.
pub const IDENTITY_FILE: &str = "/cartridge.json";

/// A command for the probe.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// Comes back with the answer.
    pub id: u64,
    /// A shell script.
    pub run: String,
    /// Run it again, whenever something may have changed, until it succeeds or so many seconds have passed. Absent: run it once.
    #[serde(default)]
    pub until_s: Option<u64>,
}

/// What the probe says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// First of all, once a boot: the kernel's boot ID.
    Hello {
        /// `/proc/sys/kernel/random/boot_id`.
        boot: String,
    },
    /// A command has ended.
    Done {
        /// The request's.
        id: u64,
        /// Its exit code, 128 and more for a signal.
        status: i32,
        /// What it wrote.
        stdout: String,
        /// What it wrote to stderr.
        stderr: String,
    },
}

/// Folders of the machine in which a change is worth another look at what is waited for.
pub const WATCHED: [&str; 8] = [
    "/run",
    "/run/cartridges",
    "/run/persona",
    "/run/persona/legion",
    "/var/lib/persona",
    "/var/lib/legion",
    "/sys/fs/cgroup/system.slice",
    "/run/systemd/journal",
];

/// Who a test cartridge is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The cartridge.
    pub name: String,
    /// What it writes on its screen.
    pub title: String,
    /// In smaller letters below.
    pub tagline: String,
    /// The screen's colour, `#rrggbb`.
    pub accent: String,
}

/// What a test cartridge reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Report {
    /// It runs.
    Started {
        /// The cartridge.
        cartridge: String,
        /// Seconds since its kernel started.
        uptime: String,
    },
    /// A PCI function that it sees.
    Pci {
        /// Where, in the guest.
        address: String,
        /// `vendor:device`, hexadecimal.
        id: String,
        /// The class code, hexadecimal.
        class: String,
    },
    /// It has drawn on a card's output.
    Drawn {
        /// The output's connector.
        output: String,
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// It could not do something.
    Trouble {
        /// What, and why.
        message: String,
    },
    /// An input device that has a letter key.
    Keyboard {
        /// Its name.
        name: String,
        /// What it hangs on.
        at: String,
    },
    /// A key was pressed.
    Key {
        /// The kernel's name for it.
        code: String,
    },
    /// Its TPM answered.
    Tpm {
        /// How often that was reset, over all boots.
        resets: u32,
    },
    /// It has written to its disk, and the disk has it.
    Written {
        /// How much.
        bytes: u64,
    },
    /// It powers off.
    PoweringOff {
        /// The key that asked for it.
        because: String,
    },
}
