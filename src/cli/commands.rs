//! The table of commands.

use super::cartridge::CARTRIDGE;
use super::given::{Words, boot, described, one_of, path, text};
use super::table::{Argument, BARE, Choice, Entry, Group, Need, Takes, Then, flag, may, must, option};
use super::{Command, MenuTask};
use crate::boot_log::journal::Boots;
use crate::commands::preview::{Preview, size};
use crate::commands::preview::{Protocol, State};

const JSON: Choice = flag("--json", "For programs: JSON, stable");
const PERSONA_OR_DEFAULT: Argument = may("NAME", "The persona; the default if left out");

/// `persona` itself; its options are those of all commands.
pub(super) static PERSONA: Entry = Entry {
    name: "persona",
    about: "One PC, one virtual machine, a menu of cartridges: a boot-time console for VFIO passthrough",
    options: &[
        option("--root", "DIR", "Look at the machine recorded under DIR instead of this one"),
        option("--config", "FILE", "Read the settings from FILE"),
        flag("--verbose", "Say more; twice: everything").short('v').takes(Takes::Again),
        flag("--help", "Print this, or the help of a command").short('h'),
        flag("--version", "Print the version").short('V'),
    ],
    then: Then::One(&[
        Group { title: "Every day", commands: DAILY },
        Group { title: "Look, and change nothing", commands: LOOK },
        Group { title: "Make", commands: &[CARTRIDGE, PIN] },
        Group { title: "Run by the units and in the initramfs", commands: UNITS },
        Group { title: "", commands: &[WRITE_ATTRIBUTES, COMPLETE] },
    ]),
    exits: &[
        ("0", "done"),
        ("1", "it could not be done; the message says why"),
        ("2", "wrong usage or bad settings"),
        ("doctor", "0 well, 1 warnings, 2 broken"),
    ],
    ..BARE
};

const DAILY: &[Entry] = &[
    Entry {
        name: "list",
        about: "The personas: which is the default, which is next, which runs",
        more: "Next is the one that was set for the next boot.",
        options: &[JSON],
        then: Then::Do(|given| Ok(Command::List(given.output()))),
        ..BARE
    },
    Entry {
        name: "status",
        about: "What was chosen and why, devices and drivers, what legion is doing",
        options: &[JSON, flag("--watch", "Tell it again whenever something changes, until Ctrl-C; with --json one line for each change")],
        then: Then::Do(|given| Ok(Command::Status { output: given.output(), watch: given.flag("--watch") })),
        ..BARE
    },
    Entry {
        name: "log",
        about: "The story of this boot and of earlier ones, step by step",
        more: "From the journal: what was chosen and why, how long each step took, how it ended, what went wrong.",
        options: &[
            option("--boot", "N", "The boot: 0 is this one, -1 the one before it").default("0"),
            flag("--all", "All boots that the journal knows, a line for each run").not_with(&["--boot"]),
            JSON,
        ],
        then: Then::Do(|given| {
            let boots = if given.flag("--all") { Boots::All } else { Boots::One(given.must("--boot", boot)?) };
            Ok(Command::Log(boots, given.output()))
        }),
        ..BARE
    },
    Entry {
        name: "start",
        about: "Start legion, as the persona chosen last or the named one",
        more: "Returns once the guest runs.",
        arguments: &[may("NAME", "The persona; the one chosen last in this boot if left out, or else the default")],
        then: Then::Do(|given| Ok(Command::Start(given.value("NAME", text)?))),
        ..BARE
    },
    Entry {
        name: "stop",
        about: "Stop legion: power button, again, plug, as the settings say",
        more: "Returns once legion's devices are back.",
        options: &[flag(
            "--force",
            "Pull the plug at once, also while somebody else starts or stops legion: the guest has no time to shut down, its disk is \
             flushed all the same",
        )],
        then: Then::Do(|given| Ok(Command::Stop { force: given.flag("--force") })),
        ..BARE
    },
    Entry {
        name: "switch",
        about: "Stop legion and start it as another persona, without a reboot",
        arguments: &[must("NAME", "The persona")],
        then: Then::Do(|given| Ok(Command::Switch(given.must("NAME", text)?))),
        ..BARE
    },
    Entry {
        name: "choose",
        about: "Decide now in the menu that is on the screen",
        more: "As if picked at its keyboard, whatever it counts down; nobody is asked for a PIN.",
        arguments: &[must("NAME", "The persona")],
        then: Then::Do(|given| Ok(Command::Choose(given.must("NAME", text)?))),
        ..BARE
    },
    Entry {
        name: "hold",
        about: "Stop the countdown of the menu that is on the screen",
        more: "It waits then until somebody picks or chooses.",
        then: Then::Do(|_| Ok(Command::Hold)),
        ..BARE
    },
    Entry {
        name: "next",
        about: "Set the persona for the next boot",
        more: "It wins over the default, once. Without a name, tells which one is set, and by whom.",
        arguments: &[Argument { name: "NAME", help: "The persona", need: Need::MayOr("--clear") }],
        options: &[flag("--until-cleared", "For every boot, until cleared").not_with(&["--clear"]), flag("--clear", "The default again")],
        then: Then::Do(|given| {
            if given.flag("--clear") {
                return Ok(Command::Clear);
            }
            let until_cleared = given.flag("--until-cleared");
            let name = if until_cleared { Some(given.must("NAME", text)?) } else { given.value("NAME", text)? };
            Ok(Command::Next(name.map(|name| (name, until_cleared))))
        }),
        ..BARE
    },
    Entry {
        name: "default",
        about: "Change the persona that starts when nobody picks",
        more: "Changes `default` in the settings file and nothing else there: comments, order and line endings stay. Without a \
               name, tells which one it is.",
        arguments: &[may("NAME", "The persona, or `last`: the one that last ran well")],
        then: Then::Do(|given| Ok(Command::Default(given.value("NAME", text)?))),
        ..BARE
    },
];

const LOOK: &[Entry] = &[
    Entry {
        name: "plan",
        about: "Every step a boot and a launch would take",
        more: "Changes nothing. QEMU's command line is part of it.",
        arguments: &[PERSONA_OR_DEFAULT],
        options: &[JSON],
        then: Then::Do(|given| Ok(Command::Plan(given.value("NAME", text)?, given.output()))),
        ..BARE
    },
    Entry {
        name: "doctor",
        about: "The machine against the settings, each finding with its hint",
        options: &[JSON],
        then: Then::Do(|given| Ok(Command::Doctor(given.output()))),
        exits: &[("0", "well"), ("1", "warnings"), ("2", "broken")],
        ..BARE
    },
    Entry {
        name: "detect",
        about: "Look at this machine and print a settings file for it",
        then: Then::Do(|_| Ok(Command::Detect)),
        ..BARE
    },
    Entry {
        name: "preview",
        about: "The menu's very pixels as a PNG, or all of it live in a terminal",
        arguments: &[may("NAME", "The persona that is highlighted; the default if left out")],
        options: &[
            option("--state", "STATE", "What goes on in the menu").default("countdown").words(|| described(STATES)),
            option("--size", "WIDTHxHEIGHT", "The screen's size in pixels").default("1920x1080"),
            option("--out", "FILE", "The PNG to write; standard output if left out"),
            flag("--text", "The menu as it is on a console without a usable card, in letters").not_with(&["--size", "--out"]),
            flag(
                "--live",
                "The whole menu in this terminal, driven by the keyboard, with launches that only go by; `q` ends it. \
                 How it is shown is asked of the terminal, or forced: --live=kitty",
            )
            .takes(Takes::Perhaps("HOW"))
            .not_with(&["--size", "--out", "--text", "--state"])
            .words(|| described(PROTOCOLS)),
        ],
        then: Then::Do(|given| {
            Ok(Command::Preview(Preview {
                name: given.value("NAME", text)?,
                state: given.must("--state", one_of(STATES))?,
                size: given.must("--size", |value| size(&text(value)?))?,
                out: given.value("--out", path)?,
                text: given.flag("--text"),
                live: given.has("--live").then(|| given.value("--live", one_of(PROTOCOLS))).transpose()?,
            }))
        }),
        ..BARE
    },
    Entry {
        name: "export",
        about: "legion for other programs: the domain XML of libvirt",
        then: Then::One(&[Group { title: "Commands", commands: &[LIBVIRT] }]),
        ..BARE
    },
];

const LIBVIRT: Entry = Entry {
    name: "libvirt",
    about: "The domain XML that `virsh define` takes",
    more: "It makes the machine that QEMU's command line makes.",
    arguments: &[PERSONA_OR_DEFAULT],
    then: Then::Do(|given| Ok(Command::Libvirt(given.value("NAME", text)?))),
    ..BARE
};

const PIN: Entry = Entry {
    name: "pin",
    about: "Ask for a PIN and print its line for the settings",
    options: &[option("--check", "NAME", "Only tell whether it is that persona's PIN: exit code 0, or 1 if it is not")],
    then: Then::Do(|given| Ok(Command::Pin { check: given.value("--check", text)? })),
    ..BARE
};

const UNITS: &[Entry] = &[
    Entry {
        name: "needs",
        about: "What this host cannot do without, for `reserve` to know",
        more: "Run when the initramfs is built.",
        then: Then::Do(|_| Ok(Command::Needs)),
        ..BARE
    },
    Entry {
        name: "reserve",
        about: "Keep host drivers off the passthrough devices",
        more: "Run in the initramfs, before coldplug.",
        then: Then::Do(|_| Ok(Command::Reserve)),
        ..BARE
    },
    Entry {
        name: "menu",
        about: "Show the menu and write the choice",
        more: "Run by persona-menu.service as root.",
        options: &[
            flag("--restore-console", "Give the console back after a menu that was killed, and do nothing else"),
            Choice {
                not_with: &["--restore-console"],
                ..flag("--host", "Tell a menu that began in the initramfs that the host's file systems are there")
            },
        ],
        then: Then::Do(|given| {
            Ok(Command::Menu(match (given.flag("--restore-console"), given.flag("--host")) {
                (true, _) => MenuTask::RestoreConsole,
                (_, true) => MenuTask::HostIsThere,
                _ => MenuTask::Show,
            }))
        }),
        ..BARE
    },
    Entry {
        name: "prepare",
        about: "Bind and verify the devices and insert the cartridge",
        more: "Run by legion.service as root.",
        options: &[flag("--is-wanted", "Only tell whether the choice is one that legion runs: exit code 0, or 1 for one that it does not")],
        then: Then::Do(|given| Ok(Command::Prepare { is_wanted: given.flag("--is-wanted") })),
        ..BARE
    },
    Entry {
        name: "run",
        about: "Run legion until it ends",
        more: "Run by legion.service as the user legion.",
        then: Then::Do(|_| Ok(Command::Run)),
        ..BARE
    },
    Entry {
        name: "release",
        about: "Give launch-time devices back to the host",
        more: "Run by legion.service as root.",
        then: Then::Do(|_| Ok(Command::Release)),
        ..BARE
    },
];

const WRITE_ATTRIBUTES: Entry = Entry {
    name: "write-attributes",
    about: "Write the sysfs attributes named on stdin",
    more: "Persona runs it with a deadline.",
    then: Then::Do(|_| Ok(Command::WriteAttributes)),
    ..BARE
};

const COMPLETE: Entry = Entry {
    name: "complete",
    about: "What may stand where the last of these words is, for shells",
    more: "A word on each line, after a tab what it means. `FILE` alone: any file.",
    arguments: &[Argument { name: "WORD", help: "The words after `persona` up to the cursor, after `--`", need: Need::Many }],
    then: Then::Do(|given| Ok(Command::Complete(given.all("WORD")))),
    ..BARE
};

const STATES: &Words<State> = &[
    ("countdown", "The default starts soon", State::Countdown),
    ("waiting", "Nothing starts until a person picks", State::Waiting),
    ("picked", "The cartridge is on its way into the slot", State::Picked),
    ("starting", "The steps of the launch tick off", State::Starting),
    ("running", "Where to look", State::Running),
    ("failed", "Why it does not run", State::Failed),
    ("pin", "A locked persona's PIN", State::Pin),
    ("power", "The power menu", State::Power),
    ("help", "What the keys do", State::Help),
    ("broken", "No settings to show a menu of", State::Broken),
];

const PROTOCOLS: &Words<Protocol> = &[
    ("kitty", "Kitty's graphics protocol", Protocol::Kitty),
    ("sixel", "Sixel graphics", Protocol::Sixel),
    ("blocks", "Half blocks in 24-bit colour", Protocol::Blocks),
];
