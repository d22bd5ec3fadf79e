//! How long it takes to read a machine and to plan, and whether twice the devices take twice as long.

use super::temporary_folder;
use persona::config::Settings;
use persona::error::{Context, Error, Result};
use persona::passthrough::{Machine, Plan, PlanStage};
use persona::sys::paths::Paths;
use persona_recorded::{Tree, synthetic};
use std::fs;
use std::hint::black_box;
use std::time::Instant;

/// How many devices the machines have.
const DEVICES: [u32; 4] = [64, 128, 256, 512];
const DEVICES_OF_A_GROUP: u32 = 4;
/// Each is read and planned this often, in turn; the best counts.
const ROUNDS: usize = 50;

/// What is known of a device.
const ATTRIBUTES: [&str; 7] = ["vendor", "device", "class", "subsystem_vendor", "subsystem_device", "driver_override", "boot_vga"];
const LINKS: [&str; 2] = ["driver", "iommu_group"];

/// The fewest seconds of each.
struct Best {
    planning: f64,
    /// The limit: [`bare_reads`].
    reading: f64,
}

/// Measures in this process.
///
/// # Errors
/// When a machine cannot be written or read, or its plan is refused.
pub(super) fn measure() -> Result<Vec<String>> {
    let mut machines = Vec::new();
    for devices in DEVICES {
        let folder = temporary_folder()?;
        synthetic(&Tree::new(folder.path()), devices, devices / DEVICES_OF_A_GROUP);
        let paths = Paths::new(folder.path(), None);
        let settings = Settings::load(&paths)?;
        machines.push((devices, folder, settings, paths, Best { planning: f64::INFINITY, reading: f64::INFINITY }));
    }
    for _ in 0..ROUNDS {
        for (_, _, settings, paths, best) in &mut machines {
            best.planning = best.planning.min(timed(|| plan(settings, paths))?);
            best.reading = best.reading.min(timed(|| bare_reads(paths))?);
        }
    }
    let mut lines = vec![format!("reading a machine and planning a launch, best of {ROUNDS}")];
    let mut smallest = None;
    for (devices, .., Best { planning, reading }) in machines {
        let per_device = planning / f64::from(devices);
        lines.push(format!(
            "  {devices:3} devices in {:3} groups {:7.2} ms   {:5.1} us a device, ratio {:.2} to {} devices; ratio {:.2} to bare reads",
            devices / DEVICES_OF_A_GROUP,
            planning * 1e3,
            per_device * 1e6,
            per_device / *smallest.get_or_insert(per_device),
            DEVICES[0],
            planning / reading
        ));
    }
    Ok(lines)
}

fn plan(settings: &Settings, paths: &Paths) -> Result<()> {
    match Plan::new(settings, &Machine::read(paths)?, PlanStage::Launch).refusal_text() {
        Some(refusal) => Err(Error::new(format!("the synthetic machine's plan is refused: {refusal}"))),
        None => Ok(()),
    }
}

/// Looks for every device's attributes and links, reads those that are there, and does nothing else.
fn bare_reads(paths: &Paths) -> Result<()> {
    let folder = paths.pci_devices();
    for device in fs::read_dir(&folder).context(|| format!("reading {}", folder.display()))?.flatten() {
        let device = device.path();
        ATTRIBUTES.iter().for_each(|attribute| drop(black_box(fs::read(device.join(attribute)))));
        LINKS.iter().for_each(|link| drop(black_box(fs::read_link(device.join(link)))));
    }
    Ok(())
}

fn timed(work: impl Fn() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work().map(|()| start.elapsed().as_secs_f64())
}
