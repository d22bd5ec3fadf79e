//! A default that never runs well is passed over, and a person can start it all the same. One machine, several boots.
#![allow(clippy::unwrap_used, clippy::panic)]

use persona::error::Result;
use persona_machine::{Artifacts, Hardware, Keyboard, Log, Machine, STEP, Scenario, trial};
use toml_edit::{DocumentMut, value};

/// Rivendale never runs well, Gondor does once its agent answers; nobody is waited for.
fn power_on() -> Result<Machine> {
    let artifacts = Artifacts::build(&Log::new("image"))?;
    let mut settings: DocumentMut = artifacts.settings.parse().unwrap();
    settings["menu"]["timeout"] = value("0s");
    for (name, well) in [("rivendale", "60m"), ("gondor", "agent")] {
        let personas = settings["persona"].as_array_of_tables_mut().unwrap();
        personas.iter_mut().find(|persona| persona["name"].as_str() == Some(name)).unwrap()["running_well"] = value(well);
    }
    Machine::power_on(&artifacts, &Hardware::standard(), &Scenario::new("counts").durable().settings(&settings.to_string()))
}

fn remembers(machine: &mut Machine, file: &str, line: &str) -> Result<()> {
    let script = format!("grep -x '{line}' /var/lib/persona/{file}.toml");
    machine.wait_until(&format!("{file} remembers {line}"), &script, STEP).map(drop)
}

fn counts() -> Result<()> {
    let mut machine = power_on()?;
    // A guest that gives up early, and two that take the machine along.
    machine.wait_for_legion("running")?;
    machine.wait_for_guest_keyboard()?;
    machine.press(Keyboard::Legion, "p")?;
    machine.wait_for_end("ended")?;
    remembers(&mut machine, "starts", "boots = 1")?;
    assert_eq!(machine.try_run("test -e /var/lib/persona/last.toml")?.status, 1, "it ran, but not well");
    for boots in [2, 3] {
        machine.cut_power_and_boot("")?;
        assert_eq!(machine.wait_for_choice()?, "persona = \"rivendale\"\nreason = \"timeout\"\n");
        remembers(&mut machine, "starts", &format!("boots = {boots}"))?;
        machine.wait_for_legion("running")?;
    }

    machine.cut_power_and_boot("")?;
    machine.wait_for_menu()?;
    machine.wait_for_keyboards(2)?;
    let passed_over = "rivendale is passed over: it did not run well in 3 boots in a row";
    let story = machine.run("journalctl -b -t persona -o cat")?;
    assert!(story.contains(passed_over) && !story.contains("choice: "), "{story}");
    let status = machine.ssh("persona status")?;
    assert!(status.contains(&format!("in vain   {passed_over}\n")) && status.contains("choice    none yet\n"), "{status}");
    assert!(machine.ssh("persona list")?.lines().any(|line| line.starts_with("rivendale ") && line.contains("  default, passed over")));
    let findings = machine.try_ssh("persona doctor")?;
    assert!(findings.stdout.contains(passed_over), "{findings:?}");

    // A person is asked nothing and told nothing.
    machine.press(Keyboard::Host, "ret")?;
    assert_eq!(machine.wait_for_choice()?, "persona = \"rivendale\"\nreason = \"picked\"\n");
    machine.wait_for_legion("running")?;
    remembers(&mut machine, "starts", "boots = 4")?;
    // Stopped before it could show how it runs: that start is none.
    machine.ssh("persona switch gondor")?;
    remembers(&mut machine, "starts", "boots = 3")?;
    machine.wait_until("gondor runs well", "persona status --json | grep '\"runs_well\": true'", STEP)?;
    // The menu hears of it while the guest runs.
    remembers(&mut machine, "last", "persona = \"gondor\"")?;
    machine.wait_until("nothing is held against gondor", "! grep gondor /var/lib/persona/starts.toml", STEP)?;

    // Whoever names a persona wants it tried.
    assert!(machine.ssh("persona default rivendale")?.contains("Rivendale starts when nobody picks."));
    assert_eq!(machine.try_run("test -e /var/lib/persona/starts.toml")?.status, 1);
    machine.ssh("persona default last")?;
    machine.cut_power_and_boot("")?;
    assert_eq!(machine.wait_for_choice()?, "persona = \"gondor\"\nreason = \"timeout\"\n");
    Ok(())
}

#[test]
fn a_default_that_never_runs_well_is_passed_over_and_can_be_picked() {
    trial(counts);
}
