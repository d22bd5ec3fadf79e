//! `persona reserve`: keeps host drivers off the passthrough devices, in the initramfs, before coldplug.

use crate::boot_log::LogEvent;
use crate::config::Settings;
use crate::config::kernel_command_line::KernelCommandLine;
use crate::error::Result;
use crate::passthrough::{self, Machine, Plan, PlanStage};
use crate::sys::paths::Paths;
use std::time::Instant;

/// Writes the overrides. If in doubt, a device is left to the host, and the boot continues in any case.
///
/// # Errors
/// When the settings cannot be used or an override cannot be written; nothing is reserved then.
pub fn reserve(paths: &Paths) -> Result<()> {
    if let Some(why) = KernelCommandLine::read(paths).off {
        LogEvent::Decision(format!("nothing is reserved: {why}")).info();
        return Ok(());
    }
    let reserve = || {
        let settings = Settings::load(paths)?;
        let plan = Plan::new(&settings, &Machine::read_with(paths, Some(&settings))?, PlanStage::Boot);
        passthrough::reserve(paths, &plan)
    };
    let began = Instant::now();
    // Exit messages are not visible in an initramfs; the log is read later.
    let reserved = reserve().inspect_err(|error| log::error!("nothing is reserved: {error}"))?;
    if !reserved.is_empty() {
        LogEvent::Reserved { devices: reserved.len(), took_ms: began.elapsed().as_millis() as u64 }.info();
    }
    Ok(())
}
