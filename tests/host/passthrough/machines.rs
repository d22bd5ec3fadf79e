//! What matters on each of the recorded machines.

use super::recorded::{plans, recorded};
use super::{SHIPPED, Tree, at, listing, paths, read};
use persona::config::{BindTime, Settings};
use persona::passthrough::{Function, HostUse, Machine, Plan, PlanStage, Refusal, Step};
use persona::sys::pci::PciAddress;
use std::collections::BTreeSet;

fn function<'a>(machine: &'a Machine, address: &str) -> &'a Function {
    machine.function(at(address)).unwrap()
}

/// The functions that the host needs, and for what.
fn needed(machine: &Machine) -> Vec<(String, Vec<HostUse>)> {
    let needed = machine.functions.values().filter(|function| !function.duties.is_empty());
    needed.map(|function| (function.address.to_string(), function.duties.clone())).collect()
}

fn mount(point: &str) -> HostUse {
    HostUse::Mount(point.into())
}

fn route(interface: &str) -> HostUse {
    HostUse::DefaultRoute(interface.into())
}

fn bound(plan: &Plan) -> Vec<String> {
    plan.bind.iter().map(|(address, _)| address.to_string()).collect()
}

/// Nothing is done, and one of the reasons is this one, about this function.
fn refused_because(plan: &Plan, code: &str, address: &str) {
    assert!(plan.bind.is_empty() && plan.steps.is_empty(), "{plan:#?}");
    let address = (!address.is_empty()).then(|| at(address));
    let is_it = |refusal: &Refusal| refusal.code == code && refusal.address == address;
    assert!(plan.refused.iter().any(is_it), "{code}: {:#?}", plan.refused);
}

#[test]
fn the_reference_machine_is_planned_as_designed() {
    let (boot, launch) = plans(&recorded("reference"));
    let card = ["0000:0a:00.0", "0000:0a:00.1", "0000:0a:00.2", "0000:0a:00.3"].map(at);
    assert_eq!(boot.reserve, card);
    assert_eq!(boot.display, Some(at("0000:09:00.0")));
    assert_eq!(launch.refusal_text(), None);
    // The USB controller leaves the other functions of its slot: each is in a group of its own.
    assert_eq!(bound(&launch), ["0000:0a:00.0", "0000:0a:00.1", "0000:0a:00.2", "0000:0a:00.3", "0000:0c:00.3"]);
}

#[test]
fn the_reference_machine_is_read() {
    let machine = read(&recorded("reference"));
    let function = |address| function(&machine, address);
    assert!(machine.iommu && !machine.vfio.is_ready() && machine.storage_doubt.is_none() && machine.route_is_known);
    assert_eq!((machine.keyboards(), machine.other_keyboards, function("0000:0c:00.3").keyboards), (1, 0, 1));
    assert_eq!(
        needed(&machine),
        [
            ("0000:00:01.1".into(), vec![mount("/"), HostUse::Swap]),
            ("0000:00:01.2".into(), vec![route("enp5s0")]),
            ("0000:01:00.0".into(), vec![mount("/"), HostUse::Swap]),
            ("0000:02:00.0".into(), vec![route("enp5s0")]),
            ("0000:03:04.0".into(), vec![route("enp5s0")]),
            ("0000:05:00.0".into(), vec![route("enp5s0")]),
        ]
    );
    assert_eq!(function("0000:09:00.0").driver.as_deref(), Some("amdgpu"));
    assert_eq!(function("0000:0a:00.2").to_string(), "USB controller 0000:0a:00.2");
    let card = function("0000:0a:00.0");
    assert_eq!((card.iommu_group, card.boot_vga, card.driver_override.as_deref()), (Some(25), true, Some("vfio-pci")));
    assert_eq!(card.subsystem.map(|id| id.to_string()).as_deref(), Some("1462:7c37"));
}

#[test]
fn without_an_iommu_nothing_happens() {
    let (boot, launch) = plans(&recorded("no-iommu"));
    for plan in [boot, launch] {
        assert!(plan.reserve.is_empty());
        refused_because(&plan, "iommu-missing", "");
        assert_eq!(plan.refused[0].code, "iommu-missing", "the first thing to see to");
    }
}

#[test]
fn where_buses_have_moved_the_hosts_card_is_not_taken_and_legions_is_found() {
    let (boot, launch) = plans(&recorded("moved"));
    for plan in [boot, launch] {
        assert!(plan.reserve.is_empty());
        refused_because(&plan, "device-moved", "0000:0a:00.0");
        assert!(plan.refused.iter().any(|refusal| refusal.reason.contains("0000:0b:00.0")), "where it is now: {:#?}", plan.refused);
        // Three controllers have that identity, so nobody can tell which it was.
        refused_because(&plan, "device-missing", "0000:0c:00.3");
    }
    let corrected = SHIPPED.replace("0000:0a:00.0", "0000:0b:00.0").replace("0000:0c:00.3", "0000:0d:00.3");
    let plan = Plan::new(&Settings::parse(&corrected, "persona.toml").unwrap(), &read(&recorded("moved")), PlanStage::Boot);
    assert_eq!((plan.refusal_text(), plan.reserve.len(), plan.display), (None, 4, Some(at("0000:0a:00.0"))));
}

#[test]
fn of_two_identical_cards_the_one_at_the_address_is_taken() {
    let machine = read(&recorded("two-identical"));
    let ([host, legions], [one, other]) = (["0000:09:00.0", "0000:0a:00.0"], ["1462:397d", "1458:4074"]);
    assert_eq!(function(&machine, host).id, function(&machine, legions).id);
    assert_eq!([host, legions].map(|card| function(&machine, card).subsystem.unwrap().to_string()), [one, other]);
    let (boot, launch) = plans(&recorded("two-identical"));
    assert_eq!(boot.reserve, ["0000:0a:00.0", "0000:0a:00.1"].map(at));
    assert_eq!(boot.display, Some(at(host)));
    refused_because(&launch, "driver-hangs-on-unbind", "0000:0a:00.0");
    assert!(launch.refused.iter().all(|refusal| refusal.reboot_helps));
    // The other way round, if the owner says so.
    let swapped = Plan::new(&listing(&[host]), &machine, PlanStage::Boot);
    assert_eq!((swapped.reserve[0], swapped.display), (at(host), Some(at(legions))));
}

#[test]
fn on_the_laptop_the_panel_stays_and_the_card_without_outputs_goes() {
    let machine = read(&recorded("laptop"));
    // The disk itself has an address that no setting can name: the VMD controller above it stands for it.
    let root = vec![mount("/"), mount("/boot")];
    assert_eq!(needed(&machine), [("0000:00:0e.0".into(), root), ("0000:00:14.3".into(), vec![route("wlp0s20f3")])]);
    assert_eq!((machine.other_keyboards, machine.keyboards()), (1, 1));
    let (boot, launch) = plans(&recorded("laptop"));
    assert_eq!((boot.reserve, boot.display), (vec![at("0000:01:00.0")], Some(at("0000:00:02.0"))));
    refused_because(&launch, "driver-hangs-on-unbind", "0000:01:00.0");
    for (needed, code) in [("0000:00:0e.0", "disk-used-by-host"), ("0000:00:14.3", "network-used-by-host")] {
        refused_because(&Plan::new(&listing(&[needed]), &machine, PlanStage::Launch), code, needed);
    }
    // The sound device's group has the chipset's other functions in it, and none that the host needs.
    let sound = Plan::new(&listing(&["0000:00:1f.3"]), &machine, PlanStage::Launch);
    assert_eq!(bound(&sound), ["0000:00:1f.3", "0000:00:1f.4", "0000:00:1f.5"]);
}

#[test]
fn on_the_threadripper_every_disk_and_card_below_is_found() {
    let machine = read(&recorded("threadripper"));
    let of = |address| function(&machine, address).duties.clone();
    assert_eq!(of("0000:41:00.0"), [mount("/"), mount("/boot"), HostUse::Swap]);
    assert_eq!(of("0000:42:00.0"), [mount("/"), HostUse::Swap]);
    assert_eq!(of("0000:62:00.0"), []);
    assert_eq!([of("0000:43:00.0"), of("0000:43:00.1")], [[route("br0")], [route("br0")]]);
    let (_, launch) = plans(&recorded("threadripper"));
    assert_eq!((launch.refusal_text(), launch.bind.len(), launch.display), (None, 5, Some(at("0000:61:00.0"))));
    // Legion runs: nothing is left to do but to look.
    assert!(launch.steps.iter().all(|step| matches!(step, Step::Verify(_) | Step::VerifyGroup(_))), "{:#?}", launch.steps);
    let groups: BTreeSet<u32> = machine.functions.values().filter_map(|function| function.iommu_group).collect();
    assert!(groups.len() >= 20, "{groups:?}");
    for (device, code, address) in [
        ("0000:42:00.0", "disk-used-by-host", "0000:42:00.0"),
        ("0000:43:00.1", "network-used-by-host", "0000:43:00.1"),
        ("0000:61:00.1", "device-draws-menu", "0000:61:00.0"),
    ] {
        let settings = format!("[menu]\ndisplay = \"0000:61:00.0\"\n[[legion.passthrough]]\ndevice = \"{device}\"\n");
        refused_because(&Plan::new(&super::settings(&settings), &machine, PlanStage::Launch), code, address);
    }
    assert_eq!(bound(&Plan::new(&listing(&["0000:62:00.0"]), &machine, PlanStage::Launch)), ["0000:62:00.0"]);
}

#[test]
fn a_built_in_vfio_is_not_loaded_and_what_it_has_is_kept() {
    let machine = read(&recorded("vfio-built-in"));
    assert!(machine.vfio.is_ready());
    let (_, launch) = plans(&recorded("vfio-built-in"));
    assert_eq!(bound(&launch), ["0000:01:00.0", "0000:01:00.1", "0000:05:00.0"]);
    assert!(!launch.steps.contains(&Step::LoadVfio));
    let card = |address: &PciAddress| address.same_slot(at("0000:01:00.0"));
    assert!(!launch.steps.iter().any(|step| matches!(step, Step::Unbind(address, _) | Step::Probe(address) if card(address))));
    assert!(launch.bind.iter().all(|(address, time)| (*time == BindTime::Boot) == card(address)));
}

#[test]
fn a_group_with_the_disk_or_the_network_card_in_it_is_refused() {
    for (name, needed, code) in
        [("nvme-in-group", "0000:05:00.0", "disk-used-by-host"), ("nic-in-group", "0000:06:00.0", "network-used-by-host")]
    {
        let (boot, launch) = plans(&recorded(name));
        refused_because(&launch, code, needed);
        // In the initramfs nobody knows yet what is needed, and nothing of such a group is taken then.
        let mut early = read(&recorded(name));
        early.functions.values_mut().for_each(|function| function.duties.clear());
        (early.storage_doubt, early.route_is_known) = (Some("the file system at /".into()), false);
        let settings = Settings::load(&paths(&recorded(name))).unwrap();
        assert!(boot.reserve.is_empty() && Plan::new(&settings, &early, PlanStage::Boot).reserve.is_empty());
    }
}

#[test]
fn a_machine_can_be_made_as_large_as_is_wanted() {
    for (devices, groups) in [(14, 5), (60, 12)] {
        let (_folder, tree) = super::build(|tree| persona_recorded::synthetic(tree, devices, groups));
        let machine = read(&tree);
        assert_eq!(machine.functions.len(), devices as usize);
        let found: BTreeSet<u32> = machine.functions.values().filter_map(|function| function.iommu_group).collect();
        assert_eq!(found.len(), groups as usize);
        let plan = Plan::new(&Settings::load(&paths(&tree)).unwrap(), &machine, PlanStage::Launch);
        assert_eq!((plan.refusal_text(), plan.bind.len()), (None, 5));
    }
}

#[test]
fn a_root_without_a_pci_bus_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let message = Machine::read(&paths(&Tree::at_folder(folder.path()))).unwrap_err().to_string();
    assert!(message.contains("sys/bus/pci/devices"), "{message}");
}
