//! One device in sysfs: its driver, its override, and moving it from one driver to another.

use super::VFIO_PCI;
use super::attribute::{SysfsWriter, WriteOutcome, write_now};
use super::hangs_on_unbind;
use super::read::{driver_override, idle_override, is_hung, link_name};
use crate::error::{Context, Error, Result};
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use crate::sys::poll;
use crate::sys::tree;
use std::cell::Cell;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Access to the kernel where it can hang or is not a plain file.
#[derive(Debug)]
pub struct Kernel {
    /// Performs the writes that may hang.
    pub writer: SysfsWriter,
    /// The program that loads modules.
    pub modprobe: OsString,
    /// Asks VFIO whether a group can be given to a guest.
    pub group_is_viable: fn(&File) -> io::Result<bool>,
}

impl Default for Kernel {
    fn default() -> Self {
        Self { writer: SysfsWriter::default(), modprobe: "modprobe".into(), group_is_viable: crate::sys::syscalls::vfio_group_is_viable }
    }
}

/// A device below a root directory.
#[derive(Clone, Copy)]
pub(super) struct Device<'a> {
    pub(super) paths: &'a Paths,
    pub(super) address: PciAddress,
}

impl Device<'_> {
    pub(super) fn driver(self) -> Option<String> {
        link_name(&self.paths.pci_device(self.address).join("driver"))
    }

    /// Whether it is on its bus: a device can be removed or fail.
    pub(super) fn is_there(self) -> bool {
        self.paths.pci_device(self.address).exists()
    }

    fn gone(self) -> Error {
        Error::new(format!("{} is gone: it was removed, or failed", self.address))
            .with_code("device-gone")
            .with_hint("`lspci` lists the present devices; a reboot may bring it back")
    }

    /// The only driver that may bind, empty if any may. Not read while a host driver has the device.
    pub(super) fn idle_override(self) -> String {
        idle_override(&self.paths.pci_device(self.address), self.driver().as_deref()).unwrap_or_default()
    }

    /// Sets the override, or clears it with an empty value. The kernel takes the same lock for it as for probing and unbinding a driver.
    pub(super) fn set_override(self, driver: &str, writer: &SysfsWriter) -> Result<()> {
        self.write(&self.override_file(), driver, writer, writer.deadline())?;
        self.verify_override(driver)
    }

    /// The same without a child, for the initramfs: there is no driver yet that could hang.
    pub(super) fn set_override_now(self, driver: &str) -> Result<()> {
        let path = self.override_file();
        write_now(&path, driver).context(|| format!("writing `{driver}` to {}", path.display()))?;
        self.verify_override(driver)
    }

    fn override_file(self) -> PathBuf {
        self.paths.pci_device(self.address).join("driver_override")
    }

    /// Reads the override back. This takes the same lock, so it is done only after a write that returned.
    fn verify_override(self, driver: &str) -> Result<()> {
        let now = driver_override(&self.paths.pci_device(self.address)).unwrap_or_default();
        let path = self.override_file();
        if now == driver { Ok(()) } else { Err(Error::new(format!("{} is `{now}` after writing `{driver}`", path.display()))) }
    }

    /// Unbinds the device from its current host driver.
    pub(super) fn leave_host(self, writer: &SysfsWriter) -> Result<()> {
        let free = |driver: Option<&str>| driver.is_none_or(|driver| driver == VFIO_PCI);
        self.settle("unbinding", writer.deadline(), free, |driver| match driver {
            Some(driver) if hangs_on_unbind(driver) => Err(Error::new(format!(
                "reboot required: {} has the driver {driver}, which is known to hang when it is unbound",
                self.address
            ))
            .with_code("driver-hangs-on-unbind")
            .with_hint("rebuild the initramfs and reboot: then the device is reserved before the driver loads")),
            Some(driver) => self.write(&self.paths.pci_driver(driver).join("unbind"), &self.address.to_string(), writer, writer.deadline()),
            None => Ok(()),
        })
    }

    /// Binds the device to vfio-pci, unbinding any driver that took it in the meantime.
    pub(super) fn bind_to_vfio(self, writer: &SysfsWriter) -> Result<()> {
        let bound = |driver: Option<&str>| driver == Some(VFIO_PCI);
        let by_us = Cell::new(false);
        self.settle("binding to vfio-pci", writer.deadline(), bound, |driver| match driver {
            Some(_) => self.leave_host(writer),
            None => self.attach(writer).map(|()| by_us.set(true)),
        })?;
        if by_us.get() { Ok(()) } else { self.finish_binding(writer) }
    }

    /// Binds to vfio-pci and no other driver; waits for a driver that is probing the device, and is refused (`EBUSY`) if it has a driver
    /// then.
    fn attach(self, writer: &SysfsWriter) -> Result<()> {
        self.write(&self.paths.pci_driver(VFIO_PCI).join("bind"), &self.address.to_string(), writer, writer.deadline())
    }

    /// Lets the kernel find a driver.
    pub(super) fn probe(self, writer: &SysfsWriter) -> Result<()> {
        self.write(&self.paths.pci_drivers_probe(), &self.address.to_string(), writer, writer.deadline_of_drivers())
    }

    /// Whether a driver hung on it in this boot, so that touching it may hang too.
    pub(super) fn is_hung(self) -> bool {
        is_hung(self.paths, self.address)
    }

    /// Writes to an attribute that calls into a driver, or waits for one. A hang is recorded for this boot.
    fn write(self, attribute: &Path, value: &str, writer: &SysfsWriter, deadline: Duration) -> Result<()> {
        match writer.write(attribute, value, deadline).map_err(|error| if self.is_there() { error } else { self.gone() })? {
            WriteOutcome::Written => Ok(()),
            WriteOutcome::Hung => {
                self.mark_hung();
                let what = format!("reboot required: writing `{value}` to {}", attribute.display());
                Err(Error::new(format!("{what} has not returned after {deadline:?}"))
                    .with_code("driver-hung")
                    .with_hint("reboot the machine, and reserve the device at boot (bind = \"boot\"): then no driver has to be unbound"))
            }
        }
    }

    fn mark_hung(self) {
        let mark = self.paths.hung_device(self.address);
        let mark = tree::entry(&mark);
        // Other users may write to the folder: only creating a new file is safe against links that they put there.
        let create = || OpenOptions::new().write(true).create_new(true).open(&mark).map(drop);
        match fs::create_dir_all(tree::followed(&self.paths.run_dir())).and_then(|()| create()) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                log::error!("recording in {} that {} hangs: {error}", mark.display(), self.address);
            }
            _ => {}
        }
    }

    /// Unbinds the device from vfio-pci. A driver that binds to it afterwards may keep it.
    pub(super) fn leave_vfio(self, writer: &SysfsWriter) -> Result<()> {
        let left = |driver: Option<&str>| driver != Some(VFIO_PCI);
        let unbind = self.paths.pci_driver(VFIO_PCI).join("unbind");
        self.settle("unbinding", writer.deadline(), left, |_| self.write(&unbind, &self.address.to_string(), writer, writer.deadline()))
    }

    /// Lets the kernel find a driver until the device has a host driver.
    pub(super) fn return_to_host(self, writer: &SysfsWriter) -> Result<()> {
        let returned = |driver: Option<&str>| driver.is_some_and(|driver| driver != VFIO_PCI);
        self.settle("returning to the host", writer.deadline_of_drivers(), returned, |driver| match driver {
            Some(_) => self.leave_vfio(writer),
            None => self.probe(writer),
        })
    }

    /// Repeats the action until the driver is the wanted one. udev may be probing or unbinding the same device at the same time: then a
    /// write fails although the result is right, or the wrong driver wins, and reading the state again shows that.
    fn settle(
        self,
        doing: &str,
        deadline: Duration,
        done: impl Fn(Option<&str>) -> bool,
        act: impl Fn(Option<&str>) -> Result<()>,
    ) -> Result<()> {
        let mut last = Ok(());
        let settled = poll::until(deadline, || {
            let driver = self.driver();
            if done(driver.as_deref()) {
                return Some(Ok(()));
            }
            if !self.is_there() {
                return Some(Err(self.gone()));
            }
            last = act(driver.as_deref());
            if last.as_ref().is_err_and(|error| !error.errno().is_some_and(may_pass)) {
                return Some(std::mem::replace(&mut last, Ok(())));
            }
            done(self.driver().as_deref()).then_some(Ok(()))
        });
        settled.unwrap_or_else(|| {
            let driver = self.driver().map_or("no driver".to_owned(), |driver| format!("the driver {driver}"));
            let why = format!("{doing}: {} still has {driver} after {deadline:?}", self.address);
            Err(match last {
                Err(error) => Error::caused_by(why, error).with_code("driver-stays"),
                Ok(()) => Error::new(why).with_code("driver-stays").with_hint("the kernel log says why (`journalctl -k`)"),
            })
        })
    }

    /// Waits for vfio-pci to finish probing the device. The driver link appears at the start of probing, so if another process started it,
    /// much is still missing. Binding waits for the end, and is refused because it is done.
    pub(super) fn finish_binding(self, writer: &SysfsWriter) -> Result<()> {
        match self.attach(writer) {
            Err(error) if error.errno() != Some(nix::libc::EBUSY) => Err(error),
            _ => Ok(()),
        }
    }

    /// The driver is vfio-pci, and the device answers: a card that fell off the bus reads all ones.
    pub(super) fn verify(self) -> Result<()> {
        if self.driver().as_deref() != Some(VFIO_PCI) {
            return Err(Error::new(format!(
                "{} is not bound to vfio-pci but to {}",
                self.address,
                self.driver().as_deref().unwrap_or("nothing")
            ))
            .with_code("device-not-on-vfio"));
        }
        let path = self.paths.pci_device(self.address).join("config");
        let mut identity = [0; 4];
        File::open(&path).and_then(|mut file| file.read_exact(&mut identity)).context(|| format!("reading {}", path.display()))?;
        if identity == [0xff; 4] {
            return Err(Error::new(format!("{} does not answer: its configuration space reads ff", self.address))
                .with_code("device-not-answering")
                .with_hint("power the machine off and on; a reboot may not be enough"));
        }
        Ok(())
    }
}

/// Whether an error may mean that another process works on the same device.
fn may_pass(errno: i32) -> bool {
    use nix::libc::{EACCES, EAGAIN, EBUSY, ENODEV, ENOENT};
    [EACCES, EAGAIN, EBUSY, ENODEV, ENOENT].contains(&errno)
}

/// The group's node exists, no process has it open, and VFIO says it can be given to a guest.
pub(super) fn verify_group(paths: &Paths, group: u32, kernel: &Kernel) -> Result<()> {
    let node = paths.vfio_group(group);
    let file = OpenOptions::new().read(true).write(true).open(&node).context(|| format!("opening {}", node.display())).map_err(
        |error| match error.with_code("group-not-available") {
            error if error.errno() == Some(nix::libc::EBUSY) => {
                error.with_hint("another program has the group open: stop the other virtual machine")
            }
            error => error.with_hint("the modules vfio_iommu_type1 and vfio-pci create it: does this kernel have them?"),
        },
    )?;
    match (kernel.group_is_viable)(&file).context(|| format!("asking {} whether it is viable", node.display()))? {
        true => Ok(()),
        false => Err(Error::new(format!("IOMMU group {group} is not viable: a device of it is still bound to a host driver"))
            .with_code("group-not-viable")
            .with_hint(format!("look in /sys/kernel/iommu_groups/{group}/devices"))),
    }
}
