//! What is refused, what comes along, and when things are taken.

use super::{Settings, at, listing, read, reference, settings};
use persona::config::BindTime;
use persona::passthrough::{Function, HostUse, Machine, Plan, PlanStage, Refusal, Step, Vfio};
use std::sync::LazyLock;

const CARD: &str = "0000:0a:00.0";
const USB: &str = "0000:0c:00.3";
const NVME: &str = "0000:01:00.0";
const NIC: &str = "0000:05:00.0";
const DISPLAY: &str = "0000:09:00.0";

/// The reference machine, changed.
fn machine(change: impl FnOnce(&mut Machine)) -> Machine {
    static REFERENCE: LazyLock<Machine> = LazyLock::new(|| read(&reference().1));
    let mut machine = REFERENCE.clone();
    change(&mut machine);
    machine
}

fn function<'a>(machine: &'a mut Machine, address: &str) -> &'a mut Function {
    machine.functions.get_mut(&at(address)).unwrap()
}

fn move_function(machine: &mut Machine, from: &str, to: &str) {
    let mut function = machine.functions.remove(&at(from)).unwrap();
    function.address = at(to);
    machine.functions.insert(function.address, function);
}

/// The only reason why the launch is refused; nothing is done then.
fn refusal(settings: &Settings, machine: &Machine) -> Refusal {
    let plan = Plan::new(settings, machine, PlanStage::Launch);
    assert!(plan.bind.is_empty() && plan.steps.is_empty(), "{plan:#?}");
    assert_eq!(plan.refused.len(), 1, "{:#?}", plan.refused);
    assert!(plan.refused[0].hint.is_some(), "{:#?}", plan.refused);
    plan.refused[0].clone()
}

/// Its code.
fn refused(settings: &Settings, machine: &Machine) -> &'static str {
    refusal(settings, machine).code
}

#[test]
fn every_reason_has_a_code_and_names_the_device_in_words() {
    let pinned = settings(&format!("[[legion.passthrough]]\ndevice = \"{CARD}\"\nid = \"10de:1e84\"\nlabel = \"RTX\""));
    let none = |_: &mut Machine| ();
    // What a person must be able to read: the device, what it is, and what it is needed for or takes part in.
    let cases: [(Settings, Machine, &str, &[&str]); 12] = [
        (listing(&[NVME]), machine(none), "disk-used-by-host", &["NVMe disk 0000:01:00.0", "/", "swap"]),
        (listing(&[NIC]), machine(none), "network-used-by-host", &["network card 0000:05:00.0", "enp5s0"]),
        (listing(&["0000:0e:00.0"]), machine(none), "device-missing", &["0000:0e:00.0"]),
        (listing(&["0000:00:03.2"]), machine(none), "device-is-bridge", &["bridge 0000:00:03.2"]),
        (
            pinned.clone(),
            machine(|machine| function(machine, CARD).id = "1002:67ef".parse().unwrap()),
            "device-differs",
            &["0000:0a:00.0", "VGA controller 1002:67ef", "10de:1e84", "RTX"],
        ),
        (
            pinned.clone(),
            machine(|machine| move_function(machine, CARD, "0000:0e:00.0")),
            "device-moved",
            &["0000:0a:00.0", "RTX", "0000:0e:00.0"],
        ),
        (
            pinned.clone(),
            machine(|machine| {
                move_function(machine, CARD, "0000:0e:00.0");
                let twin = Function { address: at("0000:0d:00.0"), ..function(machine, "0000:0e:00.0").clone() };
                machine.functions.insert(twin.address, twin);
            }),
            "device-missing",
            &["0000:0a:00.0", "RTX"],
        ),
        (
            pinned.clone(),
            machine(|machine| function(machine, NVME).iommu_group = Some(25)),
            "disk-used-by-host",
            &["NVMe disk 0000:01:00.0", "IOMMU group 25 of 0000:0a:00.0", "RTX", "/", "swap"],
        ),
        (
            pinned.clone(),
            machine(|machine| function(machine, "0000:0a:00.1").iommu_group = None),
            "iommu-group-missing",
            &["audio device 0000:0a:00.1", "RTX"],
        ),
        (
            settings(&format!("[menu]\ndisplay = \"{DISPLAY}\"\n[[legion.passthrough]]\ndevice = \"0000:09:00.1\"")),
            machine(none),
            "device-draws-menu",
            &["VGA controller 0000:09:00.0"],
        ),
        (
            settings(&format!("[menu]\ndisplay = \"0000:0e:00.0\"\n[[legion.passthrough]]\ndevice = \"{CARD}\"")),
            machine(none),
            "menu-card-missing",
            &["0000:0e:00.0"],
        ),
        (
            settings(&format!("[[legion.passthrough]]\ndevice = \"{USB}\"\nbind = \"boot\"")),
            machine(none),
            "last-keyboard",
            &["USB controller 0000:0c:00.3"],
        ),
    ];
    for (settings, machine, code, names) in cases {
        let refusal = refusal(&settings, &machine);
        assert_eq!(refusal.code, code);
        assert!(include_str!("../../../docs/json.md").contains(&format!("`{code}`")), "{code} is not in docs/json.md");
        assert!(names.iter().all(|name| refusal.reason.contains(name)), "{names:?}: {}", refusal.reason);
        assert_eq!(Plan::new(&settings, &machine, PlanStage::Launch).reserve, []);
    }
}

#[test]
fn the_only_card_may_be_legions_and_then_there_is_no_menu() {
    let plan = Plan::new(&listing(&[CARD]), &machine(|machine| drop(machine.functions.remove(&at(DISPLAY)))), PlanStage::Launch);
    assert_eq!((plan.refused.len(), plan.display, plan.bind.len()), (0, None, 4));
    assert!(plan.notes.iter().any(|note| note.code == "menu-card-given-away"), "{:?}", plan.notes);
}

#[test]
fn a_moved_device_is_not_the_one_that_another_entry_names() {
    let text = "[[legion.passthrough]]\ndevice = \"0000:0e:00.0\"\nid = \"10de:1e84\"\n[[legion.passthrough]]\ndevice = \"0000:0a:00.0\"";
    assert_eq!(refused(&settings(text), &machine(|_| ())), "device-missing");
}

#[test]
fn a_driver_that_hangs_on_unbind_needs_a_reboot_which_reserves_in_time() {
    for driver in ["nvidia", "nouveau"] {
        let machine = machine(|machine| function(machine, CARD).driver = Some(driver.into()));
        let refusal = refusal(&listing(&[CARD]), &machine);
        assert_eq!((refusal.code, refusal.address, refusal.reboot_helps), ("driver-hangs-on-unbind", Some(at(CARD)), true));
        assert_eq!(Plan::new(&listing(&[CARD]), &machine, PlanStage::Launch).reserve.len(), 4);
        let boot = Plan::new(&listing(&[CARD]), &machine, PlanStage::Boot);
        assert_eq!((boot.reserve.len(), boot.refused.len(), boot.notes.len()), (4, 0, 1));
        let late = settings(&format!("[[legion.passthrough]]\ndevice = \"{CARD}\"\nbind = \"launch\""));
        let refusal = self::refusal(&late, &machine);
        assert_eq!((refusal.code, refusal.reboot_helps), ("driver-hangs-on-unbind", false));
        assert!(refusal.hint.unwrap().contains("bind = \"boot\""), "the setting that would help");
    }
}

#[test]
fn what_the_host_has_not_told_yet_counts_against_storage_and_network_at_launch() {
    let early = |machine: &mut Machine| {
        machine.storage_doubt = Some("the file system at /".into());
        machine.route_is_known = false;
        machine.functions.values_mut().for_each(|function| function.duties.clear());
    };
    assert_eq!(refused(&listing(&[NVME]), &machine(early)), "device-may-hold-root");
    assert_eq!(refused(&listing(&[NIC]), &machine(early)), "device-may-be-route");
    assert_eq!(Plan::new(&listing(&[CARD, USB]), &machine(early), PlanStage::Launch).refused, []);
}

#[test]
fn storage_and_network_are_never_reserved_even_if_the_owner_says_so() {
    let free = |machine: &mut Machine| function(machine, NVME).duties.clear();
    let text = format!("[[legion.passthrough]]\ndevice = \"{NVME}\"\nbind = \"boot\"\n[[legion.passthrough]]\ndevice = \"{CARD}\"");
    let plan = Plan::new(&settings(&text), &machine(free), PlanStage::Boot);
    assert_eq!(plan.reserve.first(), Some(&at(CARD)));
    assert_eq!(plan.bind[0], (at(NVME), BindTime::Launch));
    assert_eq!((plan.notes[0].code, plan.notes[0].address), ("bound-at-launch", Some(at(NVME))));
    // One that merely comes along keeps its whole closure from being reserved.
    let shared = machine(|machine| {
        free(machine);
        function(machine, NVME).iommu_group = Some(25);
    });
    let plan = Plan::new(&listing(&[CARD]), &shared, PlanStage::Boot);
    assert_eq!((plan.reserve.len(), plan.bind.len(), plan.refused.len()), (0, 5, 0));
    assert_eq!((plan.notes[0].code, plan.notes[0].address), ("bound-at-launch", Some(at(CARD))));
    assert!(plan.notes[0].what.contains("NVMe disk 0000:01:00.0"), "the reason: {:?}", plan.notes);
}

#[test]
fn a_slot_is_taken_at_one_time() {
    let machine = machine(|_| ());
    // All four functions listed, as lspci shows them: the USB function goes with the card.
    let all = listing(&["0000:0a:00.2", "0000:0a:00.0", "0000:0a:00.1", "0000:0a:00.3"]);
    assert_eq!(Plan::new(&all, &machine, PlanStage::Boot).reserve.len(), 4);
    let torn = settings(&format!(
        "[[legion.passthrough]]\ndevice = \"{CARD}\"\nbind = \"boot\"\n[[legion.passthrough]]\ndevice = \"0000:0a:00.1\"\nbind = \"launch\""
    ));
    assert_eq!(Plan::new(&torn, &machine, PlanStage::Boot).reserve, []);
    assert_eq!(Plan::new(&torn, &machine, PlanStage::Launch).bind.len(), 4);
}

#[test]
fn overlapping_closures_become_one_and_keep_their_times() {
    let machine = machine(|machine| {
        function(machine, USB).iommu_group = Some(25);
        function(machine, "0000:00:03.2").iommu_group = Some(25);
    });
    let plan = Plan::new(&listing(&["0000:06:00.3", USB, CARD]), &machine, PlanStage::Launch);
    assert_eq!(plan.closures.len(), 2);
    let launch: Vec<_> = plan.bind.iter().filter(|(_, time)| *time == BindTime::Launch).map(|(address, _)| *address).collect();
    assert_eq!(launch, [at("0000:06:00.3"), at(USB)]);
    assert_eq!((plan.bind.len(), plan.reserve.len()), (6, 4));
}

#[test]
fn the_last_usb_controller_stays_while_no_keyboard_is_to_be_seen() {
    let boot = settings(&format!("[[legion.passthrough]]\ndevice = \"{USB}\"\nbind = \"boot\""));
    let before_coldplug = |others: &'static [&str]| {
        machine(move |machine| {
            function(machine, USB).keyboards = 0;
            machine.functions.retain(|address, function| !function.is_usb() || others.iter().any(|other| at(other) == *address));
        })
    };
    assert_eq!(Plan::new(&boot, &before_coldplug(&[USB, "0000:06:00.3"]), PlanStage::Boot).reserve, [at(USB)]);
    let plan = Plan::new(&boot, &before_coldplug(&[USB]), PlanStage::Boot);
    assert!(plan.reserve.is_empty() && plan.refused[0].code == "last-usb-controller");
    // A PS/2 keyboard is left.
    let mut with_ps2 = before_coldplug(&[USB]);
    with_ps2.other_keyboards = 1;
    assert_eq!(Plan::new(&boot, &with_ps2, PlanStage::Boot).reserve, [at(USB)]);
}

#[test]
fn the_menu_gets_a_card_of_the_hosts() {
    let nothing = listing(&[]);
    let chosen = |settings: &Settings, machine: &Machine| Plan::new(settings, machine, PlanStage::Boot).display;
    assert_eq!(chosen(&nothing, &machine(|_| ())), Some(at(CARD)), "the firmware's hint decides among the host's own");
    assert_eq!(chosen(&listing(&[CARD]), &machine(|_| ())), Some(at(DISPLAY)));
    let no_hint = machine(|machine| function(machine, CARD).boot_vga = false);
    assert_eq!(chosen(&nothing, &no_hint), Some(at(DISPLAY)));
    let no_outputs = machine(|machine| {
        function(machine, CARD).boot_vga = false;
        function(machine, DISPLAY).class = 0x030200;
    });
    assert_eq!(chosen(&nothing, &no_outputs), Some(at(CARD)));
    assert_eq!(chosen(&settings("[menu]\ndisplay = \"0000:0e:00.0\""), &no_hint), Some(at("0000:0e:00.0")));
    let headless = machine(|machine| machine.functions.retain(|_, function| !function.is_display()));
    assert_eq!(Plan::new(&nothing, &headless, PlanStage::Boot).refused, []);
}

#[test]
fn vfio_that_cannot_serve_qemu_is_refused() {
    let with = |vfio| machine(|machine| machine.vfio = vfio);
    for (vfio, code) in [
        (Vfio::Absent, "vfio-absent"),
        (Vfio::Replaced, "vfio-modules-replaced"),
        (Vfio::Blocked, "vfio-blocked"),
        (Vfio::WithoutGroups, "vfio-without-groups"),
    ] {
        assert_eq!(refused(&listing(&[CARD]), &with(vfio)), code);
        assert_eq!(Plan::new(&listing(&[CARD]), &with(vfio), PlanStage::Boot).refused, [], "{code}: before coldplug it is not known");
    }
    for vfio in [Vfio::BuiltIn, Vfio::Loaded, Vfio::Loadable, Vfio::Unknown] {
        assert_eq!(Plan::new(&listing(&[CARD]), &with(vfio), PlanStage::Launch).refused, []);
    }
}

#[test]
fn steps_that_would_do_nothing_are_left_out() {
    let ready = machine(|machine| {
        machine.vfio = Vfio::Loaded;
        for number in 0..4 {
            let function = function(machine, &format!("0000:0a:00.{number}"));
            function.driver = Some("vfio-pci".into());
            function.driver_override = Some("vfio-pci".into());
        }
    });
    let plan = Plan::new(&listing(&[CARD]), &ready, PlanStage::Launch);
    assert!(plan.steps.iter().all(|step| matches!(step, Step::Verify(_) | Step::VerifyGroup(_))), "{:?}", plan.steps);
    assert_eq!(plan.steps.len(), 5);
}

#[test]
fn menu_card_in_the_group_of_legions_card_is_refused_at_every_stage() {
    let both = machine(|machine| {
        for address in [DISPLAY, "0000:09:00.1"] {
            function(machine, address).iommu_group = Some(25);
        }
    });
    let refusal = refusal(&listing(&[CARD]), &both);
    assert_eq!((refusal.code, refusal.address), ("menu-card-in-group", Some(at(DISPLAY))));
    assert!(refusal.reason.contains("IOMMU group 25 of 0000:0a:00.0"), "{refusal}");
    let boot = Plan::new(&listing(&[CARD]), &both, PlanStage::Boot);
    assert_eq!((boot.reserve, boot.steps), (vec![], vec![]), "the host keeps its screen at the next boot");
    // Both are listed: that is meant.
    let meant = Plan::new(&listing(&[CARD, DISPLAY]), &both, PlanStage::Launch);
    assert!(meant.refused.is_empty() && meant.notes.iter().any(|note| note.code == "menu-card-given-away"), "{meant:#?}");
}

#[test]
fn a_device_that_hung_in_this_boot_is_left_alone() {
    let machine = machine(|machine| function(machine, USB).hung = true);
    let refusal = refusal(&listing(&[USB]), &machine);
    assert_eq!((refusal.code, refusal.address, refusal.reboot_helps), ("device-hung", Some(at(USB)), true));
}

#[test]
fn a_mounted_disk_below_a_usb_controller_is_refused() {
    let machine = machine(|machine| function(machine, USB).duties.push(HostUse::Mount("/".into())));
    let refusal = refusal(&listing(&[USB]), &machine);
    assert_eq!((refusal.code, refusal.address), ("disk-used-by-host", Some(at(USB))));
}

#[test]
fn what_was_needed_when_the_initramfs_was_built_is_not_reserved() {
    let settings = settings(&format!("[[legion.passthrough]]\ndevice = \"{USB}\"\nbind = \"boot\""));
    let plan = |id: &str| {
        let (_folder, tree) = reference();
        let needs = format!("[[device]]\naddress = \"{USB}\"\nid = \"{id}\"\nwhy = \"holds the file system at /\"\n");
        tree.file("etc/persona/needs.toml", &needs);
        tree.input("virtual/../platform/i8042/serio0/input/input1", true);
        Plan::new(&settings, &read(&tree), PlanStage::Boot)
    };
    let kept = plan("1022:149c");
    assert_eq!(kept.reserve, []);
    assert_eq!((kept.refused[0].code, kept.refused[0].address), ("device-used-by-host", Some(at(USB))));
    // Another device is there now: what was written down says nothing about it.
    assert!(plan("1022:43ee").reserve.contains(&at(USB)));
}

#[test]
fn duties_are_told_as_a_person_would() {
    let mount = |point: &str| HostUse::Mount(point.into());
    let words = |duties: &[HostUse]| HostUse::in_words(duties);
    assert_eq!(
        words(&[mount("/"), mount("/boot"), mount("/home"), HostUse::Swap]),
        "holds the file systems at /, /boot and /home and the swap space"
    );
    assert_eq!(words(&[HostUse::Swap]), "holds the swap space");
    assert_eq!(
        words(&[mount("/srv"), HostUse::DefaultRoute("eno1".into())]),
        "holds the file system at /srv and carries the default route (eno1)"
    );
}

#[test]
fn the_menu_may_move_to_any_card_that_is_not_legions() {
    const SPARE: &str = "0000:0b:00.0";
    let machine = machine(|machine| {
        let spare = Function { address: at(SPARE), boot_vga: false, ..machine.functions[&at(DISPLAY)].clone() };
        machine.functions.insert(at(SPARE), spare);
    });
    let plan = |settings: &Settings| Plan::new(settings, &machine, PlanStage::Launch);
    let displays = plan(&listing(&[CARD])).displays;
    assert!(displays.contains(&at(DISPLAY)) && displays.contains(&at(SPARE)) && !displays.contains(&at(CARD)), "{displays:?}");
    assert_eq!(plan(&listing(&[CARD])).display, displays.first().copied());
    assert_eq!(plan(&settings(&format!("[menu]\ndisplay = \"{SPARE}\""))).displays, [at(SPARE)], "the owner has said where");
}

#[test]
fn usb_controller_is_not_reserved_on_less_knowledge_than_a_launch_has() {
    let wished =
        settings(&format!("[[legion.passthrough]]\ndevice = \"{USB}\"\nbind = \"boot\"\n[[legion.passthrough]]\ndevice = \"{CARD}\""));
    let reserved = |needs_are_known: bool| {
        let machine = machine(|machine| {
            machine.needs_are_known = needs_are_known;
            machine.other_keyboards = 1;
        });
        Plan::new(&wished, &machine, PlanStage::Boot).reserve
    };
    assert!(reserved(true).contains(&at(USB)) && reserved(true).contains(&at(CARD)));
    assert!(!reserved(false).contains(&at(USB)), "a disk may be below it");
    assert!(reserved(false).contains(&at(CARD)), "its own USB controller is no place for the host's disk");
}
