//! The log of what was replaced.

use crate::chain::{BEGINNING, BrokenAt, Entry, EntryKind, append, verify};

fn log(length: u64) -> Vec<Entry> {
    let mut log: Vec<Entry> = Vec::new();
    for at_s in 0..length {
        let event = format!("{{\"content\":\"number \\\"{at_s}\\\" – signed\"}}");
        let entry = append(log.last(), at_s, EntryKind::Replaced, event);
        log.push(entry);
    }
    log
}

#[test]
fn q7_a_log_as_it_was_appended_is_whole() {
    let log = log(20);
    assert_eq!(verify(&log), Ok(()));
    assert_eq!(log[0].previous, BEGINNING);
    let written = serde_json::to_string(&log).unwrap();
    assert_eq!(
        verify(&serde_json::from_str::<Vec<Entry>>(&written).unwrap()),
        Ok(())
    );
}

#[test]
fn q7_whatever_is_done_to_a_log_is_found() {
    let mut changed = log(9);
    changed[4].event.push(' ');
    assert_eq!(verify(&changed), Err(BrokenAt::Hash(5)));
    let mut dated = log(9);
    dated[8].at_s += 1;
    assert_eq!(verify(&dated), Err(BrokenAt::Hash(9)));
    let mut shorter = log(9);
    shorter.remove(3);
    let broken = BrokenAt::Seq {
        expected: 4,
        found: 5,
    };
    assert_eq!(verify(&shorter), Err(broken));
    let mut forged = log(9);
    forged[3] = append(
        Some(&forged[2]),
        3,
        EntryKind::Replaced,
        "another".to_owned(),
    );
    assert_eq!(verify(&forged), Err(BrokenAt::Previous(5)));
}
