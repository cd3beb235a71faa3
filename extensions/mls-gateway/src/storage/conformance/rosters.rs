//! Rosters: compare and swap, and telling others.

use super::Handles;
use super::samples::{NOW_S, key, roster, seen};
use crate::roster::{Role, Roster};
use crate::storage::{PutRoster, Storage};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

async fn read(at: &Arc<dyn Storage>, group_id: &str) -> Option<(Roster, u64)> {
    let rosters = at.rosters(&[group_id.to_owned()]).await.unwrap();
    let (named, found) = rosters.into_iter().next()?;
    assert_eq!(named, group_id);
    Some((found.roster, found.revision))
}

async fn write(
    at: &Arc<dyn Storage>,
    group_id: &str,
    roster: &Roster,
    replaces: Option<u64>,
) -> Option<u64> {
    match at
        .put_roster(group_id, roster, replaces, NOW_S)
        .await
        .unwrap()
    {
        PutRoster::Written(revision) => Some(revision),
        PutRoster::Conflict => None,
    }
}

pub(in crate::storage) async fn a_roster_comes_back_as_it_was_written(at: Handles) {
    let first = roster(&[(3, Role::Owner), (1, Role::Admin), (2, Role::Member)], 4);
    let revision = write(&at.one, "g", &first, None).await.unwrap();
    assert_eq!(read(&at.other, "g").await, Some((first, revision)));
    let founded = Roster::of_owner(key(7));
    let revision = write(&at.one, "h", &founded, None).await.unwrap();
    assert_eq!(read(&at.other, "h").await, Some((founded, revision)));
    let group = at.other.group("g").await.unwrap().unwrap();
    assert_eq!((group.owner, group.member_count), (Some(key(3)), 3));
    assert_eq!((group.created_at_s, group.updated_at_s), (NOW_S, NOW_S));
    assert_eq!((group.last_epoch, group.last_event_s), (None, None));
}

pub(in crate::storage) async fn a_roster_is_written_only_over_the_one_that_was_read(at: Handles) {
    let [first, second, third] = [1, 2, 3].map(|seq| roster(&[(1, Role::Owner)], seq));
    assert_eq!(
        write(&at.one, "g", &second, Some(1)).await,
        None,
        "none there"
    );
    let revision = write(&at.one, "g", &first, None).await.unwrap();
    assert_eq!(write(&at.other, "g", &second, None).await, None);
    assert_eq!(
        write(&at.other, "g", &second, Some(revision + 1)).await,
        None
    );
    assert_eq!(read(&at.one, "g").await, Some((first, revision)));
    let next = write(&at.other, "g", &second, Some(revision))
        .await
        .unwrap();
    assert!(next > revision);
    assert_eq!(write(&at.one, "g", &third, Some(revision)).await, None);
    assert_eq!(read(&at.one, "g").await, Some((second, next)));
}

pub(in crate::storage) async fn members_come_go_and_change(at: Handles) {
    at.one
        .note_messages(&[seen("g", Some(9), NOW_S)], NOW_S - 7)
        .await
        .unwrap();
    let first = roster(&[(1, Role::Owner), (2, Role::Member), (3, Role::Admin)], 1);
    let revision = write(&at.one, "g", &first, None).await;
    let second = roster(&[(2, Role::Owner), (3, Role::Admin), (4, Role::Member)], 2);
    let revision = write(&at.other, "g", &second, revision).await.unwrap();
    assert_eq!(read(&at.one, "g").await, Some((second, revision)));
    assert!(at.one.groups_of(&key(1)).await.unwrap().is_empty());
    assert_eq!(at.one.groups_of(&key(4)).await.unwrap(), ["g"]);
    let group = at.one.group("g").await.unwrap().unwrap();
    assert_eq!((group.owner, group.member_count), (Some(key(2)), 3));
    assert_eq!(group.last_epoch, Some(9), "messages stay noted");
    assert_eq!(group.created_at_s, NOW_S - 7);
}

pub(in crate::storage) async fn unknown_groups_have_no_roster(at: Handles) {
    at.one
        .note_messages(&[seen("g", None, NOW_S)], NOW_S)
        .await
        .unwrap();
    at.one
        .describe_group("h", Some("named"), None, NOW_S)
        .await
        .unwrap();
    let asked = ["g", "h", "i"].map(str::to_owned);
    assert!(at.other.rosters(&asked).await.unwrap().is_empty());
    assert!(at.other.rosters(&[]).await.unwrap().is_empty());
    assert!(at.other.groups_of(&key(1)).await.unwrap().is_empty());
}

pub(in crate::storage) async fn many_rosters_are_read_at_once(at: Handles) {
    let ids: Vec<String> = (0..60).map(|n| format!("g{n}")).collect();
    for (group_id, number) in ids.iter().zip(1..) {
        let roster = roster(&[(number, Role::Owner), (100, Role::Member)], number);
        write(&at.one, group_id, &roster, None).await.unwrap();
    }
    let mut asked = ids.clone();
    asked.push("unknown".to_owned());
    asked.push("g3".to_owned());
    let mut found = at.other.rosters(&asked).await.unwrap();
    found.sort_by_key(|(_, it)| it.roster.seq);
    found.dedup();
    let named: Vec<&String> = found.iter().map(|(id, _)| id).collect();
    assert_eq!(named, ids.iter().collect::<Vec<_>>());
    assert!(found.iter().all(|(_, it)| it.roster.members.len() == 2));
    let big: Vec<_> = (1..=500).map(|n| (n, Role::Admin)).collect();
    let mut big = roster(&big, 1);
    big.members.insert(key(1), Role::Owner);
    let revision = write(&at.one, "big", &big, None).await.unwrap();
    assert_eq!(read(&at.other, "big").await, Some((big, revision)));
}

pub(in crate::storage) async fn of_fifty_writers_each_revision_has_one(at: Handles) {
    write(&at.one, "g", &roster(&[(1, Role::Owner)], 1), None).await;
    let tasks = (0..50_u64).map(|n| {
        let handle = [&at.one, &at.other][n as usize % 2].clone();
        tokio::spawn(async move {
            // Adds its own key, however often others were first.
            for lost in 0..10_000 {
                let (mut next, revision) = read(&handle, "g").await.unwrap();
                next.members.insert(key(100 + n), Role::Member);
                next.seq += 1;
                if let Some(written) = write(&handle, "g", &next, Some(revision)).await {
                    return (revision, written, lost);
                }
            }
            panic!("never got through");
        })
    });
    let mut replaced = BTreeSet::new();
    let mut written = BTreeSet::new();
    for task in tasks.collect::<Vec<_>>() {
        let (old, new, _) = task.await.unwrap();
        assert!(replaced.insert(old), "revision {old} was replaced twice");
        assert!(written.insert(new), "revision {new} was written twice");
    }
    let (last, _) = read(&at.one, "g").await.unwrap();
    assert_eq!(last.members.len(), 51, "nobody's change was lost");
    assert_eq!(last.seq, 51);
}

pub(in crate::storage) async fn of_fifty_founders_one_founds(at: Handles) {
    let tasks = (1..=50_u64).map(|n| {
        let handle = [&at.one, &at.other][n as usize % 2].clone();
        tokio::spawn(async move {
            let founded = roster(&[(n, Role::Owner)], n);
            let revision = write(&handle, "g", &founded, None).await;
            revision.map(|revision| (founded, revision))
        })
    });
    let mut founded = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        founded.extend(task.await.unwrap());
    }
    assert_eq!(founded.len(), 1);
    assert_eq!(read(&at.one, "g").await, founded.pop());
    assert_eq!(at.one.group("g").await.unwrap().unwrap().member_count, 1);
}

pub(in crate::storage) async fn changes_are_told_to_the_other_relay(at: Handles) {
    let begin = at.other.roster_cursor().await.unwrap();
    assert_eq!(
        at.other.roster_changes(begin, 10).await.unwrap(),
        (Vec::new(), begin)
    );
    for (group_id, seq) in ["a", "b", "c"].iter().zip(1..) {
        write(&at.one, group_id, &roster(&[(1, Role::Owner)], seq), None).await;
    }
    let (first, cursor) = at.other.roster_changes(begin, 2).await.unwrap();
    assert_eq!(first, ["a", "b"]);
    let (rest, cursor) = at.other.roster_changes(cursor, 2).await.unwrap();
    assert_eq!(rest, ["c"]);
    let (none, cursor) = at.other.roster_changes(cursor, 2).await.unwrap();
    assert!(none.is_empty());
    assert_eq!(at.one.roster_cursor().await.unwrap(), cursor);
    let (_, revision) = read(&at.one, "a").await.unwrap();
    write(
        &at.one,
        "a",
        &roster(&[(2, Role::Owner)], 4),
        Some(revision),
    )
    .await;
    let conflict = write(
        &at.one,
        "b",
        &roster(&[(2, Role::Owner)], 4),
        Some(revision),
    )
    .await;
    assert_eq!(conflict, None);
    let (changed, _) = at.other.roster_changes(cursor, 9).await.unwrap();
    assert_eq!(changed, ["a"]);
    let (all, _) = at.other.roster_changes(0, 9).await.unwrap();
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), 3);
}

pub(in crate::storage) async fn no_change_is_missed_while_many_write(at: Handles) {
    let done = Arc::new(AtomicBool::new(false));
    let begin = at.other.roster_cursor().await.unwrap();
    let follower = {
        let (at, done) = (at.other.clone(), done.clone());
        tokio::spawn(async move {
            let mut cursor = begin;
            let mut told = BTreeSet::new();
            loop {
                let last_look = done.load(Ordering::SeqCst);
                let (changed, next) = at.roster_changes(cursor, 7).await.unwrap();
                assert!(next >= cursor, "a cursor never goes back");
                if changed.is_empty() && last_look {
                    return told;
                }
                cursor = next;
                told.extend(changed);
            }
        })
    };
    // Each writes groups of its own, so that writers meet nowhere but at the cursor.
    let tasks = (0..8_u64).map(|writer| {
        let handle = [&at.one, &at.other][writer as usize % 2].clone();
        tokio::spawn(async move {
            for n in 0..12 {
                let group_id = format!("{writer} {n}");
                let founded = roster(&[(writer, Role::Owner)], n + 1);
                write(&handle, &group_id, &founded, None).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    assert_eq!(follower.await.unwrap().len(), 8 * 12);
}
