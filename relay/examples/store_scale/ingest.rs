//! Fills a store, and measures what commits cost.

use crate::events::events;
use crate::usage::Usage;
use std::sync::Arc;
use std::time::{Duration, Instant};
use trellis_relay::event::Event;
use trellis_relay::store::lmdb::LmdbStore;
use trellis_relay::store::{NoPolicy, Store, Write};

pub(crate) fn grow(store: &LmdbStore, until: u64, scattered: bool) {
    let mut at = store.last_row().unwrap();
    let mut stored = store.stats().unwrap().events;
    while stored < until {
        let piece = events(at, 65_536.min(until - stored).max(64), scattered);
        let cost = measure(store, &piece, 16_384);
        at += piece.len() as u64;
        stored = store.stats().unwrap().events;
        if at % 1_000_000 < 65_536 || stored == until {
            println!("{stored} stored: {cost}");
        }
    }
}

pub(crate) fn ingest(store: &LmdbStore, share: f64) {
    let mut at = store.last_row().unwrap();
    println!("times     batch  events  CPU us an event");
    for (scattered, batch, count) in [
        (false, 64, 4_096),
        (false, 256, 8_192),
        (false, 1_024, 16_384),
        (false, 2_048, 16_384),
        (true, 256, 8_192),
        (true, 2_048, 16_384),
    ] {
        let piece = events(at, (f64::from(count) * share) as u64, scattered);
        at += piece.len() as u64;
        let cost = measure(store, &piece, batch);
        let times = if scattered { "scattered" } else { "live" };
        println!("{times:<9} {batch:<6} {:<7} {cost}", piece.len());
    }
}

fn measure(store: &LmdbStore, piece: &[Arc<Event>], batch: usize) -> String {
    let writes: Vec<Write> = piece.iter().cloned().map(Write::Put).collect();
    let (before, since) = (Usage::now(), Instant::now());
    for batch in writes.chunks(batch) {
        store.commit(batch, &NoPolicy, 0).unwrap();
    }
    let (after, wall) = (Usage::now(), since.elapsed());
    let per = |time: Duration| time.as_secs_f64() * 1e6 / piece.len() as f64;
    // The kernel counts system time in ticks, so it is coarse.
    let (total, system) = (after.total - before.total, after.system - before.system);
    let user = total.saturating_sub(system);
    format!(
        "{:.1} ({:.1} user, {:.1} system); wall us an event {:.1}, ms a commit {:.1}; bytes written an event {}",
        per(total),
        per(user),
        per(system),
        per(wall),
        wall.as_secs_f64() * 1e3 / writes.len().div_ceil(batch) as f64,
        (after.written_bytes - before.written_bytes) / piece.len() as u64,
    )
}
