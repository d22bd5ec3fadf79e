#![allow(clippy::unwrap_used)]
use super::*;
use crate::sys::golden::golden;
use crate::sys::style::Style;

/// Three boots as `journalctl --output=json` prints them.
const JOURNAL: &str = include_str!("../../tests/golden/log/journal.json");

const BOOTS: &str = "IDX BOOT ID                          FIRST ENTRY                 LAST ENTRY\n \
    -2 11111111111111111111111111111111 Sun 2026-11-22 14:02:18 UTC Sun 2026-11-22 15:07:12 UTC\n \
    -1 22222222222222222222222222222222 Mon 2026-11-23 13:02:18 UTC—Mon 2026-11-23 13:04:01 UTC\n  \
     0 33333333333333333333333333333333 Mon 2026-11-23 14:02:18 UTC Mon 2026-11-23 14:03:41 UTC\n";

fn stories() -> Vec<BootLog> {
    BootLog::all(&Entry::read(JOURNAL), &entry::numbers(BOOTS))
}

#[test]
fn each_boot_is_told_in_full() {
    for (story, name) in stories().iter().zip(["power-cut", "failure", "now"]) {
        golden(&format!("log/{name}.txt"), &text::full(story, Style::PLAIN));
    }
}

#[test]
fn all_boots_are_told_in_short() {
    golden("log/all.txt", &text::summary(&stories(), Style::PLAIN));
}

#[test]
fn programs_read_the_same() {
    golden("log/all.json", &(serde_json::to_string_pretty(&stories()).unwrap() + "\n"));
}

#[test]
fn what_the_initramfs_told_comes_first_although_the_journal_heard_it_later() {
    let stories = stories();
    let times: Vec<u64> = stories[0].lines.iter().map(|line| line.at_ms).collect();
    assert!(times.is_sorted() && times[0] == 905, "{times:?}");
    assert_eq!(stories[2].began, "2026-11-23T14:02:11Z");
}

#[test]
fn a_journal_that_does_not_count_boots_is_told_all_the_same() {
    let stories = BootLog::all(&Entry::read(JOURNAL), &entry::numbers("No journal files were found.\n"));
    assert!(stories.len() == 3 && stories.iter().all(|story| story.number.is_none()));
    assert!(
        text::full(&stories[0], Style::PLAIN)
            .starts_with("Boot 11111111111111111111111111111111, which began on 2026-11-22 14:02:11 UTC\n")
    );
    assert_eq!(stories[2].runs[1].end, End::Unknown, "the journal does not say that this boot goes on");
}

#[test]
fn only_what_a_terminal_does_not_obey_is_told() {
    assert!(!text::full(&stories()[2], Style::PLAIN).contains('\x1b'));
    let colour = text::full(&stories()[2], Style { colour: true, live: true });
    assert!(colour.contains("\x1b["));
}

#[test]
fn a_choice_that_is_heard_of_after_its_first_step_belongs_to_it() {
    let entry = |(seconds, message): (u64, &str)| Entry {
        boot: "1".into(),
        at: Duration::from_secs(seconds),
        wall: Duration::from_secs(1_700_000_000 + seconds),
        priority: 6,
        message: message.into(),
    };
    let heard =
        [(9, "gondor: preparing"), (10, "choice: gondor (remote), by sam"), (11, "gondor: inserting"), (12, "choice: gondor (picked)")];
    let stories = BootLog::all(&heard.map(entry), &[]);
    let runs: Vec<_> = stories[0].runs.iter().map(|run| (run.reason, run.by.as_deref(), run.devices_took_ms)).collect();
    use crate::state::Reason;
    assert_eq!(runs, [(Some(Reason::Remote), Some("sam"), Some(2000)), (Some(Reason::Picked), None, None)]);
}
