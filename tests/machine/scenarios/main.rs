//! All that is tested on a machine that boots. `cargo test -p persona-machine --test scenarios -- NAME` runs those whose names
//! contain the word.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod console;
mod counts;
mod cuts;
mod doubt;
mod early;
mod ends;
mod legion;
mod libvirt;
mod overrides;
mod passthrough;
mod pick;
mod plain;
mod profiles;
mod remote;
mod switching;
mod units;

use persona_machine::{Artifacts, Case, ImageKind, run};
use std::io::Write;
use std::process::ExitCode;

/// One lane begins at the top, with what starts from saved machines and makes them; the other at the bottom, with what boots. Short
/// ones are in the middle, so that both end at about the same time.
const CASES: &[Case] = &[
    case("pick", pick::a_pick),
    case("override", overrides::an_override),
    case("counts", counts::counts),
    case("power-cuts", cuts::cuts),
    case("libvirt", libvirt::domain),
    case("units", units::container),
    case("switching", switching::from_afar),
    case("passthrough-races", passthrough::races_and_losses),
    case("console-gamepad", console::launch),
    case("legion-tpm", legion::tpm),
    case("legion-disks", legion::disks),
    case("remote", remote::remote),
    case("console-keys", console::keys),
    case("legion-pinned", legion::pinned),
    case("passthrough-in-use", passthrough::taken_while_in_use),
    case("doubt-no-cartridge", doubt::no_cartridge),
    case("doubt-no-keyboard", doubt::no_keyboard),
    case("console-ends", console::ends),
    case("end-restart-panic", ends::restart_and_panic),
    case("end-supervisor-killed", ends::supervisor_killed),
    case("end-stop-ladder", ends::stop_ladder),
    case("end-qemu-killed", ends::qemu_killed),
    case("end-forced", ends::forced),
    case("contained", legion::contained),
    case("menu-killed", console::killed),
    case("passthrough-shared-group", passthrough::shared_group),
    case("bare-initramfs", early::without_our_part),
    case("doubt-no-iommu", doubt::no_iommu),
    case("doubt-settings", doubt::unreadable_settings),
    case("settles-busybox", |artifacts| early::settles(artifacts, ImageKind::Busybox)),
    case("settles-systemd", |artifacts| early::settles(artifacts, ImageKind::Systemd)),
    case("doubt-no-card", doubt::no_card),
    case("early-emergency", |artifacts| early::emergency(artifacts, ImageKind::Busybox, "root=/dev/nope")),
    case("early-emergency-systemd", |artifacts| early::emergency(artifacts, ImageKind::Systemd, NO_ROOT)),
    case("early-break", |artifacts| early::emergency(artifacts, ImageKind::Busybox, "break=premount")),
    case("early-busybox", |artifacts| early::lives_on(artifacts, ImageKind::Busybox)),
    case("early-systemd", |artifacts| early::lives_on(artifacts, ImageKind::Systemd)),
    case("console-screens", console::screens),
    case("passthrough-four-functions", passthrough::a_card_of_four_functions),
    case("plain-busybox", |artifacts| plain::boots(artifacts, ImageKind::Busybox)),
    case("plain-systemd", |artifacts| plain::boots(artifacts, ImageKind::Systemd)),
];

/// systemd waits for the device twenty seconds, not ninety: the menu is on the screen by then.
const NO_ROOT: &str = "root=/dev/nope rootflags=x-systemd.device-timeout=20";

const fn case(name: &'static str, run: fn(&Artifacts) -> persona::error::Result<()>) -> Case {
    Case { name, run }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for case in CASES {
            let _ = writeln!(std::io::stdout(), "{}: test", case.name);
        }
        return ExitCode::SUCCESS;
    }
    let only: Vec<String> = arguments.into_iter().filter(|argument| !argument.starts_with("--")).collect();
    match run(CASES, &only, &mut std::io::stdout()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("scenarios: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
