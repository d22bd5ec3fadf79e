//! What several scenarios do and look at.

use persona::error::Result;
use persona_machine::wire::{REPORT_FILE, Report};
use persona_machine::{Head, Keyboard, Machine, Picture, STEP};
use serde_json::Value;
use toml_edit::{DocumentMut, Table, value};

/// Waits until a monitor shows visibly something else than before.
pub(crate) fn changes(machine: &mut Machine, head: Head, before: &Picture) -> Result<Picture> {
    machine.wait_for_screen(head, &format!("{head:?} shows something else"), |picture| picture.difference(before) > 0.02)
}

/// Settings by which every picture is at rest.
pub(crate) fn without_motion(settings: &str) -> String {
    let still = settings.replace("motion = true", "motion = false");
    assert_ne!(still, settings);
    still
}

/// Settings by which no menu begins in the initramfs.
pub(crate) fn without_early_menu(settings: &str) -> String {
    let late = settings.replace("early = true", "early = false");
    assert_ne!(late, settings);
    late
}

/// Settings with this countdown.
pub(crate) fn with_timeout(settings: &str, timeout: &str) -> String {
    changed(settings, |settings| settings["menu"]["timeout"] = value(timeout))
}

/// Settings that were changed.
pub(crate) fn changed(settings: &str, change: impl FnOnce(&mut DocumentMut)) -> String {
    let mut settings: DocumentMut = settings.parse().unwrap();
    change(&mut settings);
    settings.to_string()
}

/// A persona of the settings.
pub(crate) fn persona<'a>(settings: &'a mut DocumentMut, name: &str) -> &'a mut Table {
    let personas = settings["persona"].as_array_of_tables_mut().unwrap();
    personas.iter_mut().find(|persona| persona["name"].as_str() == Some(name)).unwrap()
}

/// The settings that the machine has now.
pub(crate) fn settings(machine: &mut Machine) -> Result<String> {
    machine.run("cat /etc/persona/persona.toml")
}

/// Changes the machine's settings: what is launched from now on goes by them, and so does the next menu.
pub(crate) fn change_settings(machine: &mut Machine, change: impl FnOnce(&mut DocumentMut)) -> Result<()> {
    let text = changed(&settings(machine)?, change);
    machine.run(&format!("cat > /etc/persona/persona.toml << 'END_OF_SETTINGS'\n{text}\nEND_OF_SETTINGS")).map(drop)
}

/// Stops the menu, forgets the choice, and runs a script meanwhile.
pub(crate) fn stop_menu(machine: &mut Machine, script: &str) -> Result<()> {
    let forget = "rm -f /run/persona/menu.toml /run/persona/choice.toml";
    machine.run(&format!("systemctl stop persona-menu.service; {forget}; {script}")).map(drop)
}

/// Starts the menu's unit, and waits until the menu has the screen and reads its keyboards.
pub(crate) fn start_menu(machine: &mut Machine, keyboards: usize) -> Result<()> {
    machine.run("rm -f /run/persona/menu.toml; systemctl reset-failed persona-menu.service; systemctl start persona-menu.service")?;
    machine.wait_for_menu()?;
    machine.wait_for_keyboards(keyboards)
}

/// Waits until the menu itself says this of what it shows: a line of `persona status --json`.
pub(crate) fn menu_says(machine: &mut Machine, field: &str, words: &str) -> Result<()> {
    let script = format!("persona status --json | sed -n '/\"live\": {{/,$p' | grep -m1 '\"{field}\": {words},\\?$'");
    machine.wait_until(&format!("the menu says {field}: {words}"), &script, STEP).map(drop)
}

/// Waits until this persona is highlighted.
pub(crate) fn highlights(machine: &mut Machine, name: &str) -> Result<()> {
    menu_says(machine, "highlighted", &format!("\"{name}\""))
}

/// What was chosen in this boot, and why.
pub(crate) fn choice(machine: &mut Machine) -> Result<(String, String)> {
    let text = machine.wait_for_choice()?;
    let record: DocumentMut = text.parse().unwrap();
    Ok((record["persona"].as_str().unwrap().to_owned(), record["reason"].as_str().unwrap().to_owned()))
}

/// Waits until there is a choice, and it is this one.
pub(crate) fn is_chosen(machine: &mut Machine, persona: &str, reason: &str) -> Result<()> {
    machine.wait_until(&format!("{persona} is chosen"), &format!("grep -qx 'persona = \"{persona}\"' /run/persona/choice.toml"), STEP)?;
    assert_eq!(choice(machine)?, (persona.to_owned(), reason.to_owned()));
    Ok(())
}

pub(crate) fn nothing_is_chosen(machine: &mut Machine) -> Result<()> {
    assert_eq!(machine.run("cat /run/persona/choice.toml 2>/dev/null || :")?, "");
    Ok(())
}

/// A string in JSON.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value:#}"))
}

/// Gives every persona a disk with nothing on it: its firmware finds nothing to boot and idles, deaf to the power button. Enough where
/// nothing is asked of the guest, and it runs within seconds.
pub(crate) fn empty_cartridges(machine: &mut Machine) -> Result<()> {
    let script = "for cartridge in /var/lib/legion/cartridges/*; do
        rm -f $cartridge/disk.*; truncate -s 8M $cartridge/disk.raw; chmod 600 $cartridge/disk.raw; done; sync";
    machine.run(script).map(drop)
}

/// Starts a persona, or switches to it, over SSH, and waits until its guest reads its keyboard.
pub(crate) fn starts(machine: &mut Machine, command: &str, name: &str) -> Result<()> {
    machine.run(&format!("rm -f {REPORT_FILE}"))?;
    machine.ssh(&format!("persona {command}"))?;
    assert_eq!(machine.run("readlink /var/lib/legion/slot")?.trim(), format!("cartridges/{name}"));
    let began = machine.wait_for_report(&format!("{name} runs"), STEP, |report| matches!(report, Report::Started { .. }))?;
    assert!(matches!(&began, Report::Started { cartridge, .. } if cartridge == name), "{began:?}");
    machine.wait_for_guest_keyboard()
}

/// Presses a key that the guest reports before it obeys.
pub(crate) fn tell_guest(machine: &mut Machine, key: &str) -> Result<()> {
    machine.press(Keyboard::Legion, key)?;
    let code = format!("KEY_{}", key.to_uppercase());
    let is_heard = |report: &Report| matches!(report, Report::Key { code: heard } if *heard == code);
    machine.wait_for_report(&format!("the guest has heard {key}"), STEP, is_heard).map(drop)
}

/// legion is over in this phase and came out so, and everything is as before; what `persona status --json` says.
pub(crate) fn is_over(machine: &mut Machine, phase: &str, outcome: &str) -> Result<Value> {
    machine.wait_for_end(phase)?;
    let status = machine.status()?;
    assert_eq!((text(&status, "/legion/state"), text(&status, "/legion/outcome")), (phase, outcome), "{status:#}");
    let left = machine.run("ps -u legion -o comm= || :; flock -n /run/persona/legion.lock echo free")?;
    assert_eq!(left, "free\n", "processes of legion, and its lock");
    Ok(status)
}
