//! When it is time, and what is counted. Metrics are the process's, so the count is taken with a recorder of this thread's.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::storage::Letter;
use crate::upkeep_tests::ground::Database;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use trellis_relay::testing::Author;

/// What was counted, by the box.
#[derive(Default)]
struct Expired(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Expired {
    fn of(&self, name: &str) -> u64 {
        let counts = self.0.lock().unwrap();
        counts.get(name).map_or(0, |count| count.load(Relaxed))
    }
}

impl Recorder for Expired {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let label = key.labels().find(|label| label.key() == "box");
        match (key.name(), label) {
            ("mls_gateway_mailbox_expired_total", Some(label)) => {
                let mut counts = self.0.lock().unwrap();
                let count = counts.entry(label.value().to_owned()).or_default();
                Counter::from_arc(count.clone())
            }
            _ => Counter::noop(),
        }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn m33_letters_that_were_acknowledged_do_not_count_as_expired() {
    let letter = |id: &str| Letter {
        id: id.to_owned(),
        recipient: Author::new(2).pubkey(),
        sender: Author::new(3).pubkey(),
        group_id: None,
        content_b64: "aGVsbG8=".to_owned(),
        ratchet_tree_b64: None,
        tags_json: None,
        created_at_s: 1,
        expires_at_s: 100,
        picked_up_at_s: None,
        acknowledged_at_s: None,
    };
    let work = async || {
        let database = Database::new("").await;
        let storage = &*database.storage;
        for letter_box in [LetterBox::KeyPackages, LetterBox::Welcomes] {
            for id in ["read", "unread", "left"] {
                assert!(storage.deposit(letter_box, &letter(id)).await.unwrap());
            }
            assert!(storage.acknowledge(letter_box, "read", 50).await.unwrap());
        }
        let acknowledged = storage.acknowledge(LetterBox::Welcomes, "left", 50);
        assert!(acknowledged.await.unwrap());
        prune(storage, 100, 0).await.unwrap();
        for id in ["read", "unread", "left"] {
            let gone = storage.letter(LetterBox::Welcomes, id).await.unwrap();
            assert_eq!(gone, None, "{id}");
        }
    };
    let expired = Expired::default();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    metrics::with_local_recorder(&expired, || runtime.block_on(work()));
    assert_eq!((expired.of("keypackages"), expired.of("welcomes")), (2, 1));
}

#[test]
fn m31_it_is_time_after_a_while_and_when_the_clock_goes_back() {
    let mut due = Due::default();
    assert!(due.is_due(1_000, 60));
    assert!(!due.is_due(1_059, 60));
    assert!(due.is_due(1_060, 60));
    assert!(due.is_due(500, 60));
    assert!(!due.is_due(559, 60));
}
