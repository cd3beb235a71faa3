//! An archive of several parts.

#![allow(clippy::unwrap_used)]

use super::super::SqliteStorage;
use crate::storage::conformance::samples::{NOW_S, archived, key};
use crate::storage::{ArchiveQuery, Archived, Storage};
use trellis_relay::config::Secret;

const PART: u64 = 4_096;

/// Messages of two groups in turn, by one author, in batches with more and more of nothing between them: some parts hold a
/// message or more, some none.
async fn in_parts(storage: &SqliteStorage) -> Vec<Archived> {
    let mut all = Vec::new();
    for (batch, gap) in [0, 10, PART - 61, PART, 3 * PART, 40 * PART]
        .into_iter()
        .enumerate()
    {
        sqlx::query("UPDATE counters SET value = value + ?1 WHERE name = 'archive'")
            .bind(gap as i64)
            .execute(&storage.writer)
            .await
            .unwrap();
        let events = (0..30).map(|place| {
            let number = batch as u64 * 30 + place;
            Archived {
                pubkey: key(1),
                ..archived(number, Some(["g", "h"][number as usize % 2]), None)
            }
        });
        let events: Vec<_> = events.collect();
        assert_eq!(storage.archive(&events).await.unwrap(), 30);
        all.extend(events);
    }
    all
}

#[tokio::test]
async fn m27_a_group_is_read_in_order_from_all_parts_of_the_archive() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("mls.db").display());
    let storage = SqliteStorage::open(&Secret::from(url.as_str()), 1).await;
    let storage = storage.unwrap();
    let all = in_parts(&storage).await;
    for max in [1, 7, 50, 500] {
        let groups = ["h".to_owned()];
        let mut query = ArchiveQuery {
            groups: Some(&groups),
            max,
            ..ArchiveQuery::default()
        };
        let mut found = Vec::new();
        loop {
            let page = storage.archived(&query).await.unwrap();
            let Some(last) = page.last() else { break };
            query.after_position = last.position;
            found.extend(page.iter().map(|it| it.created_at_s - NOW_S));
        }
        let wanted: Vec<u64> = (0..all.len() as u64).filter(|it| it % 2 == 1).collect();
        assert_eq!(found, wanted, "{max} at a time");
        query.after_position = u64::MAX;
        assert!(storage.archived(&query).await.unwrap().is_empty());
    }
    // Dated up to the hundredth, in the parts before and after.
    let until_s = NOW_S + 99;
    assert_eq!(storage.forget_all_of(&key(2), until_s).await.unwrap(), 0);
    assert_eq!(storage.forget_all_of(&key(1), until_s).await.unwrap(), 100);
    assert_eq!(storage.forget_all_of(&key(1), u64::MAX).await.unwrap(), 80);
    assert_eq!(
        storage.forget_all_of(&key(1), u64::MAX).await.unwrap(),
        0,
        "of nothing"
    );
}
