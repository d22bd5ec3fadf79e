//! The power is cut at ten moments between the menu and a running guest. Whatever the moment, an override for one boot starts its persona
//! in no boot after one that has launched it, and in every boot until then.
//!
//! Each moment is a saved machine that goes on and whose QEMU is then killed. What the next boot would start is judged on the disk that
//! was left; for two of the moments a real boot says so, too.

use crate::common::{change_settings, is_chosen};
use crate::profiles::MENU;
use persona::error::{Context, Result};
use persona_machine::{Artifacts, LeftDisk, Machine, Origin, Profile, STEP};
use serde_json::Value;
use std::sync::Mutex;
use toml_edit::value;

const OVERRIDE: &str = "/var/lib/persona/override.toml";

/// Waits for the moment (`$1`), and then stands everything still that Persona does, so that what is looked at is what the cut finds.
const CUT: &str = r#"
moment=$1
slice=/sys/fs/cgroup/system.slice
phase() { phase=; { read -r phase < $2; } 2> /dev/null; [ "$phase" = "phase = \"$1\"" ]; }
has_come() {
    case $moment in
        menu) [ -e /run/persona/menu.toml ] || [ -e $slice/persona-menu.service ] ;;
        choice) [ -e /run/persona/choice.toml ] ;;
        preparing) phase preparing /run/persona/legion.toml ;;
        bound) [ -e /run/persona/bound.toml ] ;;
        inserting) phase inserting /run/persona/legion.toml ;;
        # Until the first launch it is empty.
        inserted) [ -L /var/lib/legion/slot ] ;;
        used) [ ! -e /var/lib/persona/override.toml ] ;;
        qemu) [ -S /run/persona/legion.qmp ] ;;
        running) phase running /run/persona/legion/report.toml ;;
        drawn) grep -q drawn /run/cartridges/report.jsonl 2> /dev/null ;;
    esac
}
stand_still() { for unit in persona-menu legion; do [ ! -e $slice/$unit.service ] || echo 1 > $slice/$unit.service/cgroup.freeze; done; }
# It is in no hurry until there is a choice, nor for what lasts: looking all the time would slow down the guest.
is_short() { case $moment in running | drawn) false ;; *) [ -e /run/persona/choice.toml ] ;; esac; }
until has_come; do is_short || sleep 0.05; done
stand_still
# What a choice starts may come into being only now.
[ ! -e /run/persona/choice.toml ] || until [ -e $slice/legion.service ]; do :; done
stand_still
echo $moment > /run/cut-here
"#;

const MOMENTS: [&str; 10] = ["menu", "choice", "preparing", "bound", "inserting", "inserted", "used", "qemu", "running", "drawn"];

/// Moments before and after the override is used up, after which the machine really boots.
const BOOTED: [&str; 2] = ["bound", "running"];

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

/// A boot whose menu has yet to begin, with an override that was set a boot ago and is long on the disk. It starts at once.
static SET: Profile = Profile {
    name: "set",
    origin: Origin::State(&MENU),
    prepare: |machine| {
        change_settings(machine, |settings| {
            settings["menu"]["timeout"] = value("0s");
            settings["menu"]["default"] = value("host");
        })?;
        machine.run("systemctl stop persona-menu.service; rm -f /run/persona/menu.toml /run/persona/choice.toml")?;
        machine.run(&format!("cat > /run/cut << 'END_OF_CUT'\n{CUT}\nEND_OF_CUT"))?;
        machine.run(&format!("echo 'persona = \"gondor\"' > {OVERRIDE}; sync")).map(drop)
    },
    making: Mutex::new(()),
    source: concat!(include_str!("cuts.rs"), include_str!("common.rs")),
};

/// Brings a machine in which the override is set to the moment.
fn bring(machine: &mut Machine, moment: &str) -> Result<Found> {
    machine.run(&format!("systemd-run --quiet --unit=cut sh /run/cut {moment}; systemctl start --no-block persona-menu.service"))?;
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

/// Nothing is half done on the disk: what is remembered can be read, the slot is empty or holds a cartridge, and the override is there
/// or not as it must be.
fn judge(disk: &LeftDisk, moment: &str, found: Found) -> Result<()> {
    let list: Value = serde_json::from_str(&disk.persona(&["list", "--json"])?).context(|| "reading persona list".to_owned())?;
    let next: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .filter(|persona| persona["next"] == true)
        .map(|persona| persona["name"].as_str().unwrap())
        .collect();
    match found {
        Found::Set => assert_eq!(next, ["gondor"], "{moment}: what was not launched is not lost"),
        Found::Launched => assert_eq!(next, [""; 0], "{moment}: what was launched is not launched again"),
        Found::Between => assert!(next.is_empty() || next == ["gondor"], "{moment}: {next:?}"),
    }
    let status: Value = serde_json::from_str(&disk.persona(&["status", "--json"])?).context(|| "reading persona status".to_owned())?;
    assert!(status["settings_trouble"].is_null(), "{moment}: {status:#}");
    match disk.link("/var/lib/legion/slot") {
        None => {}
        Some(target) => assert_eq!(target, "cartridges/gondor", "{moment}"),
    }
    for file in disk.files("/var/lib/persona")? {
        // Locks are empty, and what was not finished is tidied up by the next writer.
        if file.extension().is_some_and(|ending| ending == "toml") {
            let text = std::fs::read_to_string(&file).context(|| format!("reading {}", file.display()))?;
            let is_whole = text.parse::<toml_edit::DocumentMut>().is_ok_and(|record| !record.is_empty());
            assert!(is_whole, "{moment}: {} holds {text:?}", file.display());
        }
    }
    Ok(())
}

pub(crate) fn cuts(artifacts: &Artifacts) -> Result<()> {
    for moment in MOMENTS {
        let mut machine = SET.restore(artifacts, &format!("cut-{moment}"))?;
        let found = bring(&mut machine, moment)?;
        machine.cut_power();
        judge(&LeftDisk::of(&machine, artifacts)?, moment, found)?;
        if BOOTED.contains(&moment) {
            machine.cut_power_and_boot("")?;
            let (persona, reason) = if found == Found::Launched { ("host", "timeout") } else { ("gondor", "override") };
            is_chosen(&mut machine, persona, reason)?;
        }
    }
    Ok(())
}
