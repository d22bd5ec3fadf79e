//! `persona plan`: every step a boot and a launch would take. Changes nothing.

use super::{OutputFormat, named_or_default, print, print_json};
use crate::config::kernel_command_line::KernelCommandLine;
use crate::config::value::Network;
use crate::config::{Backend, BindTime, Legion, OnPoweroff, Passthrough, Persona, Settings, Starts};
use crate::error::Result;
use crate::legion::cartridge::slot;
use crate::legion::qemu::argv;
use crate::legion::{self, Cartridge, Preflight, launch_plan, libvirt};
use crate::passthrough::{self, Refusal, Step, Warning};
use crate::sys::paths::Paths;
use crate::sys::pci::PciAddress;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::Write;

/// `plan --json`.
#[derive(Serialize)]
struct Plan {
    persona: String,
    /// `legion`, `host` or a unit's name.
    starts: String,
    /// The cartridge's name; absent unless it starts legion.
    cartridge: Option<String>,
    /// Addresses reserved before coldplug, in order.
    reserve: Vec<String>,
    /// legion's devices, in order.
    bind: Vec<Bind>,
    /// Why legion stays off; empty if it may start.
    refused: Vec<Refusal>,
    /// Deviations from the settings that are not refused.
    notes: Vec<Warning>,
    /// All steps from power-on to the guest's end, in order.
    steps: Vec<String>,
    /// QEMU's command line; empty unless Persona itself starts legion and the cartridge can be used.
    qemu: Vec<String>,
    /// Whether a descriptor of the macvtap is missing from it.
    #[serde(skip)]
    macvtap: bool,
}

#[derive(Serialize)]
struct Bind {
    address: String,
    at: BindTime,
}

/// Prints the plan of a persona, the default if none is named.
///
/// # Errors
/// When the settings or the machine cannot be read, or there is no such persona. A refusal is not an error: it is part of the plan.
pub fn plan(paths: &Paths, name: Option<&str>, output: OutputFormat, out: &mut dyn Write) -> Result<()> {
    let settings = Settings::load(paths)?;
    let persona = named_or_default(paths, &settings, name)?;
    let launch = launch_plan(paths, &settings)?;
    let refused = Preflight::of(paths, &settings, Ok(launch.clone())).refusals(persona);
    let mut plan = Plan::of(paths, persona, refused, &settings.passthrough, &launch);
    plan.notes.extend(KernelCommandLine::read(paths).off.map(|why| Warning {
        code: "persona-off",
        address: None,
        what: format!("{why}: in this boot nothing was reserved, and there is no menu"),
        hint: Some("boot without that word; if it comes back, remove it from the boot loader's entry".to_owned()),
    }));
    match output {
        OutputFormat::Json => print_json(out, &plan),
        OutputFormat::Text => print(out, &plan.text()),
    }
}

impl Plan {
    fn of(paths: &Paths, persona: &Persona, refused: Vec<Refusal>, passthrough: &[Passthrough], launch: &passthrough::Plan) -> Self {
        let reserve = &launch.reserve;
        let mut plan = Self {
            persona: persona.name.clone(),
            starts: "legion".into(),
            cartridge: None,
            reserve: reserve.iter().map(ToString::to_string).collect(),
            bind: Vec::new(),
            refused,
            notes: launch.notes.clone(),
            steps: reserve
                .iter()
                .map(|address| format!("at boot, before coldplug: allow only the driver {} to bind {address}", passthrough::VFIO_PCI))
                .collect(),
            qemu: Vec::new(),
            macvtap: false,
        };
        match &persona.starts {
            Starts::Host => {
                plan.starts = "host".into();
                plan.steps.push("give screen and keyboards to the console".into());
            }
            Starts::Unit(unit) => {
                plan.starts.clone_from(unit);
                plan.steps.push(format!("systemctl start {unit}"));
            }
            Starts::Legion(legion) => plan.launch(paths, legion, passthrough, launch),
        }
        plan
    }

    fn launch(&mut self, paths: &Paths, legion: &Legion, passthrough: &[Passthrough], launch: &passthrough::Plan) {
        self.cartridge = Some(legion.cartridge.clone());
        self.bind = launch.bind.iter().map(|(address, at)| Bind { address: address.to_string(), at: *at }).collect();
        let devices: Vec<PciAddress> = launch.bind.iter().map(|(address, _)| *address).collect();
        let found = Cartridge::inspect(paths, &legion.cartridges, &legion.cartridge).and_then(|cartridge| {
            // libvirt's domain has its own firmware setting.
            if legion.backend == Backend::Libvirt {
                return Ok((Vec::new(), Vec::new()));
            }
            let machine = legion::VirtualMachine::find(paths, legion, &cartridge, &devices, passthrough)?;
            Ok((argv(paths, &machine), machine.notes))
        });
        match found {
            Ok((argv, notes)) => {
                self.qemu = argv;
                self.macvtap = matches!(legion.network, Network::Macvtap(_));
                self.notes.extend(notes);
            }
            Err(error) if self.refused.is_empty() => self.notes.push(Warning {
                code: "cartridge-unreadable",
                address: None,
                what: error.reason(),
                hint: Some("look again as root: `sudo persona plan`".to_owned()),
            }),
            Err(_) => {}
        }
        if !self.refused.is_empty() {
            return;
        }
        if legion.backend == Backend::Libvirt {
            let looks = [&["dominfo", &legion.domain][..], &["dumpxml", &legion.domain, "--inactive"]].map(libvirt::shell_line);
            self.steps.push(format!("check that the domain is off and takes only legion's devices: {}", looks.join("; ")));
        }
        // On a machine that has not booted with these settings yet, the boot overrides are not set yet.
        let comes_at_boot = |step: &&Step| matches!(step, Step::Override(address) if launch.reserve.contains(address));
        self.steps.extend(launch.steps.iter().filter(|step| !comes_at_boot(step)).map(ToString::to_string));
        let slot = slot::inserted(paths, &legion.slot).ok().flatten();
        if slot.as_deref() != Some(legion.cartridge.as_str()) {
            self.steps.push(format!(
                "insert the cartridge {}: {} -> {}",
                legion.cartridge,
                legion.slot.display(),
                legion.cartridges.join(&legion.cartridge).display()
            ));
        }
        self.steps.extend(match legion.backend {
            Backend::Qemu => {
                let swtpm = format!("start swtpm on {} as the user legion", paths.tpm_socket().display());
                let qemu = "start QEMU as the user legion and wait until QMP says running".to_owned();
                legion.tpm.then_some(swtpm).into_iter().chain([qemu]).collect()
            }
            Backend::Libvirt => [&["event", "--domain", &legion.domain, "--event", "lifecycle", "--loop"][..], &["start", &legion.domain]]
                .map(|arguments| format!("as the user legion: {}", libvirt::shell_line(arguments)))
                .to_vec(),
        });
        let back: Vec<String> =
            launch.bind.iter().filter(|(_, at)| *at == BindTime::Launch).map(|(address, _)| address.to_string()).collect();
        if !back.is_empty() {
            self.steps.push(format!("after the guest's end: return {} to the host", back.join(", ")));
        }
        self.steps.push(match legion.on_poweroff {
            OnPoweroff::Menu => "after the guest's power-off: back to the menu".into(),
            OnPoweroff::Poweroff => "after the guest's power-off: power the machine off".into(),
            OnPoweroff::Host => "after the guest's power-off: the host's console".into(),
        });
    }

    fn text(&self) -> String {
        let mut text = match &self.cartridge {
            Some(cartridge) => format!("{} starts legion with the cartridge {cartridge}\n", self.persona),
            None => format!("{} starts {}\n", self.persona, self.starts),
        };
        let refused = self.refused.iter().map(|refusal| format!("refused: {refusal}"));
        for paragraph in refused.chain(self.notes.iter().map(|note| format!("note: {note}"))) {
            let _ = writeln!(text, "\n{paragraph}");
        }
        if !self.refused.is_empty() {
            text += "\nlegion stays off.\n";
            return text;
        }
        text.push('\n');
        for (number, step) in self.steps.iter().enumerate() {
            let _ = writeln!(text, "{:3}. {step}", number + 1);
        }
        if self.macvtap {
            let line = argv::shell_line(&argv::connected(&self.qemu, 3));
            let _ = writeln!(text, "\n{line} 3<>/dev/tap$(cat /sys/class/net/{}/ifindex)", legion::network::TAP);
        } else if !self.qemu.is_empty() {
            let _ = writeln!(text, "\n{}", argv::shell_line(&self.qemu));
        }
        text
    }
}
