//! The proposal as a settings file with its reasons as comments.

use super::facts::{CartridgeFacts, DetectedFacts};
use super::proposal::{CARTRIDGES, Proposal, Proposed, plan};
use crate::config::BindTime;
use crate::config::document::quoted;
use crate::passthrough::{Function, Machine};
use std::fmt::Write;

/// The longest line of a comment, in characters.
const WIDTH: usize = 110;

pub(super) fn render(proposal: &Proposal, machine: &Machine, facts: &DetectedFacts) -> String {
    let mut text = String::new();
    comment(
        &mut text,
        "Settings for this machine, proposed by `persona detect`. Save them as /etc/persona/persona.toml, see what would happen with `persona plan`, and rebuild the initramfs (`mkinitcpio -P`). /usr/share/persona/persona.toml documents all settings.",
    );
    if !proposal.left.is_empty() {
        comment(&mut text, "\nLeft to the host:");
        let mut told: Vec<&String> = Vec::new();
        for reason in &proposal.left {
            if !told.contains(&reason) {
                comment(&mut text, &format!("- {reason}"));
                told.push(reason);
            }
        }
    }
    let cartridges = usable(facts);
    menu(&mut text, proposal, machine, &cartridges);
    legion(&mut text, facts);
    for proposed in proposal.card.iter().chain(&proposal.usb) {
        passthrough(&mut text, proposal, proposed, machine);
    }
    if proposal.card.is_none() {
        text.push('\n');
        comment(&mut text, "No [[legion.passthrough]]: legion would run without hardware of its own.");
    }
    personas(&mut text, &cartridges);
    text
}

fn menu(text: &mut String, proposal: &Proposal, machine: &Machine, cartridges: &[&CartridgeFacts]) {
    let _ = write!(text, "\n[menu]\ntimeout = \"10s\"\ndefault = {}\n", quoted(cartridges.first().map_or("host", |first| &first.name)));
    match proposal.display.as_ref().filter(|_| proposal.card.is_some()) {
        Some(Proposed { address, why, .. }) => {
            let words = machine.function(*address).map(Function::words).unwrap_or_default();
            comment(text, &format!("{words}: {why}."));
            let _ = writeln!(text, "display = \"{address}\"");
        }
        None => text.push_str("display = \"auto\"\n"),
    }
}

fn legion(text: &mut String, facts: &DetectedFacts) {
    text.push_str("\n[legion]\n");
    // A quarter stays with the host and its containers, at least 4 GiB; on a small machine, half.
    let spare = (facts.memory / 4).max(4096).min(facts.memory / 2);
    let memory = facts.memory.saturating_sub(spare) / 1024;
    let (memory, told) = match memory {
        0 => (1, String::new()),
        memory => (memory, format!("  # of {} GiB", facts.memory.div_ceil(1024))),
    };
    let _ = writeln!(text, "memory = \"{memory}G\"{told}");
    let processors = match facts.processors {
        0..=1 => 1,
        few @ 2..=4 => few / 2,
        many => many - 2,
    };
    let told = if facts.processors == 0 { String::new() } else { format!("  # of {}", facts.processors) };
    let _ = writeln!(text, "cpus = {processors}{told}");
}

fn passthrough(text: &mut String, proposal: &Proposal, proposed: &Proposed, machine: &Machine) {
    let Some(function) = machine.function(proposed.address) else { return };
    text.push('\n');
    comment(text, &format!("{}: {}.", function.words(), proposed.why));
    let devices: Vec<Proposed> = proposal.card.iter().chain(&proposal.usb).cloned().collect();
    let display = proposal.display.as_ref().map_or(proposed.address, |display| display.address);
    let plan = plan(machine, display, &devices);
    let along = plan.members().filter(|member| member.brought_by == proposed.address && !member.is_listed());
    let along: Vec<String> = along.filter_map(|member| machine.function(member.address)).map(ToString::to_string).collect();
    if !along.is_empty() {
        comment(text, &format!("Passed through together with it: {}.", along.join(", ")));
    }
    let _ = writeln!(text, "[[legion.passthrough]]\ndevice = \"{}\"\nid = \"{}\"", function.address, function.id);
    if let Some(BindTime::Launch) = proposed.bind {
        text.push_str("bind = \"launch\"  # the menu needs the keyboard on it until the choice\n");
    }
    let twin = machine.functions.values().any(|other| other.id == function.id && other.subsystem != function.subsystem);
    if let Some(subsystem) = function.subsystem.filter(|_| twin) {
        let _ = writeln!(text, "subsystem = \"{subsystem}\"  # another device has the same id");
    }
    if let Some(name) = &function.name {
        let _ = writeln!(text, "label = {}", quoted(name));
    }
}

/// Cartridges with a name that is valid for a persona.
fn usable(facts: &DetectedFacts) -> Vec<&CartridgeFacts> {
    let harmless = |name: &str| {
        name.len() <= 64
            && name != "last"
            && name != "host"
            && !name.starts_with('-')
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    facts.cartridges.iter().filter(|cartridge| !cartridge.name.is_empty() && harmless(&cartridge.name)).collect()
}

fn personas(text: &mut String, cartridges: &[&CartridgeFacts]) {
    if cartridges.is_empty() {
        text.push('\n');
        comment(
            text,
            &format!("No cartridge is in {CARTRIDGES} yet. For one called `gondor`, put its disk there as gondor/disk.qcow2, and add:"),
        );
        text.push_str("#\n# [[persona]]\n# name = \"gondor\"\n# tagline = \"Ubuntu, Steam and Proton\"\n# emblem = \"tree\"\n");
    }
    for CartridgeFacts { name, has_tpm } in cartridges {
        let _ = write!(text, "\n[[persona]]\nname = {}\n", quoted(name));
        if *has_tpm {
            text.push_str("guest = \"windows\"  # it has a TPM\n");
        }
    }
    text.push_str("\n[[persona]]\nname = \"host\"\ntitle = \"Bare host\"\nstarts = \"host\"\n");
}

/// Comment lines, wrapped between words.
fn comment(text: &mut String, words: &str) {
    for paragraph in words.lines() {
        let mut line = String::from("#");
        for word in paragraph.split(' ') {
            if line.len() + word.len() >= WIDTH {
                let _ = writeln!(text, "{line}");
                line = String::from("#");
            }
            line.push(' ');
            line.push_str(word);
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
}
