//! Whether an event is what it says.

use super::events::signed;
use criterion::{Criterion, Throughput};

const EVENTS: usize = 200;

pub(crate) fn measure(criterion: &mut Criterion) {
    let events = signed(EVENTS);
    let mut group = criterion.benchmark_group("verify");
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.bench_function("id", |bencher| {
        bencher.iter(|| {
            events
                .iter()
                .all(|event| event.computed_id() == *event.id().as_bytes())
        });
    });
    group.bench_function("id and signature", |bencher| {
        bencher.iter(|| events.iter().all(|event| event.verify().is_ok()));
    });
    group.finish();
}
