//! What holds on whatever machine, from its files to the plan: judged by what was put there, not by what was found.

use super::random_tree::{Spec, Truth, spec};
use super::{Settings, build, read, settings};
use persona::passthrough::{Needs, Plan, PlanStage, Step};
use persona::sys::pci::PciAddress;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::Cell;
use std::collections::BTreeSet;

/// Picks of functions: the card that draws, and the listed ones with their times.
type Wish = (Option<usize>, Vec<(usize, Option<&'static str>)>);

fn wish() -> impl Strategy<Value = Wish> {
    let time = prop::sample::select(vec!["boot", "launch"]);
    (option::weighted(0.3, any::<usize>()), vec((any::<usize>(), option::of(time)), 1..3))
}

fn wished((display, listed): &Wish, functions: &[PciAddress]) -> Settings {
    let pick = |pick: &usize| functions[pick % functions.len()];
    let menu = display.iter().map(|display| format!("[menu]\ndisplay = \"{}\"\n", pick(display)));
    let mut seen = BTreeSet::new();
    let entries = listed.iter().filter(|(device, _)| seen.insert(pick(device))).map(|(device, time)| {
        let bind = time.map(|time| format!("bind = \"{time}\"\n")).unwrap_or_default();
        format!("[[legion.passthrough]]\ndevice = \"{}\"\n{bind}", pick(device))
    });
    settings(&menu.chain(entries).collect::<String>())
}

/// Everything that the plan would touch, or keep the host's drivers from.
fn taken(plan: &Plan) -> BTreeSet<PciAddress> {
    let steps = plan.steps.iter().filter_map(|step| match step {
        Step::Override(address) | Step::Unbind(address, _) | Step::Probe(address) => Some(*address),
        _ => None,
    });
    plan.reserve.iter().copied().chain(plan.bind.iter().map(|(address, _)| *address)).chain(steps).collect()
}

fn the_host_keeps_what_it_needs(plan: &Plan, truth: &Truth, wish: &Wish) -> Result<(), TestCaseError> {
    let taken = taken(plan);
    for address in &taken {
        prop_assert!(!truth.needed.contains(address), "{address} is needed");
        prop_assert_ne!(plan.display, Some(*address), "the menu's card");
    }
    if let Some(display) = wish.0 {
        prop_assert!(!taken.contains(&truth.functions[display % truth.functions.len()]), "the menu's card");
    }
    if !truth.keyboards.is_empty() {
        let is_left = |keyboard: &Option<PciAddress>| keyboard.is_none_or(|controller| !plan.reserve.contains(&controller));
        prop_assert!(truth.keyboards.iter().any(is_left), "the last keyboard");
    }
    Ok(())
}

#[test]
fn nothing_that_the_host_needs_is_reserved_or_bound() {
    let (bound, refused) = (Cell::new(0), Cell::new(0));
    let check = |(spec, wish): (Spec, Wish)| {
        let (_folder, tree) = build(|tree| spec.hardware(tree));
        let early = read(&tree);
        let truth = spec.system(&tree);
        let settings = wished(&wish, &truth.functions);
        let machine = read(&tree);
        prop_assert!(machine.storage_doubt.is_none() && machine.route_is_known);
        for stage in [PlanStage::Boot, PlanStage::Launch] {
            let plan = Plan::new(&settings, &machine, stage);
            the_host_keeps_what_it_needs(&plan, &truth, &wish)?;
            let count = if plan.refused.is_empty() { &bound } else { &refused };
            count.set(count.get() + 1);
        }
        // Before coldplug no disk, no route and no keyboard is to be seen, and yet those of PCI cards are safe.
        let reserved = Plan::new(&settings, &early, PlanStage::Boot).reserve;
        let lost = reserved.iter().find(|address| truth.needed.contains(address) && !truth.by_usb.contains(address));
        prop_assert_eq!(lost, None, "reserved before anybody could see that it is needed");
        // With what was written down when the initramfs was built, so are those of USB devices.
        let (_folder, tree) = build(|tree| spec.hardware(tree));
        tree.file("etc/persona/needs.toml", Needs::of(&machine, Vec::new()).to_toml().unwrap());
        let reserved = Plan::new(&settings, &read(&tree), PlanStage::Boot).reserve;
        let lost = reserved.iter().find(|address| truth.needed.contains(address));
        prop_assert_eq!(lost, None, "reserved although it was written down that it is needed");
        Ok(())
    };
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config).run(&(spec(), wish()), check).unwrap();
    assert!(bound.get() > 10 && refused.get() > 10, "{bound:?} {refused:?}");
}
