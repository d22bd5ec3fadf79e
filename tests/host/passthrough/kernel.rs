//! A kernel of a few lines: it moves `driver` links when `unbind`, `bind` and `drivers_probe` are written to, and notes overrides.

use super::Tree;
use persona::passthrough::{Kernel, SysfsWriter};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

/// A device's host driver is the one it has now, or none; `misfortune` is shell code that runs first, with `$file` and `$value`
/// written and `$dev` the device's folder unless it is an override. All writes are noted in `log`.
pub(crate) fn kernel(tree: &Tree, misfortune: &str) -> Kernel {
    let root = tree.at("").display().to_string();
    let program = program(tree);
    let script = format!(
        r#"#!/bin/sh
root={root}
while IFS= read -r file && IFS= read -r value; do
(
dev=${{root}}sys/bus/pci/devices/$value
echo "${{file#$root}} $value" >> ${{root}}log
{misfortune}
case $file in
*/driver_override)
    [ -e "$file" ] || exit 2
    echo "$value" > "$file" ;;
*/unbind)
    # As in the kernel: ENODEV for a device that this driver does not have.
    [ "$dev/driver/unbind" -ef "$file" ] || exit 19
    rm "$dev/driver" ;;
*/bind)
    # As in the kernel: EBUSY for a device that has a driver, ENODEV for one that only another may have.
    [ -e "$dev/driver" ] && exit 16
    read -r driver < "$dev/driver_override"
    [ "${{file%/$driver/bind}}" != "$file" ] || exit 19
    ln -s "${{file%/bind}}" "$dev/driver" ;;
*/drivers_probe)
    [ -e "$dev/driver" ] && exit 0
    read -r driver < "$dev/driver_override"
    case $driver in ''|'(null)') driver=; [ -e "$dev/host_driver" ] && read -r driver < "$dev/host_driver" ;; esac
    [ -z "$driver" ] || ln -s "${{root}}sys/bus/pci/drivers/$driver" "$dev/driver" ;;
esac
exit 0
) > /dev/null
echo $?
done
"#
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    for device in fs::read_dir(tree.at("sys/bus/pci/devices")).unwrap().map(|entry| entry.unwrap().path()) {
        if let Ok(driver) = fs::read_link(device.join("driver")) {
            fs::write(device.join("host_driver"), format!("{}\n", driver.file_name().unwrap().display())).unwrap();
        }
    }
    tree.driver("vfio-pci");
    Kernel { writer: SysfsWriter::new(program, Duration::from_secs(60)), group_is_viable: |_| Ok(true), ..Kernel::default() }
}

/// The script that is the kernel.
pub(crate) fn program(tree: &Tree) -> PathBuf {
    tree.at("kernel.sh")
}

/// What was written so far, overrides left out: attribute and value.
pub(crate) fn written(tree: &Tree) -> Vec<String> {
    let log = fs::read_to_string(tree.at("log")).unwrap_or_default();
    log.lines().filter(|line| !line.contains("/driver_override ")).map(str::to_owned).collect()
}
