//! Events on their way to the disk and back.

use super::events::signed;
use criterion::{BatchSize, Criterion, Throughput};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use trellis_relay::event::Event;
use trellis_relay::filter::Filter;
use trellis_relay::store::lmdb::{LmdbOptions, LmdbStore};
use trellis_relay::store::{Budget, NoPolicy, Order, Scan, Store, Write};

const EVENTS: usize = 4_000;
const BATCH: usize = 256;

pub(crate) fn measure(criterion: &mut Criterion) {
    let events = signed(EVENTS);
    commits(criterion, &events);
    scans(criterion, &events);
}

fn writes(events: &[Event]) -> Vec<Write> {
    let events = events.iter().cloned().map(Arc::new);
    events.map(Write::Put).collect()
}

/// Durable: it contains the disk's time.
fn commits(criterion: &mut Criterion, events: &[Event]) {
    let mut group = criterion.benchmark_group("commit");
    group.sample_size(20);
    for batch in [1, BATCH] {
        let writes = writes(&events[..batch]);
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(format!("batch of {batch}"), |bencher| {
            let fresh = || {
                let home = TempDir::new().unwrap();
                let store = LmdbStore::open(home.path(), LmdbOptions::default()).unwrap();
                (store, home)
            };
            let commit = |(store, home): (LmdbStore, TempDir)| {
                store.commit(&writes, &NoPolicy, 0).unwrap();
                (store, home)
            };
            bencher.iter_batched(fresh, commit, BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn scans(criterion: &mut Criterion, events: &[Event]) {
    let home = TempDir::new().unwrap();
    let store = LmdbStore::open(home.path(), LmdbOptions::default()).unwrap();
    for batch in writes(events).chunks(BATCH) {
        store.commit(batch, &NoPolicy, 0).unwrap();
    }
    let of = |authors: usize, kinds: &[u16]| {
        let keys = events[..authors]
            .iter()
            .map(|event| *event.pubkey())
            .collect();
        let mut filter = Filter {
            authors: (authors > 0).then_some(keys),
            kinds: (!kinds.is_empty()).then(|| kinds.to_vec()),
            ..Filter::default()
        };
        filter.normalize();
        filter
    };
    let mut topic = Filter::default();
    topic.tags.insert(b't', vec!["topic7".to_owned()]);
    let ids = events.iter().step_by(100).map(|event| *event.id());
    let mut by_id = Filter {
        ids: Some(ids.collect()),
        ..Filter::default()
    };
    by_id.normalize();

    let mut group = criterion.benchmark_group("scan");
    for (name, filter) in [
        ("newest", Filter::default()),
        ("40 ids", by_id),
        ("one author", of(1, &[])),
        ("50 authors, one kind", of(50, &[1])),
        ("one kind", of(0, &[1])),
        ("one topic", topic),
    ] {
        let scan = Scan {
            filter: &filter,
            order: Order::NewestFirst,
            resume: None,
            max_row: u64::MAX,
            now: 0,
            budget: Budget {
                events: 50,
                entries: usize::MAX,
                bytes: usize::MAX,
                time: Duration::from_secs(60),
            },
        };
        let found = store.scan(&scan).unwrap().events.len();
        assert!(found > 0, "{name} finds nothing");
        group.throughput(Throughput::Elements(found as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| store.scan(&scan).unwrap().events.len());
        });
    }
    group.finish();
}
