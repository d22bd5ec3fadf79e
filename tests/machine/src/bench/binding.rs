//! How long a person waits until four functions of one card are on vfio-pci: Persona against driverctl and libvirt.

use super::{LOG, median, timed};
use crate::hardware::{CardFunction, Hardware, address};
use crate::machine::Machine;
use persona::error::{Context, Error, Result};
use toml_edit::{DocumentMut, value};

/// Each contender binds this often, in turn, and who begins changes. A round before these, in which modules are loaded, does not
/// count.
const ROUNDS: usize = 9;

const FUNCTIONS: [&str; 4] = [address::CARD, address::CARD_AUDIO, address::CARD_THIRD, address::CARD_FOURTH];

/// What the menu leaves behind when somebody picks.
const CHOICE: &str = r#"
systemctl stop legion.path
printf '%s\n' 'persona = "rivendale"' 'reason = "picked"' > /run/persona/choice.toml"#;

/// Somebody who can give functions to vfio-pci and back, by commands for a shell.
struct Contender {
    name: &'static str,
    take: String,
    give_back: String,
}

/// The first is Persona, which besides binding reads the machine, plans, proves each function and group, and inserts the cartridge.
fn contenders() -> [Contender; 4] {
    let each = |command: &str| FUNCTIONS.map(|function| command.replace("ADDRESS", function)).join("\n");
    let virsh = |command: &str| {
        let commands = FUNCTIONS.map(|function| format!("{command} pci_{}", function.replace([':', '.'], "_"))).join("; ");
        format!("virsh --quiet --connect qemu:///system \"{commands}\"")
    };
    let at = "/sys/bus/pci/devices/ADDRESS";
    let probe = "echo ADDRESS > /sys/bus/pci/drivers_probe";
    let unbind = format!("if [ -e {at}/driver ]; then echo ADDRESS > {at}/driver/unbind; fi");
    [
        Contender { name: "persona prepare", take: "persona prepare".into(), give_back: "persona release".into() },
        Contender {
            name: "driverctl set-override",
            take: each("driverctl set-override ADDRESS vfio-pci"),
            give_back: each("driverctl unset-override ADDRESS"),
        },
        // One process for all four, to its advantage.
        Contender { name: "virsh nodedev-detach", take: virsh("nodedev-detach"), give_back: virsh("nodedev-reattach") },
        // No rival but the limit: what the kernel itself takes, asked by the shell that measures, without any check.
        Contender {
            name: "the bare writes",
            take: format!("{}\n{}", each(&format!("echo vfio-pci > {at}/driver_override")), each(&format!("{unbind}\n{probe}"))),
            give_back: each(&format!("echo > {at}/driver_override\n{unbind}\n{probe}")),
        },
    ]
}

/// The PC with a card of four functions.
pub(super) fn hardware() -> Hardware {
    let card = vec![CardFunction::Graphics, CardFunction::Audio, CardFunction::Usb, CardFunction::Serial];
    Hardware { card, ..Hardware::standard() }
}

/// The machine's settings, with that card taken from its host drivers at launch and nothing else given away.
///
/// # Errors
/// When the settings are not what they should be.
pub(super) fn settings(text: &str) -> Result<String> {
    let mut settings: DocumentMut = text.parse().context(|| "reading the machine's settings".to_owned())?;
    let passthrough = settings["legion"]["passthrough"].as_array_of_tables_mut();
    let passthrough = passthrough.ok_or_else(|| Error::new("the machine's settings have no [[legion.passthrough]]"))?;
    passthrough.retain(|device| device["device"].as_str() == Some(address::CARD));
    passthrough.iter_mut().for_each(|device| device["bind"] = value("launch"));
    Ok(settings.to_string())
}

/// Measures on a machine with that hardware and those settings that has booted and shows no menu.
///
/// # Errors
/// When a contender does not bind all four, or does not give all back to their host drivers.
pub(super) fn measure(machine: &mut Machine) -> Result<Vec<String>> {
    machine.run(CHOICE)?;
    let before = drivers(machine)?;
    let mut contenders = contenders().map(|contender| (contender, Vec::new()));
    for round in 0..=ROUNDS {
        machine.log().step(format!("binding: round {round} of {ROUNDS}"));
        let first = round % contenders.len();
        let (later, sooner) = contenders.split_at_mut(first);
        for (contender, seconds) in sooner.iter_mut().chain(later) {
            let taken = once(machine, contender, &before)?;
            if round > 0 {
                seconds.push(taken);
            }
        }
    }
    let with_driver = before.iter().filter(|driver| *driver != "none").count();
    let mut lines = vec![format!(
        "four functions of one card to vfio-pci, {with_driver} of them from host drivers, from the first command to the end of the last, \
         median and best of {ROUNDS} (emulated processor)"
    )];
    let mut persona = None;
    for (contender, seconds) in contenders {
        let best = seconds.iter().copied().fold(f64::INFINITY, f64::min);
        let median = median(seconds).unwrap_or_default();
        let (first_median, first_best) = *persona.get_or_insert((median, best));
        let part = |seconds: f64, first: f64| format!("{:7.1} ms   ratio {:.3}", seconds * 1e3, first / seconds);
        lines.push(format!("  {:22} {}   best {}", contender.name, part(median, first_median), part(best, first_best)));
    }
    Ok(lines)
}

/// Has a contender bind all four and give them back; the seconds that binding took. What a contender does not do does not count.
fn once(machine: &mut Machine, contender: &Contender, before: &[String]) -> Result<f64> {
    let taken = timed(machine, &contender.take)?;
    expect(machine, contender, &["vfio-pci"; 4])?;
    timed(machine, &contender.give_back)?;
    expect(machine, contender, before)?;
    Ok(taken)
}

fn expect<S: AsRef<str>>(machine: &mut Machine, contender: &Contender, wanted: &[S]) -> Result<()> {
    let now = drivers(machine)?;
    if now.iter().map(String::as_str).eq(wanted.iter().map(AsRef::as_ref)) {
        return Ok(());
    }
    let told = machine.run(&format!("cat {LOG}"))?;
    let wanted: Vec<&str> = wanted.iter().map(AsRef::as_ref).collect();
    Err(Error::new(format!("{}: the card's drivers are {now:?}, not {wanted:?}; it said:\n{told}", contender.name)))
}

/// The drivers of the four, `none` for one without.
fn drivers(machine: &mut Machine) -> Result<Vec<String>> {
    FUNCTIONS.into_iter().map(|address| Ok(machine.driver(address)?.unwrap_or_else(|| "none".to_owned()))).collect()
}
