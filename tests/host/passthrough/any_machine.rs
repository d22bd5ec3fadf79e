//! What holds on whatever machine, with whatever settings.

use super::{Settings, settings};
use persona::config::BindTime;
use persona::passthrough::{Function, HostUse, Machine, Plan, PlanStage, Step, Vfio};
use persona::sys::pci::{PciAddress, PciId};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn address() -> impl Strategy<Value = PciAddress> {
    (0..3u8, 0..2u8, 0..3u8).prop_map(|(bus, device, function)| PciAddress { domain: 0, bus, device, function })
}

fn function() -> impl Strategy<Value = Function> {
    let class = prop::sample::select(vec![0x030000, 0x030200, 0x040300, 0x0c0330, 0x010802, 0x020000, 0x060400, 0x080501, 0x0d8000]);
    let duty = prop_oneof![Just(HostUse::Mount("/".into())), Just(HostUse::Swap), Just(HostUse::DefaultRoute("eno1".into()))];
    let driver = prop::sample::select(vec!["nvidia", "xhci_hcd", "vfio-pci"]);
    (class, option::weighted(0.9, 0..6u32), option::of(driver), vec(duty, 0..2), 0..2usize, any::<bool>(), 1..4u16).prop_map(
        |(class, iommu_group, driver, duties, keyboards, boot_vga, device)| Function {
            address: PciAddress { domain: 0, bus: 0, device: 0, function: 0 },
            id: PciId { vendor: 0x1234, device },
            class,
            subsystem: None,
            name: None,
            upstream: Vec::new(),
            holders: Vec::new(),
            driver: driver.map(str::to_owned),
            driver_override: None,
            hung: device == 3 && keyboards == 1,
            iommu_group,
            boot_vga,
            // Most machines in the test should not be refused out of hand.
            duties: if device == 1 { duties } else { Vec::new() },
            disks: Vec::new(),
            interfaces: Vec::new(),
            sticks: Vec::new(),
            is_virtual: false,
            isolates: false,
            has_reserved_memory: false,
            keyboards,
        },
    )
}

fn machine() -> impl Strategy<Value = Machine> {
    (btree_map(address(), function(), 0..12), proptest::bool::weighted(0.9), any::<bool>(), any::<bool>(), 0..2usize).prop_map(
        |(mut functions, iommu, root_is_known, route_is_known, other_keyboards)| {
            functions.iter_mut().for_each(|(address, function)| function.address = *address);
            let storage_doubt = (!root_is_known).then(|| "the file system at /".to_owned());
            Machine {
                functions,
                iommu,
                vfio: Vfio::Loaded,
                acs_override: None,
                storage_doubt,
                needs_are_known: true,
                route_is_known,
                other_keyboards,
                ..Machine::default()
            }
        },
    )
}

fn wishes() -> impl Strategy<Value = Settings> {
    let entries = btree_set(address(), 0..4).prop_flat_map(|devices| {
        let count = devices.len();
        (Just(devices), vec(option::of(prop::sample::select(vec!["boot", "launch"])), count))
    });
    (option::of(address()), entries).prop_map(|(display, (devices, times))| {
        let menu = display.map(|display| format!("[menu]\ndisplay = \"{display}\"\n")).unwrap_or_default();
        let entries = devices.iter().zip(times).map(|(device, time)| {
            let bind = time.map(|time| format!("bind = \"{time}\"\n")).unwrap_or_default();
            format!("[[legion.passthrough]]\ndevice = \"{device}\"\n{bind}")
        });
        settings(&format!("{menu}{}", entries.collect::<String>()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_host_keeps_what_it_needs(machine in machine(), settings in wishes(), late in any::<bool>()) {
        let stage = if late { PlanStage::Launch } else { PlanStage::Boot };
        let plan = Plan::new(&settings, &machine, stage);
        let taken: Vec<PciAddress> = plan.reserve.iter().copied().chain(plan.bind.iter().map(|(address, _)| *address)).collect();
        for address in &taken {
            let function = machine.function(*address);
            prop_assert!(function.is_some_and(|function| function.duties.is_empty() && !function.is_bridge()), "{address}");
            prop_assert_ne!(plan.display, Some(*address));
        }
        for address in &plan.reserve {
            prop_assert!(!machine.functions[address].is_storage() && !machine.functions[address].is_network());
        }
        if !plan.refused.is_empty() {
            prop_assert!(plan.bind.is_empty() && plan.steps.is_empty());
            prop_assert!(plan.reserve.is_empty() || plan.refused.iter().all(|refusal| refusal.reboot_helps));
        }
        if !machine.iommu {
            prop_assert!(taken.is_empty());
        }
        if stage == PlanStage::Launch {
            let storage_or_network = |address: &PciAddress| {
                let function = &machine.functions[address];
                machine.storage_doubt.is_some() && function.carries_disks() || !machine.route_is_known && function.carries_network()
            };
            prop_assert!(!taken.iter().any(storage_or_network));
        }
    }

    #[test]
    fn what_is_bound_is_whole_and_in_order(machine in machine(), settings in wishes()) {
        let plan = Plan::new(&settings, &machine, PlanStage::Launch);
        let bound: BTreeSet<PciAddress> = plan.bind.iter().map(|(address, _)| *address).collect();
        prop_assert_eq!(bound.len(), plan.bind.len(), "a device twice");
        if plan.refused.is_empty() {
            prop_assert!(settings.passthrough.iter().all(|entry| bound.contains(&entry.device)));
            let early: Vec<PciAddress> = plan.bind.iter().filter(|(_, at)| *at == BindTime::Boot).map(|(address, _)| *address).collect();
            prop_assert_eq!(&plan.reserve, &early);
        }
        // Every group that is touched is given away as a whole, and no card is torn in two.
        for (address, at) in &plan.bind {
            for other in machine.functions.values().filter(|other| !other.is_bridge()) {
                let group = machine.functions[address].iommu_group;
                prop_assert!(other.iommu_group != group || bound.contains(&other.address));
                let card = &machine.functions[address];
                if card.is_display() && other.address.same_slot(*address) && other.id.vendor == card.id.vendor {
                    prop_assert!(bound.contains(&other.address));
                    if settings.passthrough.iter().any(|entry| entry.device == *address) {
                        prop_assert!(plan.bind.contains(&(other.address, *at)));
                    }
                }
            }
        }
        let last_override = plan.steps.iter().rposition(|step| matches!(step, Step::Override(_)));
        let first_change = plan.steps.iter().position(|step| matches!(step, Step::Unbind(..) | Step::Probe(_)));
        if let (Some(last), Some(first)) = (last_override, first_change) {
            prop_assert!(last < first, "a device is unbound before all overrides are written");
        }
        let hangs = |step: &Step| matches!(step, Step::Unbind(_, driver) if driver == "nvidia");
        prop_assert!(!plan.steps.iter().any(hangs));
    }
}
