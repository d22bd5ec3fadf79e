//! Reserving, binding and releasing, and above all: undoing.

use super::kernel::{kernel, program, written};
use super::{SHIPPED, Tree, at, listing, paths, read, reference};
use nix::sys::stat::Mode;
use persona::config::Settings;
use persona::error::Error;
use persona::passthrough::attribute::{SysfsWriter, WriteOutcome};
use persona::passthrough::{Kernel, Plan, PlanStage, bind, give_groups_to, release, reserve};
use persona::state::{BoundDevice, BoundDevices};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

const CARD: &str = "sys/devices/pci0000:00/0000:00:03.2";
const USB: &str = "sys/devices/pci0000:00/0000:00:08.1/0000:0c:00.3";

fn shipped() -> Settings {
    Settings::parse(SHIPPED, "persona.toml").unwrap()
}

/// The reference machine with nodes for its groups and a kernel.
fn machine(misfortune: &str) -> (tempfile::TempDir, Tree, Kernel) {
    let (folder, tree) = reference();
    tree.file("dev/vfio/25", "");
    tree.file("dev/vfio/29", "");
    let kernel = kernel(&tree, misfortune);
    (folder, tree, kernel)
}

fn launch(tree: &Tree) -> Plan {
    Plan::new(&shipped(), &read(tree), PlanStage::Launch)
}

fn driver(tree: &Tree, device: &str) -> Option<String> {
    read(tree).function(at(device)).unwrap().driver.clone()
}

/// The tree as far as a person would care: no log, and an override that says nothing is none.
fn state(tree: &Tree) -> BTreeMap<PathBuf, String> {
    let mut contents = tree.contents();
    contents.remove(Path::new("log"));
    for (path, text) in &mut contents {
        if path.ends_with("driver_override") {
            *text = text.lines().next().unwrap_or_default().replace("(null)", "");
        }
        if path.ends_with("driver") {
            *text = text.rsplit('/').next().unwrap_or_default().to_owned();
        }
    }
    contents
}

/// The paths that differ, with what they hold now.
fn changed(before: &BTreeMap<PathBuf, String>, after: &BTreeMap<PathBuf, String>) -> BTreeMap<PathBuf, Option<String>> {
    let paths = before.keys().chain(after.keys()).filter(|path| before.get(*path) != after.get(*path));
    paths.map(|path| (path.clone(), after.get(path).cloned())).collect()
}

/// Binding fails, and leaves everything as it was.
fn fails_and_leaves_no_trace(tree: &Tree, kernel: &Kernel) -> Error {
    let before = state(tree);
    let error = bind(&paths(tree), &launch(tree), kernel).unwrap_err();
    assert_eq!(changed(&before, &state(tree)), BTreeMap::new(), "{error}");
    error
}

#[test]
fn reserving_writes_the_overrides_of_early_devices_and_nothing_else() {
    let (_folder, tree) = reference();
    let before = state(&tree);
    let plan = Plan::new(&shipped(), &read(&tree), PlanStage::Boot);
    assert_eq!(reserve(&paths(&tree), &plan).unwrap(), plan.reserve);
    let overrides = (0..4).map(|number| PathBuf::from(format!("{CARD}/0000:0a:00.{number}/driver_override")));
    let written = overrides.map(|path| (path, Some("vfio-pci".to_owned())));
    assert_eq!(changed(&before, &state(&tree)), written.collect());
}

#[test]
fn a_reservation_that_fails_is_taken_back_as_a_whole() {
    let (_folder, tree) = reference();
    fs::remove_file(tree.at(&format!("{CARD}/0000:0a:00.2/driver_override"))).unwrap();
    let before = state(&tree);
    let error = reserve(&paths(&tree), &Plan::new(&shipped(), &read(&tree), PlanStage::Boot)).unwrap_err();
    assert!(error.errno() == Some(nix::libc::ENOENT) && error.to_string().contains("0000:0a:00.2"), "which one: {error}");
    assert_eq!(changed(&before, &state(&tree)), BTreeMap::new());
}

#[test]
fn a_refused_plan_reserves_nothing_and_binds_nothing() {
    let (_folder, tree, kernel) = machine("");
    let before = state(&tree);
    let settings = listing(&["0000:0a:00.0", "0000:01:00.0"]);
    let plan = |stage| Plan::new(&settings, &read(&tree), stage);
    assert_eq!(reserve(&paths(&tree), &plan(PlanStage::Boot)).unwrap(), []);
    assert_eq!(bind(&paths(&tree), &plan(PlanStage::Launch), &kernel).unwrap_err().code(), Some("disk-used-by-host"));
    assert_eq!(changed(&before, &state(&tree)), BTreeMap::new());
}

#[test]
fn bound_devices_are_on_vfio_and_go_back() {
    let (_folder, tree, kernel) = machine("");
    reserve(&paths(&tree), &Plan::new(&shipped(), &read(&tree), PlanStage::Boot)).unwrap();
    let reserved = state(&tree);
    let bound = bind(&paths(&tree), &launch(&tree), &kernel).unwrap();
    let told: Vec<_> = bound.devices.iter().map(|d| (d.address.to_string(), d.driver_before.as_str(), d.give_back)).collect();
    let card = (0..4).map(|number| (format!("0000:0a:00.{number}"), "", false));
    assert_eq!(told, card.chain([("0000:0c:00.3".to_owned(), "xhci_hcd", true)]).collect::<Vec<_>>());
    assert!(bound.devices.iter().all(|device| driver(&tree, &device.address.to_string()).as_deref() == Some("vfio-pci")));
    assert_eq!(written(&tree)[4], "sys/bus/pci/drivers/xhci_hcd/unbind 0000:0c:00.3");

    release(&paths(&tree), &bound, &kernel).unwrap();
    assert_eq!(driver(&tree, "0000:0c:00.3").as_deref(), Some("xhci_hcd"));
    assert_eq!(driver(&tree, "0000:0a:00.0").as_deref(), Some("vfio-pci"));
    let usb = |state: &BTreeMap<PathBuf, String>| state[Path::new(&format!("{USB}/driver_override"))].clone();
    assert_eq!(usb(&state(&tree)), usb(&reserved));
    // The next launch needs the USB controller only.
    let steps: Vec<String> = launch(&tree).steps.iter().map(ToString::to_string).filter(|step| !step.starts_with("verify")).collect();
    assert_eq!(steps.len(), 3, "{steps:?}");
}

#[test]
fn whatever_step_fails_those_before_it_are_undone() {
    let (_folder, tree, kernel) = machine("");
    fs::remove_file(tree.at(&format!("{USB}/driver_override"))).unwrap();
    assert_eq!(fails_and_leaves_no_trace(&tree, &kernel).errno(), Some(nix::libc::ENOENT));
    assert_eq!(written(&tree), [""; 0], "no driver was touched before all overrides were written");

    let (_folder, tree, kernel) = machine("case $file$value in */bind0000:0a:00.3) exit 22;; esac");
    assert_eq!(fails_and_leaves_no_trace(&tree, &kernel).errno(), Some(nix::libc::EINVAL));

    let (_folder, tree, kernel) = machine("case $file$value in *xhci_hcd/unbind*) exit 22;; esac");
    assert_eq!(fails_and_leaves_no_trace(&tree, &kernel).errno(), Some(nix::libc::EINVAL));

    let (_folder, tree, kernel) = machine("");
    fs::write(tree.at(&format!("{USB}/config")), [0xff; 64]).unwrap();
    assert_eq!(fails_and_leaves_no_trace(&tree, &kernel).code(), Some("device-not-answering"));

    let (_folder, tree, kernel) = machine("");
    fs::remove_file(tree.at("dev/vfio/29")).unwrap();
    assert_eq!(fails_and_leaves_no_trace(&tree, &kernel).code(), Some("group-not-available"));

    let (_folder, tree, kernel) = machine("");
    let error = fails_and_leaves_no_trace(&tree, &Kernel { group_is_viable: |_| Ok(false), ..kernel });
    assert_eq!(error.code(), Some("group-not-viable"));

    // The real question, asked of a file that is no VFIO group.
    let (_folder, tree, kernel) = machine("");
    let error = fails_and_leaves_no_trace(&tree, &Kernel { group_is_viable: Kernel::default().group_is_viable, ..kernel });
    assert_eq!(error.errno(), Some(nix::libc::ENOTTY));
}

#[test]
fn undoing_gives_the_keyboard_back_although_its_override_was_written() {
    let (_folder, tree, kernel) = machine("");
    reserve(&paths(&tree), &Plan::new(&shipped(), &read(&tree), PlanStage::Boot)).unwrap();
    fails_and_leaves_no_trace(&tree, &Kernel { group_is_viable: |_| Ok(false), ..kernel });
    assert_eq!(driver(&tree, "0000:0c:00.3").as_deref(), Some("xhci_hcd"));
    let touched = written(&tree);
    assert_eq!(touched.last().map(String::as_str), Some("sys/bus/pci/drivers_probe 0000:0c:00.3"));
}

#[test]
fn udev_at_work_on_the_same_device_is_waited_for() {
    // The first unbind meets a device that udev is about to bind; then the host driver gets it before vfio-pci.
    let race = r#"
once() { [ -e "${root}once-$1" ] && return 1; : > "${root}once-$1"; }
case $file in
*/xhci_hcd/unbind) once unbind && exit 13 ;;
*/bind)
    [ "$value" = 0000:0c:00.3 ] && once bind && { ln -s ../../../../bus/pci/drivers/xhci_hcd "$dev/driver"; exit 16; } ;;
esac"#;
    let (_folder, tree, kernel) = machine(race);
    bind(&paths(&tree), &launch(&tree), &kernel).unwrap();
    assert_eq!(driver(&tree, "0000:0c:00.3").as_deref(), Some("vfio-pci"));
    let unbinds = written(&tree).into_iter().filter(|line| line.contains("xhci_hcd/unbind")).count();
    assert_eq!(unbinds, 3);
}

#[test]
fn udev_at_work_while_all_is_undone_brings_nothing_back() {
    // Whatever leaves vfio-pci is probed at once.
    let race = r#"
case $file in
*/vfio-pci/unbind)
    rm "$dev/driver"
    read -r driver < "$dev/driver_override"
    case $driver in ''|'(null)') driver=$(cat "$dev/host_driver" 2>/dev/null) ;; esac
    [ -z "$driver" ] || ln -s "../../../../bus/pci/drivers/$driver" "$dev/driver"
    exit 0 ;;
esac"#;
    let (_folder, tree, kernel) = machine(race);
    fails_and_leaves_no_trace(&tree, &Kernel { group_is_viable: |_| Ok(false), ..kernel });
    let unbinds = written(&tree).into_iter().filter(|line| line.contains("xhci_hcd/unbind")).count();
    assert_eq!(unbinds, 1, "what the host got back was left to it");
}

#[test]
fn a_driver_that_will_not_let_go_is_given_up_at_the_deadline() {
    let (_folder, tree, mut kernel) = machine("case $file in */xhci_hcd/unbind) exit 16;; esac");
    kernel.writer = SysfsWriter::new(program(&tree), Duration::from_secs(3));
    assert_eq!(fails_and_leaves_no_trace(&tree, &kernel).code(), Some("driver-stays"));
}

#[test]
fn a_driver_that_hangs_leaves_the_caller_alive_and_the_device_alone() {
    let (_folder, tree, _) = machine("");
    let unbind = tree.at("sys/bus/pci/drivers/xhci_hcd/unbind");
    fs::remove_file(&unbind).unwrap();
    nix::unistd::mkfifo(&unbind, Mode::S_IRWXU).unwrap();
    let kernel = Kernel { writer: SysfsWriter::new(env!("CARGO_BIN_EXE_persona"), Duration::from_secs(1)), ..Kernel::default() };
    let settings = listing(&["0000:0c:00.3"]);
    let plan = || Plan::new(&settings, &read(&tree), PlanStage::Launch);
    assert_eq!(bind(&paths(&tree), &plan(), &kernel).unwrap_err().code(), Some("driver-hung"));
    assert_eq!(plan().refused[0].code, "device-hung");
    let bound = BoundDevice { address: at("0000:0c:00.3"), id: String::new(), driver_before: "xhci_hcd".into(), give_back: true };
    assert_eq!(release(&paths(&tree), &BoundDevices { devices: vec![bound] }, &kernel).unwrap_err().code(), Some("driver-hung"));
    // Reading it lets the child end.
    assert_eq!(fs::read_to_string(&unbind).unwrap(), "0000:0c:00.3\n");
}

#[test]
fn an_override_that_hangs_is_neither_waited_for_nor_read() {
    let (_folder, tree, _) = machine("");
    let attribute = tree.at(&format!("{USB}/driver_override"));
    fs::remove_file(&attribute).unwrap();
    nix::unistd::mkfifo(&attribute, Mode::S_IRWXU).unwrap();
    let kernel = Kernel { writer: SysfsWriter::new(env!("CARGO_BIN_EXE_persona"), Duration::from_secs(1)), ..Kernel::default() };
    let settings = listing(&["0000:0c:00.3"]);
    // A link put where the mark will be is not followed, and counts as one.
    let planted = tree.at("planted");
    fs::create_dir_all(paths(&tree).run_dir()).unwrap();
    let plan = Plan::new(&settings, &read(&tree), PlanStage::Launch);
    symlink(&planted, paths(&tree).hung_device(at("0000:0c:00.3"))).unwrap();
    assert_eq!(bind(&paths(&tree), &plan, &kernel).unwrap_err().code(), Some("driver-hung"));
    assert!(!planted.exists());
    assert!(read(&tree).function(at("0000:0c:00.3")).unwrap().hung);
    assert_eq!(driver(&tree, "0000:0c:00.3").as_deref(), Some("xhci_hcd"));
    // Reading it lets the child end: one, for the undoing left the device alone.
    assert_eq!(fs::read_to_string(&attribute).unwrap(), "vfio-pci\n");

    fs::remove_file(paths(&tree).hung_device(at("0000:0c:00.3"))).unwrap();
    let bound = BoundDevice { address: at("0000:0c:00.3"), id: String::new(), driver_before: "xhci_hcd".into(), give_back: true };
    assert_eq!(release(&paths(&tree), &BoundDevices { devices: vec![bound] }, &kernel).unwrap_err().code(), Some("driver-hung"));
    assert!(paths(&tree).hung_device(at("0000:0c:00.3")).is_file());
    assert_eq!(fs::read_to_string(&attribute).unwrap(), "\n");
}

#[test]
fn the_writer_tells_what_the_kernel_said() {
    let folder = tempfile::tempdir().unwrap();
    let writer = SysfsWriter::new(env!("CARGO_BIN_EXE_persona"), Duration::from_secs(60));
    let file = folder.path().join("attribute");
    assert_eq!(writer.write(&file, "x", writer.deadline()).unwrap_err().errno(), Some(nix::libc::ENOENT));
    assert!(!file.exists());
    assert_eq!(writer.write(folder.path(), "x", writer.deadline()).unwrap_err().errno(), Some(nix::libc::EISDIR));
    fs::write(&file, "").unwrap();
    assert_eq!(writer.write(&file, "0000:0c:00.3", writer.deadline()).unwrap(), WriteOutcome::Written);
    assert_eq!(fs::read_to_string(&file).unwrap(), "0000:0c:00.3\n");
}

#[test]
fn one_device_that_cannot_go_back_does_not_keep_the_others() {
    let (_folder, tree, kernel) = machine("");
    let settings = listing(&["0000:0c:00.3", "0000:06:00.3"]);
    tree.file("dev/vfio/16", "");
    let bound = bind(&paths(&tree), &Plan::new(&settings, &read(&tree), PlanStage::Launch), &kernel).unwrap();
    fs::remove_file(tree.at("sys/bus/pci/devices/0000:06:00.3/driver_override")).unwrap();
    let error = release(&paths(&tree), &bound, &kernel).unwrap_err();
    assert_eq!(error.code(), Some("device-not-given-back"));
    assert!(error.to_string().contains("0000:06:00.3"), "which one: {error}");
    assert_eq!(driver(&tree, "0000:0c:00.3").as_deref(), Some("xhci_hcd"));
}

#[test]
fn a_device_that_vanishes_is_named_and_does_not_keep_the_others() {
    let (_folder, tree, kernel) = machine(r#"case $file in */xhci_hcd/unbind) rm "$dev"; exit 19;; esac"#);
    let before = state(&tree);
    let error = bind(&paths(&tree), &launch(&tree), &kernel).unwrap_err();
    assert!(error.code() == Some("device-gone") && error.to_string().contains("0000:0c:00.3"), "which one: {error}");
    let after = changed(&before, &state(&tree));
    assert!(after.keys().all(|path| path.to_string_lossy().contains("0000:0c:00.3")), "{after:?}");

    let (_folder, tree, kernel) = machine("");
    let settings = listing(&["0000:0c:00.3", "0000:06:00.3"]);
    tree.file("dev/vfio/16", "");
    tree.file("sys/devices/pci0000:00/0000:00:01.2/0000:06:00.3/host_driver", "xhci_hcd\n");
    let bound = bind(&paths(&tree), &Plan::new(&settings, &read(&tree), PlanStage::Launch), &kernel).unwrap();
    fs::remove_file(tree.at("sys/bus/pci/devices/0000:06:00.3")).unwrap();
    release(&paths(&tree), &bound, &kernel).unwrap();
    assert_eq!(driver(&tree, "0000:0c:00.3").as_deref(), Some("xhci_hcd"));
}

#[test]
fn a_group_without_a_node_cannot_be_given_away() {
    let (_folder, tree, _) = machine("");
    let node = fs::metadata(tree.at("dev/vfio/25")).unwrap();
    give_groups_to(&paths(&tree), &[25, 29].into(), node.uid(), node.gid()).unwrap();
    let error = give_groups_to(&paths(&tree), &[30].into(), node.uid(), node.gid()).unwrap_err();
    assert!(error.errno() == Some(nix::libc::ENOENT) && error.to_string().contains("dev/vfio/30"), "which one: {error}");
}
