//! Live events and the subscriptions that may want them.

use super::events::signed;
use criterion::{Criterion, Throughput};
use trellis_relay::event::PublicKey;
use trellis_relay::fanout::Fanout;
use trellis_relay::filter::Filter;

const EVENTS: usize = 400;
const SUBSCRIPTIONS: u32 = 10_000;

pub(crate) fn measure(criterion: &mut Criterion) {
    let events = signed(EVENTS);
    let mut candidates = Vec::new();
    let mut group = criterion.benchmark_group("match");
    group.throughput(Throughput::Elements(EVENTS as u64));
    for (name, filter) in [
        ("10,000 by author", by_author as fn(u32) -> Filter),
        ("10,000 by topic", by_topic),
        ("10,000 by kind", by_kind),
    ] {
        let mut fanout = Fanout::default();
        for sub in 0..SUBSCRIPTIONS {
            fanout.insert(sub, [&filter(sub)]);
        }
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let found = events.iter().map(|event| {
                    fanout.candidates(event, &mut candidates);
                    candidates.len()
                });
                found.sum::<usize>()
            });
        });
    }
    let exact = by_topic(7);
    group.bench_function("one filter, exactly", |bencher| {
        bencher.iter(|| events.iter().filter(|event| exact.matches(event)).count());
    });
    group.finish();

    criterion.bench_function("match/subscribe and unsubscribe", |bencher| {
        let mut fanout = Fanout::default();
        let filter = by_author(1);
        bencher.iter(|| {
            fanout.insert(7, [&filter]);
            fanout.remove(7, [&filter]);
        });
    });
}

fn by_author(number: u32) -> Filter {
    let mut key = [7; 32];
    key[..4].copy_from_slice(&number.to_be_bytes());
    Filter {
        authors: Some(vec![PublicKey::from_byte_array(key)]),
        ..Filter::default()
    }
}

fn by_topic(number: u32) -> Filter {
    let mut filter = Filter::default();
    filter.tags.insert(b't', vec![format!("topic{number}")]);
    filter
}

/// Of kinds that are not among the events, so that looking is measured and not copying.
fn by_kind(number: u32) -> Filter {
    Filter {
        kinds: Some(vec![40_000 + (number % 1_000) as u16]),
        ..Filter::default()
    }
}
