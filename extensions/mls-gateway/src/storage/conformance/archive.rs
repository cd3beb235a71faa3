//! The archive.

use super::Handles;
use super::samples::{NOW_S, archived, hostile_texts, id, key};
use crate::storage::{ArchiveQuery, Archived, Storage};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn all(max: usize) -> ArchiveQuery<'static> {
    ArchiveQuery {
        max,
        ..ArchiveQuery::default()
    }
}

async fn ask(at: &Arc<dyn Storage>, query: ArchiveQuery<'_>) -> Vec<Archived> {
    let found = at.archived(&query).await.unwrap();
    assert!(found.is_sorted_by(|a, b| a.position < b.position));
    assert!(found.iter().all(|it| it.position > query.after_position));
    found
}

fn numbers(found: &[Archived]) -> Vec<u64> {
    found.iter().map(|it| it.created_at_s - NOW_S).collect()
}

pub(in crate::storage) async fn events_are_archived_once(at: Handles) {
    let events = [
        archived(1, Some("g"), None),
        archived(2, None, Some(5)),
        archived(3, Some("g"), Some(5)),
    ];
    assert_eq!(at.one.archive(&events).await.unwrap(), 3);
    assert_eq!(at.other.archive(&events).await.unwrap(), 0);
    let more = [
        events[1].clone(),
        archived(4, None, None),
        archived(4, None, None),
    ];
    assert_eq!(at.other.archive(&more).await.unwrap(), 1);
    assert_eq!(at.other.archive(&[]).await.unwrap(), 0);
    let mut found = ask(&at.one, all(9)).await;
    assert!(found.iter().all(|it| it.position > 0));
    for event in &mut found {
        event.position = 0;
    }
    let wanted = [events.to_vec(), vec![archived(4, None, None)]].concat();
    assert_eq!(found, wanted);
}

pub(in crate::storage) async fn positions_rise_from_batch_to_batch(at: Handles) {
    for number in 0..6 {
        let handle = [&at.one, &at.other][number as usize % 2];
        // The later, the older: positions are those of archiving.
        let event = Archived {
            created_at_s: NOW_S + 100 - number,
            ..archived(number, Some("g"), None)
        };
        handle.archive(&[event]).await.unwrap();
    }
    let found = ask(&at.one, all(9)).await;
    assert_eq!(numbers(&found), [100, 99, 98, 97, 96, 95]);
}

pub(in crate::storage) async fn the_archive_is_asked_by_group_or_recipient(at: Handles) {
    let mut events = vec![
        archived(1, Some("g"), None),
        archived(2, Some("h"), None),
        archived(3, Some("i"), None),
        archived(4, None, Some(5)),
        archived(5, None, Some(6)),
        archived(6, Some("g"), None),
    ];
    for (text, number) in hostile_texts().iter().zip(100..) {
        events.push(archived(number, Some(text), None));
    }
    at.one.archive(&events).await.unwrap();
    let find = async |groups: Option<&[&str]>, recipients: Option<&[u64]>, since_s| {
        let groups = groups.map(|it| it.iter().map(|&id| id.to_owned()).collect::<Vec<_>>());
        let recipients = recipients.map(|it| it.iter().map(|&n| key(n)).collect::<Vec<_>>());
        let query = ArchiveQuery {
            groups: groups.as_deref(),
            recipients: recipients.as_deref(),
            since_s,
            ..all(500)
        };
        numbers(&ask(&at.other, query).await)
    };
    assert_eq!(find(Some(&["g"]), None, None).await, [1, 6]);
    assert_eq!(find(Some(&["g", "h", "z"]), None, None).await, [1, 2, 6]);
    assert_eq!(find(None, Some(&[5, 7]), None).await, [4]);
    assert_eq!(find(Some(&["i"]), Some(&[6]), None).await, [3, 5]);
    assert_eq!(
        find(Some(&["g"]), Some(&[5]), Some(NOW_S + 4)).await,
        [4, 6]
    );
    assert_eq!(find(Some(&[]), None, None).await, [0; 0], "of no group");
    assert_eq!(find(Some(&[]), Some(&[]), None).await, [0; 0]);
    let everything = find(None, None, Some(NOW_S + 5)).await;
    assert_eq!(everything.len(), events.len() - 4);
    for (text, number) in hostile_texts().iter().zip(100..) {
        assert_eq!(find(Some(&[text]), None, None).await, [number], "{text:?}");
    }
}

pub(in crate::storage) async fn an_event_that_fits_twice_comes_once(at: Handles) {
    let events = [
        archived(1, Some("g"), Some(5)),
        archived(2, Some("g"), Some(5)),
    ];
    at.one.archive(&events).await.unwrap();
    let groups = ["g".to_owned(), "g".to_owned()];
    let recipients = [key(5)];
    let query = ArchiveQuery {
        groups: Some(&groups),
        recipients: Some(&recipients),
        ..all(9)
    };
    assert_eq!(numbers(&ask(&at.other, query).await), [1, 2]);
    let query = ArchiveQuery { max: 1, ..query };
    assert_eq!(numbers(&ask(&at.other, query).await), [1]);
}

pub(in crate::storage) async fn the_archive_is_read_in_pages(at: Handles) {
    // Of three groups and two recipients, mixed; asked for are two and one of them.
    let events: Vec<_> = (0..600_u64)
        .map(|n| match n % 5 {
            group @ 0..3 => archived(n, Some(&format!("g{group}")), None),
            recipient => archived(n, None, Some(recipient)),
        })
        .collect();
    for batch in events.chunks(150) {
        assert_eq!(at.one.archive(batch).await.unwrap(), 150);
    }
    let groups = ["g0".to_owned(), "g2".to_owned()];
    let recipients = [key(4)];
    let mut query = ArchiveQuery {
        groups: Some(&groups),
        recipients: Some(&recipients),
        ..all(50)
    };
    let mut found = Vec::new();
    loop {
        let page = ask(&at.other, query).await;
        assert!(page.len() <= 50);
        let Some(last) = page.last() else { break };
        query.after_position = last.position;
        found.extend(numbers(&page));
    }
    let wanted: Vec<u64> = (0..600).filter(|n| [0, 2, 4].contains(&(n % 5))).collect();
    assert_eq!(found, wanted);
}

pub(in crate::storage) async fn forgotten_events_are_gone_and_positions_go_on(at: Handles) {
    let events: Vec<_> = (1..=3).map(|n| archived(n, Some("g"), None)).collect();
    at.one.archive(&events).await.unwrap();
    let before = ask(&at.one, all(9)).await;
    let forgotten = at.other.forget(&[id(2), id(3), id(44)]).await.unwrap();
    assert_eq!(forgotten, 2);
    assert_eq!(at.other.forget(&[]).await.unwrap(), 0);
    assert_eq!(numbers(&ask(&at.one, all(9)).await), [1]);
    at.one
        .archive(&[archived(3, Some("g"), None)])
        .await
        .unwrap();
    let query = ArchiveQuery {
        after_position: before[2].position,
        ..all(9)
    };
    let found = ask(&at.one, query).await;
    assert_eq!(numbers(&found), [3], "no position is used twice");
}

pub(in crate::storage) async fn authors_and_recipients_have_events_forgotten_and_nobody_else(
    at: Handles,
) {
    let noise = |number| Archived {
        kind: 446,
        ..archived(number, None, Some(50))
    };
    let events = [
        archived(1, Some("g"), None),
        archived(2, None, Some(50)),
        noise(3),
        archived(4, None, Some(50)),
        noise(5),
    ];
    at.one.archive(&events).await.unwrap();
    // Its author, its recipient; a Noise message's recipient, strangers, and of what is not there.
    let wishes = [(1, 1), (2, 50), (3, 50), (4, 9), (5, 4), (44, 44)];
    let wishes = wishes.map(|(number, by)| (id(number), key(by)));
    assert_eq!(at.other.forget_for(&wishes).await.unwrap(), 2);
    assert_eq!(at.other.forget_for(&[]).await.unwrap(), 0);
    assert_eq!(numbers(&ask(&at.one, all(9)).await), [3, 4, 5]);
    // The sample of a number is dated by it.
    let until_s = events[3].created_at_s;
    let all_of = |by, until_s| {
        let handle = at.other.clone();
        async move { handle.forget_all_of(&key(by), until_s).await.unwrap() }
    };
    assert_eq!(all_of(50, until_s - 1).await, 0, "dated later");
    assert_eq!(all_of(50, until_s).await, 1, "to them");
    assert_eq!(all_of(5, until_s).await, 0, "dated later");
    assert_eq!(all_of(5, until_s + 1).await, 1, "of them");
    assert_eq!(numbers(&ask(&at.one, all(9)).await), [3]);
}

pub(in crate::storage) async fn no_event_is_missed_while_many_archive(at: Handles) {
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (at, done) = (at.other.clone(), done.clone());
        tokio::spawn(async move {
            let mut query = all(7);
            let mut found = Vec::new();
            loop {
                let last_look = done.load(Ordering::SeqCst);
                let page = ask(&at, query).await;
                match page.last() {
                    Some(last) => query.after_position = last.position,
                    None if last_look => return found,
                    None => {}
                }
                found.extend(page.into_iter().map(|it| it.id));
            }
        })
    };
    let tasks = (0..8_u64).map(|writer| {
        let handle = [&at.one, &at.other][writer as usize % 2].clone();
        tokio::spawn(async move {
            for batch in 0..10_u64 {
                // Two writers archive each event.
                let first = (writer / 2) * 1000 + batch * 5;
                let events: Vec<_> = (first..first + 5)
                    .map(|n| archived(n, Some("g"), None))
                    .collect();
                handle.archive(&events).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    let found = reader.await.unwrap();
    let different: BTreeSet<_> = found.iter().collect();
    assert_eq!(different.len(), 4 * 50, "all came");
    assert_eq!(found.len(), 4 * 50, "and once");
}
