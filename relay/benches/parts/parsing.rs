//! From a frame's text to a message, an event, a filter.

use super::events::signed;
use criterion::{Criterion, Throughput};
use std::hint::black_box;
use trellis_relay::event::Event;
use trellis_relay::filter::{Filter, FilterLimits};
use trellis_relay::wire::ClientMessage;

const EVENTS: usize = 400;

pub(crate) fn measure(criterion: &mut Criterion) {
    let events = signed(EVENTS);
    let canonical: Vec<&[u8]> = events.iter().map(|event| &event.json()[..]).collect();
    // As a client writes it that uses another order and white space.
    let loose: Vec<String> = events
        .iter()
        .map(|event| {
            let value: serde_json::Value = serde_json::from_slice(event.json()).unwrap();
            serde_json::to_string_pretty(&value).unwrap()
        })
        .collect();
    let messages: Vec<Vec<u8>> = canonical
        .iter()
        .map(|json| [b"[\"EVENT\",", *json, b"]"].concat())
        .collect();

    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Elements(EVENTS as u64));
    group.bench_function("event/canonical", |bencher| {
        bencher.iter(|| {
            canonical
                .iter()
                .all(|json| Event::parse(black_box(json)).is_ok())
        });
    });
    group.bench_function("event/loose", |bencher| {
        bencher.iter(|| {
            loose
                .iter()
                .all(|json| Event::parse(black_box(json.as_bytes())).is_ok())
        });
    });
    group.bench_function("message/event", |bencher| {
        bencher.iter(|| {
            messages
                .iter()
                .all(|text| ClientMessage::parse(black_box(text), 64).is_ok())
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("parse");
    let key = "ab".repeat(32);
    let keys = vec![format!("\"{key}\""); 200].join(",");
    let filters = [
        (
            "small",
            r##"{"kinds":[1],"#t":["cats"],"limit":50}"##.to_owned(),
        ),
        (
            "200 authors",
            format!(r#"{{"authors":[{keys}],"kinds":[1,6,7],"limit":50}}"#),
        ),
    ];
    for (name, filter) in &filters {
        let request = format!(r#"["REQ","feed",{filter}]"#);
        group.bench_function(format!("message/req/{name}"), |bencher| {
            bencher.iter(|| ClientMessage::parse(black_box(request.as_bytes()), 64).is_ok());
        });
        group.bench_function(format!("filter/{name}"), |bencher| {
            let limits = FilterLimits::default();
            bencher.iter(|| Filter::parse(black_box(filter), &limits).is_ok());
        });
    }
    group.finish();
}
