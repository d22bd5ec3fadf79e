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

fn logs() -> Vec<BootLog> {
    BootLog::all(&JournalEntry::read(JOURNAL, Some(972)), &entry::numbers(BOOTS))
}

#[test]
fn each_boot_is_told_in_full() {
    for (log, name) in logs().iter().zip(["power-cut", "failure", "now"]) {
        golden(&format!("log/{name}.txt"), &text::full(log, Style::PLAIN));
    }
}

#[test]
fn all_boots_are_told_in_short() {
    golden("log/all.txt", &text::summary(&logs(), Style::PLAIN));
}

#[test]
fn programs_read_the_same() {
    golden("log/all.json", &(serde_json::to_string_pretty(&logs()).unwrap() + "\n"));
}

#[test]
fn what_the_initramfs_told_comes_first_although_the_journal_heard_it_later() {
    let logs = logs();
    let times: Vec<u64> = logs[0].lines.iter().map(|line| line.at_ms).collect();
    assert!(times.is_sorted() && times[0] == 905, "{times:?}");
    assert_eq!(logs[2].began, "2026-11-23T14:02:11Z");
}

#[test]
fn a_journal_that_does_not_count_boots_is_told_all_the_same() {
    let logs = BootLog::all(&JournalEntry::read(JOURNAL, Some(972)), &entry::numbers("No journal files were found.\n"));
    assert!(logs.len() == 3 && logs.iter().all(|log| log.number.is_none()));
    assert!(
        text::full(&logs[0], Style::PLAIN).starts_with("Boot 11111111111111111111111111111111, which began on 2026-11-22 14:02:11 UTC\n")
    );
    assert_eq!(logs[2].runs[1].end, End::Unknown, "the journal does not say that this boot goes on");
}

#[test]
fn only_what_a_terminal_does_not_obey_is_told() {
    assert!(!text::full(&logs()[2], Style::PLAIN).contains('\x1b'));
    let colour = text::full(&logs()[2], Style { colour: true, live: true });
    assert!(colour.contains("\x1b["));
}

#[test]
fn a_choice_that_is_heard_of_after_its_first_step_belongs_to_it() {
    let entry = |(seconds, event): (u64, &str)| JournalEntry {
        boot: "1".into(),
        at: Duration::from_secs(seconds),
        wall: Duration::from_secs(1_700_000_000 + seconds),
        priority: 6,
        message: String::new(),
        event: LogEvent::parse(event),
    };
    let heard = [
        (9, r#"{"phase":{"subject":"gondor","phase":"preparing","why":null}}"#),
        (10, r#"{"choice":{"persona":"gondor","reason":"remote","by":"sam"}}"#),
        (11, r#"{"phase":{"subject":"gondor","phase":"inserting","why":null}}"#),
        (12, r#"{"choice":{"persona":"gondor","reason":"picked","by":null}}"#),
    ];
    let logs = BootLog::all(&heard.map(entry), &[]);
    let runs: Vec<_> = logs[0].runs.iter().map(|run| (run.reason, run.by.as_deref(), run.devices_took_ms)).collect();
    use crate::state::Reason;
    assert_eq!(runs, [(Some(Reason::Remote), Some("sam"), Some(2000)), (Some(Reason::Picked), None, None)]);
}

#[test]
fn entry_of_another_user_is_none_and_legion_speaks_of_its_phases_only() {
    let line = |user: &str, event: &str| {
        let event = serde_json::Value::from(event);
        format!(
            r#"{{"__REALTIME_TIMESTAMP":"9000000","__MONOTONIC_TIMESTAMP":"5000000","_BOOT_ID":"1","PRIORITY":"6","MESSAGE":"m",{user}"PERSONA_EVENT":{event}}}"#
        )
    };
    let (choice, phase) = (
        r#"{"choice":{"persona":"mordor","reason":"remote","by":"root"}}"#,
        r#"{"phase":{"subject":"gondor","phase":"running","why":null}}"#,
    );
    let heard = |user: &str, event: &str| {
        let entries = JournalEntry::read(&line(user, event), Some(972));
        entries.first().map(|entry| entry.event.is_some())
    };
    for (user, of_choice, of_phase) in [
        (r#""_UID":"0","#, Some(true), Some(true)),
        (r#""_UID":"972","#, Some(false), Some(true)),
        (r#""_UID":"1000","#, None, None),
        ("", None, None),
        (r#""_TRANSPORT":"kernel","#, Some(true), Some(true)),
    ] {
        assert_eq!((heard(user, choice), heard(user, phase)), (of_choice, of_phase), "{user}");
    }
}

#[test]
fn many_boots_and_many_errors_are_told_in_time() {
    let entry = |number: usize, boot: usize| {
        format!(
            "{{\"__REALTIME_TIMESTAMP\":\"{number}\",\"__MONOTONIC_TIMESTAMP\":\"{number}\",\"_BOOT_ID\":\"{boot}\",\"_UID\":\"0\",\
             \"PRIORITY\":\"3\",\"MESSAGE\":\"error {number} of many\"}}\n"
        )
    };
    for boots in [1, 20_000] {
        let output: String = (0..20_000).map(|number| entry(number, number % boots)).collect();
        let logs = BootLog::all(&JournalEntry::read(&output, None), &[]);
        assert_eq!((logs.len(), logs.iter().map(|log| log.lines.len()).sum()), (boots, 20_000));
    }
}
