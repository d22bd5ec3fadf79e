#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use crate::sys::width;
use persona_paint::{Card, Emblem, LaunchStep, Overlay, PinAnswer, PinKey, Progress, Stage, View};
use proptest::prelude::*;
use std::path::Path;
use std::time::Duration;

fn card(title: &str, tagline: &str, accent: &str) -> Card {
    Card {
        title: title.into(),
        tagline: tagline.into(),
        accent: accent.parse().unwrap(),
        emblem: Emblem::Initial,
        is_default: false,
        is_legion: true,
        is_locked: false,
        refused: None,
    }
}

fn cards() -> Vec<Card> {
    let refusal = "Can't start: another device is in the slot of one that it uses\n0000:0a:00.0 is 10de:1f07; write id = \"10de:1f07\"";
    vec![
        Card { is_default: true, ..card("Rivendale", "Ubuntu, Ollama and the oracle", "#7fb069") },
        Card { is_locked: true, ..card("Gondor", "Ubuntu, Steam and Proton", "#6ba4e8") },
        Card { refused: Some(refusal.into()), ..card("Mordor", "Windows, for the games that insist", "#e4572e") },
        Card { is_legion: false, ..card("Bare host", "The hypervisor itself, at its console", "#9aa5b1") },
    ]
}

fn view(highlighted: usize, stage: Stage) -> View {
    View { host: "moria".into(), address: Some("192.168.1.5".into()), ..View::still(cards(), highlighted, stage) }
}

fn over(overlay: Overlay) -> View {
    View { overlay: Some(overlay), ..view(1, countdown(6400)) }
}

fn countdown(remaining: u64) -> Stage {
    Stage::Countdown { remaining: Duration::from_millis(remaining), total: Duration::from_secs(10) }
}

fn steps(names: &[(&str, Progress)]) -> Vec<LaunchStep> {
    names.iter().map(|(name, progress)| LaunchStep { name: (*name).into(), progress: *progress }).collect()
}

fn starting() -> Stage {
    Stage::Starting { steps: steps(&[("devices", Progress::Done), ("cartridge", Progress::Busy), ("power", Progress::Pending)]) }
}

const BROKEN: &str = "/etc/persona/persona.toml, line 3: `fourty` is not a time such as \"10s\"\n  |\n3 | timeout = \"fourty\"\n  |           ^^^^^^^^\nhint: give seconds (\"10s\") or \"never\"";

fn golden(name: &str, view: &View, (columns, rows): (usize, usize)) {
    let seen: String = lines(view, columns, rows).iter().map(|line| line.text().trim_end().to_owned() + "\n").collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/text/{name}-{columns}x{rows}.txt"));
    if std::env::var_os("PERSONA_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        return std::fs::write(path, seen).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(seen, wanted, "{name}");
}

const USUAL: (usize, usize) = (80, 25);

#[test]
fn every_stage() {
    golden("countdown", &view(1, countdown(6400)), USUAL);
    golden("countdown", &view(1, countdown(6400)), (40, 12));
    golden("countdown", &view(2, countdown(125_000)), (20, 5));
    let notice = Some("the settings in the initramfs are older than these: run mkinitcpio -P".into());
    golden("waiting", &View { notice, ..view(2, Stage::Waiting) }, USUAL);
    golden("starting", &view(1, starting()), USUAL);
    golden("running", &view(1, Stage::Running { screen: Some("RTX 2070 SUPER".into()) }), USUAL);
    let why = "legion came to its end after 2 s: QEMU: could not open the disk\nhint: see journalctl -u legion";
    golden("failed", &view(0, Stage::Failed { why: why.into() }), USUAL);
    golden("broken", &View::broken("moria", BROKEN.into()), USUAL);
}

#[test]
fn every_overlay() {
    golden("help", &over(Overlay::Help), USUAL);
    golden("power", &over(Overlay::Power { highlighted: 1 }), USUAL);
    golden("pin", &over(Overlay::Pin { entered: 3, cursor: None, answer: PinAnswer::None }), USUAL);
    golden("pin-pad", &over(Overlay::Pin { entered: 0, cursor: Some(4), answer: PinAnswer::Wait { seconds: 8 } }), USUAL);
}

#[test]
fn more_personas_than_rows_scroll_with_the_highlight() {
    let many = (1..=30).map(|number| card(&format!("Persona {number}"), "", "#ffffff")).collect();
    let shown = lines(&View::still(many, 20, Stage::Waiting), 80, 15);
    let shown: Vec<String> = shown.iter().map(Line::text).collect();
    assert!(shown.iter().any(|line| line.contains("> ") && line.contains("Persona 21")), "{shown:#?}");
    let told: usize = shown.iter().filter_map(|line| line.trim().strip_prefix('(')?.strip_suffix(" more)")?.parse::<usize>().ok()).sum();
    assert_eq!(told + shown.iter().filter(|line| line.contains("Persona ")).count(), 30, "{shown:#?}");
}

fn any_stage() -> impl Strategy<Value = Stage> {
    let progress = prop_oneof![Just(Progress::Pending), Just(Progress::Busy), Just(Progress::Done)];
    let step = (any_text(20), progress).prop_map(|(name, progress)| LaunchStep { name, progress });
    prop_oneof![
        (0..10_000_000u64, 0..10_000u64).prop_map(|(remaining, total)| Stage::Countdown {
            remaining: Duration::from_millis(remaining),
            total: Duration::from_secs(total)
        }),
        Just(Stage::Waiting),
        proptest::collection::vec(step, 0..6).prop_map(|steps| Stage::Starting { steps }),
        proptest::option::of(any_text(60)).prop_map(|screen| Stage::Running { screen }),
        any_text(400).prop_map(|why| Stage::Failed { why }),
        any_text(400).prop_map(|why| Stage::Broken { why }),
    ]
}

fn any_overlay() -> impl Strategy<Value = Overlay> {
    let answer = prop_oneof![
        Just(PinAnswer::None),
        Just(PinAnswer::Checking),
        Just(PinAnswer::Wrong),
        any::<u64>().prop_map(|seconds| PinAnswer::Wait { seconds })
    ];
    let pin = (0..13usize, proptest::option::of(0..PinKey::ALL.len()), answer).prop_map(|(entered, cursor, answer)| Overlay::Pin {
        entered,
        cursor,
        answer,
    });
    prop_oneof![Just(Overlay::Help), (0..3usize).prop_map(|highlighted| Overlay::Power { highlighted }), pin]
}

/// Plain, wide, combining and hostile letters.
fn any_text(longest: usize) -> impl Strategy<Value = String> {
    let letter =
        prop_oneof![6 => proptest::char::range(' ', '~'), 1 => Just('漢'), 1 => Just('\u{e9}'), 1 => Just('\n'), 1 => any::<char>()];
    proptest::collection::vec(letter, 0..=longest).prop_map(String::from_iter)
}

prop_compose! {
    fn any_card()(
        title in any_text(60), tagline in any_text(100), is_default in any::<bool>(), is_locked in any::<bool>(),
        is_legion in any::<bool>(), refused in proptest::option::of(any_text(100)),
    ) -> Card {
        Card { is_default, is_locked, is_legion, refused, ..card(&title, &tagline, "#7fb069") }
    }
}

prop_compose! {
    fn any_view()(
        cards in proptest::collection::vec(any_card(), 0..14), highlighted in 0..15usize, stage in any_stage(),
        overlay in proptest::option::of(any_overlay()), host in any_text(30), address in proptest::option::of(any_text(40)),
        notice in proptest::option::of(any_text(200)),
    ) -> View {
        View { host, address, notice, overlay, ..View::still(cards, highlighted, stage) }
    }
}

proptest! {
    #[test]
    fn every_view_fits_every_terminal(view in any_view(), columns in 1..=300usize, rows in 1..=100usize) {
        let lines = lines(&view, columns, rows);
        prop_assert_eq!(lines.len(), rows);
        for line in &lines {
            prop_assert!(line.width() <= columns, "{:?} in {}", line.text(), columns);
            prop_assert!(!line.text().contains(char::is_control), "{:?}", line.text());
        }
    }

    #[test]
    fn the_highlighted_persona_and_the_countdown_are_always_to_be_seen(
        cards in proptest::collection::vec(any_card(), 1..14), highlighted in 0..14usize, columns in 20..=300usize, rows in 5..=100usize,
    ) {
        let highlighted = highlighted.min(cards.len() - 1);
        let cards: Vec<Card> = cards.into_iter().map(|card| Card { title: "Gondor".into(), ..card }).collect();
        let text: Vec<String> = lines(&View::still(cards, highlighted, countdown(3000)), columns, rows).iter().map(Line::text).collect();
        let is_marked = |line: &&String| line.trim_start().starts_with("> ") && line.contains("Gondor");
        prop_assert_eq!(text.iter().filter(is_marked).count(), 1, "{:#?}", text);
        prop_assert!(text.iter().any(|line| line.contains(" in 3 s")), "{:#?}", text);
    }

    /// A terminal that executes the bytes shows the lines, whatever it showed before.
    #[test]
    fn a_terminal_shows_what_was_laid_out(first in any_view(), second in any_view(), columns in 20..=100usize, rows in 5..=40usize) {
        let (first, second) = (lines(&first, columns, rows), lines(&second, columns, rows));
        let mut terminal = Emulated::new(columns, rows);
        terminal.obey(&ansi(&[], &first, columns));
        terminal.obey(&ansi(&first, &second, columns));
        let wanted: Vec<String> = second.iter().map(|line| line.text().trim_end().to_owned()).collect();
        prop_assert_eq!(terminal.text(), wanted);
    }
}

/// As much of a terminal as the menu uses: rows of cells, each with a letter and its accents; a wide letter leaves the cell
/// after its own empty.
struct Emulated {
    rows: Vec<Vec<String>>,
    row: usize,
    column: usize,
}

impl Emulated {
    fn new(columns: usize, rows: usize) -> Self {
        Self { rows: vec![vec![" ".into(); columns]; rows], row: 0, column: 0 }
    }

    fn obey(&mut self, bytes: &[u8]) {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let mut rest = text.as_str();
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            if letter == '\x1b' {
                let end = rest.find(|end: char| end.is_ascii_alphabetic()).unwrap();
                self.sequence(rest[..end].strip_prefix('[').unwrap(), &rest[end..=end]);
                rest = &rest[end + 1..];
            } else {
                self.write(letter);
            }
        }
    }

    fn sequence(&mut self, numbers: &str, name: &str) {
        match name {
            "H" => (self.row, self.column) = (numbers.split(';').next().unwrap().parse().unwrap_or(1) - 1, 0),
            "K" => self.rows[self.row][self.column..].fill(" ".into()),
            "m" => {}
            _ => panic!("ESC [ {numbers} {name}"),
        }
    }

    fn write(&mut self, letter: char) {
        let cells = &mut self.rows[self.row];
        match width::of_letter(letter) {
            0 => cells[self.column.saturating_sub(1)].push(letter),
            wide => {
                cells[self.column] = letter.into();
                cells[self.column + 1..self.column + wide].fill(String::new());
                self.column += wide;
            }
        }
    }

    fn text(&self) -> Vec<String> {
        self.rows.iter().map(|cells| cells.concat().trim_end().to_owned()).collect()
    }
}
