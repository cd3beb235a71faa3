//! An archive of several parts, and what a message costs in one that grows.

#![allow(clippy::unwrap_used)]

use super::super::SqliteStorage;
use crate::storage::conformance::samples::{NOW_S, archived, key};
use crate::storage::{ArchiveQuery, Archived, Storage};
use rustix::time::{ClockId, clock_gettime};
use sha2::Digest as _;
use std::time::Duration;
use trellis_relay::config::Secret;
use trellis_relay::event::{EventId, PublicKey};

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

/// CPU time of this process so far.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap()
}

/// Prints it for an archive that grows, of 1,000 groups whose messages have a key each, in full transactions.
#[tokio::test]
#[ignore = "measures"]
async fn m30_what_a_message_costs_in_the_archive() {
    const BATCH: u64 = 2_048;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("mls.db").display());
    let storage = SqliteStorage::open(&Secret::from(url.as_str()), 1).await;
    let storage = storage.unwrap();
    let groups: Vec<String> = (0..1_000)
        .map(|number| hex(&format!("group {number}")))
        .collect();
    let message = |number: u64| {
        let sample = archived(number, Some(&groups[number as usize % groups.len()]), None);
        let id = EventId::from_hex(&hex(&format!("id {number}"))).unwrap();
        let pubkey = PublicKey::from_hex(&hex(&format!("key {number}"))).unwrap();
        let json = "x".repeat(1_100);
        Archived {
            id,
            pubkey,
            json,
            ..sample
        }
    };
    let mut number = 0;
    for rows in [0, 20_480, 102_400, 307_200] {
        let mut spent = Duration::ZERO;
        while number < rows + 10 * BATCH {
            let batch: Vec<_> = (number..number + BATCH).map(message).collect();
            let before = cpu();
            storage.archive(&batch).await.unwrap();
            if number >= rows {
                spent += cpu() - before;
            }
            number += BATCH;
        }
        let us = spent.as_secs_f64() * 1e6 / (10 * BATCH) as f64;
        eprintln!("{us:.1} us a message with {rows} before it");
    }
}

/// 64 digits that look like chance.
fn hex(of: &str) -> String {
    EventId::from_byte_array(sha2::Sha256::digest(of).into()).to_hex()
}
