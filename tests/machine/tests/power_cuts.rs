//! The power is cut at ten moments between the menu and a running guest, and whatever the moment, an override for one boot starts its
//! persona in no boot after one that has launched it, and in every boot until then. One machine, whose disk lives on.
#![allow(clippy::unwrap_used, clippy::panic)]

use persona::error::Result;
use persona_machine::{Artifacts, Hardware, Log, Machine, STEP, Scenario, trial};
use toml_edit::{DocumentMut, value};

const OVERRIDE: &str = "/var/lib/persona/override.toml";

/// Watches from before the menu for the moment that the kernel command line names (`cut=...`), and then stands everything still that
/// Persona does, so that what is looked at is what the cut finds. It is in no hurry until there is a choice.
const CUT: &str = r#"
read -r words < /proc/cmdline
moment=
for word in $words; do case $word in cut=*) moment=${word#cut=} ;; esac; done
[ -n "$moment" ] || exit 0
slice=/sys/fs/cgroup/system.slice
phase() { phase=; { read -r phase < /run/persona/legion.toml; } 2> /dev/null; [ "$phase" = "phase = \"$1\"" ]; }
has_come() {
    case $moment in
        menu) [ -e /run/persona/menu.toml ] || [ -e $slice/persona-menu.service ] ;;
        choice) [ -e /run/persona/choice.toml ] ;;
        preparing) phase preparing ;;
        bound) [ -e /run/persona/bound.toml ] ;;
        inserting) phase inserting ;;
        # Until the first launch it is empty.
        inserted) [ -L /var/lib/legion/slot ] ;;
        used) [ ! -e /var/lib/persona/override.toml ] ;;
        qemu) [ -S /run/persona/legion.qmp ] ;;
        running) phase running ;;
        drawn) grep -q drawn /run/persona/report.jsonl 2> /dev/null ;;
    esac
}
stand_still() { for unit in persona-menu legion; do [ ! -e $slice/$unit.service ] || echo 1 > $slice/$unit.service/cgroup.freeze; done; }
until has_come; do [ -e /run/persona/choice.toml ] || sleep 0.05; done
stand_still
# What a choice starts may come into being only now.
[ ! -e /run/persona/choice.toml ] || until [ -e $slice/legion.service ]; do :; done
stand_still
echo $moment > /run/cut-here
"#;

const UNIT: &str = "[Unit]\nDefaultDependencies=no\nAfter=local-fs.target\nBefore=persona-menu.service legion.path legion.service\n\
    [Service]\nType=forking\nExecStart=/bin/sh -c '/bin/sh /etc/cut & :'\n[Install]\nWantedBy=sysinit.target\n";

fn power_on() -> Result<Machine> {
    let artifacts = Artifacts::build(&Log::new("image"))?;
    let mut settings: DocumentMut = artifacts.settings.parse().unwrap();
    settings["menu"]["timeout"] = value("0s");
    settings["menu"]["default"] = value("host");
    let enable = "mkdir -p /etc/systemd/system/sysinit.target.wants; ln -s ../cut.service /etc/systemd/system/sysinit.target.wants/";
    let scenario = Scenario::new("cuts").durable().settings(&settings.to_string());
    let scenario = scenario.file("/etc/cut", CUT).file("/etc/systemd/system/cut.service", UNIT).script(enable);
    Machine::power_on(&artifacts, &Hardware::standard(), &scenario)
}

/// In an order in which no more than three boots in a row begin a launch: after those the override would be passed over.
const MOMENTS: [&str; 10] = ["menu", "inserted", "used", "choice", "bound", "qemu", "preparing", "inserting", "running", "drawn"];

/// What the cut at a moment finds. It may come a little late for the moment; what it must lead to goes by what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// The override's file is there.
    Set,
    /// It is gone, and QEMU not started: whether the disk knows of it already, the next boot tells.
    Between,
    /// QEMU was started.
    Launched,
}

fn at(machine: &mut Machine, moment: &str) -> Result<Found> {
    machine.wait_until(&format!("the moment: {moment}"), "cat /run/cut-here", STEP)?;
    let is_set = machine.try_run(&format!("test -e {OVERRIDE}"))?.status == 0;
    let is_launched = machine.try_run("pgrep qemu-system > /dev/null")?.status == 0;
    assert!(!(is_set && is_launched), "{moment}: launched, and to be launched again");
    let found = if is_set {
        Found::Set
    } else if is_launched {
        Found::Launched
    } else {
        Found::Between
    };
    machine.log().step(format!("{moment}: {found:?}"));
    match moment {
        "menu" | "choice" => assert_eq!(found, Found::Set, "{moment}: nothing was begun"),
        "qemu" | "running" | "drawn" => assert_eq!(found, Found::Launched, "{moment}"),
        _ => {}
    }
    Ok(found)
}

/// Nothing is half done: what is remembered can be read, and the slot is empty or holds a cartridge.
fn is_whole(machine: &mut Machine) -> Result<()> {
    let told = machine.run("persona next 2>&1; persona list 2>&1; persona status 2>&1")?;
    assert!(!told.contains("understanding"), "{told}");
    machine.run("test ! -L /var/lib/legion/slot || test -f /var/lib/legion/slot/disk.raw").map(drop)
}

fn cuts() -> Result<()> {
    let mut machine = power_on()?;
    let by_override = "persona = \"gondor\"\nreason = \"override\"\n";
    let by_default = "persona = \"host\"\nreason = \"timeout\"\n";
    assert_eq!(machine.wait_for_choice()?, by_default);
    // That it was set a moment ago is no reason to lose it, either.
    machine.run("persona next gondor")?;
    for moment in MOMENTS {
        machine.cut_power_and_boot(&format!("cut={moment}"))?;
        let found = at(&mut machine, moment)?;
        if moment != "menu" {
            assert_eq!(machine.wait_for_choice()?, by_override, "{moment}");
            is_whole(&mut machine)?;
        }
        // The next moment's boot, or this one, tells that it is still set.
        if found == Found::Set && moment != "drawn" {
            continue;
        }
        machine.cut_power_and_boot("")?;
        let choice = machine.wait_for_choice()?;
        assert!(choice == by_default || (found == Found::Between && choice == by_override), "after {moment}, {found:?}: {choice}");
        is_whole(&mut machine)?;
        machine.run("persona next gondor")?;
    }
    Ok(())
}

#[test]
fn an_override_starts_in_every_boot_until_it_was_launched_and_in_none_after() {
    trial(cuts);
}
