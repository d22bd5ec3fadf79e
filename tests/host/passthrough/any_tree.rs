//! What holds on whatever machine, from its files to the plan: judged by what was put there, not by what was found.

use super::random_tree::{Spec, Truth, spec};
use super::{Settings, Tree, build, listing, read, settings};
use persona::passthrough::{Needs, Plan, PlanStage, Step};
use persona::sys::pci::PciAddress;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

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
        // What one function is refused for would hide another.
        for function in &truth.functions {
            let plan = Plan::new(&listing(&[&function.to_string()]), &machine, PlanStage::Launch);
            let lost = plan.bind.iter().find(|(address, _)| truth.needed.contains(address));
            prop_assert_eq!(lost, None, "{} takes it", function);
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

/// What is wrong with a machine's files.
#[derive(Debug, Clone)]
enum Spoilt {
    /// A line with bytes that are no text, at the front or at the end of one of the kernel's lists.
    ForeignLine { list: usize, at_front: bool, bytes: Vec<u8> },
    /// One of the kernel's lists cannot be read.
    Unreadable(usize),
    /// A function lacks an attribute, or has nonsense in it.
    Attribute { function: usize, name: &'static str, text: Option<&'static str> },
    /// Something with a name that is no text lies beside the functions, disks and interfaces.
    ForeignName(usize),
}

const LISTS: [&str; 5] = ["proc/self/mountinfo", "proc/swaps", "proc/net/route", "proc/cmdline", "etc/fstab"];
const CLASSES: [&str; 4] = ["sys/bus/pci/devices", "sys/class/block", "sys/class/net", "sys/class/input"];

fn spoilt() -> impl Strategy<Value = Spoilt> {
    let bytes = vec(prop_oneof![Just(b' '), Just(b'/'), 0x80..=0xff_u8, 0x21..0x7f_u8], 1..40);
    let names = prop::sample::select(vec!["vendor", "device", "class", "boot_vga", "driver_override", "resource", "uevent"]);
    let texts = prop::sample::select(vec![None, Some(""), Some("\u{fffd}\n"), Some("0xffffffffffffffffff\n"), Some("-1\n")]);
    prop_oneof![
        (0..LISTS.len(), any::<bool>(), bytes).prop_map(|(list, at_front, bytes)| Spoilt::ForeignLine { list, at_front, bytes }),
        (0..LISTS.len()).prop_map(Spoilt::Unreadable),
        (any::<usize>(), names, texts).prop_map(|(function, name, text)| Spoilt::Attribute { function, name, text }),
        (0..CLASSES.len()).prop_map(Spoilt::ForeignName),
    ]
}

impl Spoilt {
    fn apply(&self, tree: &Tree, functions: &[PciAddress]) {
        match self {
            Self::ForeignLine { list, at_front, bytes } => {
                let path = tree.at(LISTS[*list]);
                // What cannot be read already stays so.
                let Ok(before) = fs::read(&path).or_else(|error| if path.exists() { Err(error) } else { Ok(Vec::new()) }) else { return };
                // The lists of swap and of routes begin with a line of titles.
                let titles = if LISTS[*list].ends_with("swaps") || LISTS[*list].ends_with("route") {
                    before.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1)
                } else {
                    0
                };
                let (place, line) = (if *at_front { titles } else { before.len() }, [bytes.as_slice(), b"\n"].concat());
                tree.file(LISTS[*list], [&before[..place], &line, &before[place..]].concat());
            }
            Self::Unreadable(list) => {
                let _ = fs::remove_file(tree.at(LISTS[*list]));
                fs::create_dir_all(tree.at(LISTS[*list])).unwrap();
            }
            Self::Attribute { function, name, text } => {
                let path = format!("sys/bus/pci/devices/{}/{name}", functions[function % functions.len()]);
                match text {
                    Some(text) => tree.file(&path, text),
                    None => drop(fs::remove_file(tree.at(&path))),
                }
            }
            Self::ForeignName(class) => {
                let folder = tree.at(CLASSES[*class]);
                fs::create_dir_all(folder.join(OsStr::from_bytes(b"0000:\xff\xfe:00.0"))).unwrap();
            }
        }
    }
}

#[test]
fn spoilt_files_give_nothing_away() {
    let (bound, refused) = (Cell::new(0), Cell::new(0));
    let check = |(spec, spoilt): (Spec, Vec<Spoilt>)| {
        let (_folder, tree) = build(|tree| spec.hardware(tree));
        let truth = spec.system(&tree);
        spoilt.iter().for_each(|spoilt| spoilt.apply(&tree, &truth.functions));
        let machine = read(&tree);
        // Each by itself: what one function is refused for would hide another.
        for function in &truth.functions {
            let plan = Plan::new(&listing(&[&function.to_string()]), &machine, PlanStage::Launch);
            let is_lost = |(address, _): &&(PciAddress, _)| truth.needed.contains(address) || plan.display == Some(*address);
            prop_assert_eq!(plan.bind.iter().find(is_lost), None, "{} takes it", function);
            let count = if plan.refused.is_empty() { &bound } else { &refused };
            count.set(count.get() + 1);
        }
        Ok(())
    };
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config).run(&(spec(), vec(spoilt(), 1..4)), check).unwrap();
    assert!(bound.get() > 10 && refused.get() > 10, "{bound:?} {refused:?}");
}
