//! Single attributes of sysfs.

use super::VFIO_PCI;
use crate::sys::file;
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The first line of an attribute; `None` if it is empty or missing.
pub(super) fn first_line(path: &Path) -> Option<String> {
    let text = file::read_text(path).ok()?;
    text.lines().next().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned)
}

/// The only driver that may bind to the device in that folder, if one was set.
pub(super) fn driver_override(folder: &Path) -> Option<String> {
    first_line(&folder.join("driver_override")).filter(|text| text != "(null)")
}

/// The override of a device without a host driver. The kernel reads it under the lock that it holds while a driver probes, which takes
/// seconds for a graphics card and never ends if the driver hangs: this must not block.
pub(super) fn idle_override(folder: &Path, driver: Option<&str>) -> Option<String> {
    driver.is_none_or(|driver| driver == VFIO_PCI).then(|| driver_override(folder)).flatten()
}

/// Whether a driver hung on it in this boot. A mark counts if the owner of its folder made it: a guest that broke out may write there too.
pub(super) fn is_hung(paths: &Paths, address: PciAddress) -> bool {
    let mark = paths.hung_device(address);
    let Ok(found) = mark.symlink_metadata() else { return false };
    let owner = mark.parent().and_then(|folder| folder.metadata().ok()).map(|folder| folder.uid());
    owner == Some(found.uid())
}

/// The name of a link's target, such as the driver of a device.
pub(super) fn link_name(link: &Path) -> Option<String> {
    Some(fs::read_link(link).ok()?.file_name()?.to_str()?.to_owned())
}
