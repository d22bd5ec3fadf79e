//! Whatever step fails on whatever machine: all is as it was.

use super::kernel::{kernel, program};
use super::random_tree::{Spec, spec};
use super::{Tree, build, listing, paths, read};
use persona::passthrough::{Kernel, Machine, Plan, PlanStage, Step, SysfsWriter, bind};
use persona::sys::pci::PciAddress;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::time::Duration;

/// The driver and the override of every function.
fn state(tree: &Tree) -> BTreeMap<PciAddress, (Option<String>, String)> {
    let only = |address: PciAddress| {
        let text = fs::read_to_string(tree.at(&format!("sys/bus/pci/devices/{address}/driver_override")));
        text.unwrap_or_default().trim().replace("(null)", "")
    };
    read(tree).functions.into_iter().map(|(address, function)| (address, (function.driver, only(address)))).collect()
}

/// All that can be had of the machine.
fn everything(machine: &Machine) -> Plan {
    let plan = |devices: &[String]| {
        let devices: Vec<&str> = devices.iter().map(String::as_str).collect();
        Plan::new(&listing(&devices), machine, PlanStage::Launch)
    };
    let mut free: Vec<String> = Vec::new();
    for address in machine.functions.keys().map(ToString::to_string) {
        free.push(address);
        if !plan(&free).refused.is_empty() {
            free.pop();
        }
    }
    plan(&free)
}

/// How a step fails.
#[derive(Debug, Clone, Copy)]
enum Failure {
    /// Nothing has happened.
    Before,
    /// It has happened, and yet the kernel reports an error.
    After,
}

/// A kernel on which that step of the plan fails, once.
fn failing(tree: &Tree, step: &Step, failure: Failure) -> Kernel {
    let how = match failure {
        Failure::Before => "exit 22",
        Failure::After => "trap 'exit 22' EXIT",
    };
    let once = |pattern: String| {
        format!("case \"$file $value\" in {pattern}) [ -e ${{root}}failed ] || {{ : > ${{root}}failed; {how}; }} ;; esac")
    };
    match step {
        Step::Override(address) => kernel(tree, &once(format!("*/{address}/driver_override?vfio-pci"))),
        Step::Unbind(address, driver) => kernel(tree, &once(format!("*/{driver}/unbind?{address}"))),
        Step::Probe(address) => kernel(tree, &once(format!("*/vfio-pci/bind?{address}"))),
        Step::Verify(address) => {
            tree.file(&format!("sys/bus/pci/devices/{address}/config"), [0xff; 64]);
            kernel(tree, "")
        }
        Step::VerifyGroup(group) => {
            fs::remove_file(tree.at(&format!("dev/vfio/{group}"))).unwrap();
            kernel(tree, "")
        }
        Step::CheckDisk(_, disk) => {
            let node = tree.at(&format!("dev/{disk}"));
            let _ = fs::remove_file(&node);
            fs::create_dir_all(tree.at("dev")).unwrap();
            std::os::unix::fs::symlink(disk, node).unwrap();
            kernel(tree, "")
        }
        Step::LoadVfio => Kernel { group_is_viable: |_| Ok(false), ..kernel(tree, "") },
    }
}

#[test]
fn undoing_restores_every_driver_and_override() {
    let undone = RefCell::new(HashSet::new());
    let check = |(spec, pick, failure): (Spec, usize, Failure)| {
        let (_folder, tree) = build(|tree| spec.hardware(tree));
        spec.system(&tree);
        let plan = everything(&read(&tree));
        prop_assert!(plan.refused.is_empty());
        if plan.steps.is_empty() {
            return Ok(());
        }
        let step = &plan.steps[pick % plan.steps.len()];
        let kernel = failing(&tree, step, failure);
        let kernel = Kernel { writer: SysfsWriter::new(program(&tree), Duration::from_secs(2)), ..kernel };
        let before = state(&tree);
        prop_assert!(bind(&paths(&tree), &plan, &kernel).is_err(), "{step}");
        let after = state(&tree);
        let changed: Vec<_> = before.iter().filter(|(address, was)| after.get(address) != Some(was)).collect();
        prop_assert!(changed.is_empty(), "after {failure:?} {step}: {changed:?}");
        undone.borrow_mut().insert(std::mem::discriminant(step));
        Ok(())
    };
    let config = ProptestConfig { cases: 100, max_shrink_iters: 30, failure_persistence: None, ..ProptestConfig::default() };
    let failure = prop::sample::select(vec![Failure::Before, Failure::After]);
    TestRunner::new(config).run(&(spec(), any::<usize>(), failure), check).unwrap();
    assert!(undone.borrow().len() >= 4, "few kinds of steps have failed: {undone:?}");
}
