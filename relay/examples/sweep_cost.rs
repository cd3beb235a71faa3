//! Measures what sweeps cost: walks of the rules of retention that remove nothing, and chunks that do.
//!
//! ```sh
//! cargo run --release -p trellis-relay --example sweep_cost [DIRECTORY [EVENTS]]
//! ```
//! The events are short notes and reactions by one author for each fifty of them. A walk is what a pass costs a reader;
//! removing a chunk is what it costs the writer, fsync included.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use trellis_relay::config::RetentionRule;
use trellis_relay::event::{Event, EventParts};
use trellis_relay::retention::Walk;
use trellis_relay::store::lmdb::{LmdbOptions, LmdbStore};
use trellis_relay::store::{Cause, NoPolicy, Store, Write};

const FIRST_S: u64 = 1_700_000_000;
const EVENTS_PER_AUTHOR: usize = 50;
const CHUNK: usize = 256;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let count = arguments
        .next()
        .map_or(200_000, |count| count.parse().unwrap());
    let path = directory.join(format!("sweep_cost-{}", std::process::id()));
    measure(&path, count);
    std::fs::remove_dir_all(&path).unwrap();
}

fn measure(path: &Path, count: usize) {
    let store = LmdbStore::open(path, LmdbOptions::default()).unwrap();
    let mut random = StdRng::seed_from_u64(1);
    let authors: Vec<[u8; 32]> = (0..count.div_ceil(EVENTS_PER_AUTHOR))
        .map(|_| random.random())
        .collect();
    for first in (0..count).step_by(2_048) {
        let numbers = first..count.min(first + 2_048);
        let batch: Vec<Write> = numbers
            .map(|n| Write::Put(event(&mut random, &authors, n)))
            .collect();
        store.commit(&batch, &NoPolicy, 0).unwrap();
    }
    let now = FIRST_S + count as u64;
    println!(
        "{count} events\n\nrule                                  ms      pages   longest page ms   removed"
    );
    for rule in [
        "max_age = '3000d'",
        "kinds = [7]\nmax_age = '3000d'",
        "kinds = [[10, 60000]]\nmax_age = '1s'",
        "max_count = 4000000000",
        "max_count = 1000\nper = 'author'",
        "kinds = [7]\nmax_count = 10000\nper = 'author'",
        "max_count = 45\nper = 'author'",
        "max_age = '100000s'",
    ] {
        walk(&store, rule, now);
    }
}

fn walk(store: &LmdbStore, rule: &str, now: u64) {
    let mut walk = Walk::new(&toml::from_str::<RetentionRule>(rule).unwrap());
    let (mut reading, mut writing) = (Duration::ZERO, Duration::ZERO);
    let (mut pages, mut longest, mut removed, mut chunks) = (0, Duration::ZERO, 0, 0);
    let mut found = Vec::new();
    // A part tells as much as the whole.
    while !walk.is_done() && chunks < 200 {
        let since = Instant::now();
        let page = walk.page(store, now, CHUNK - found.len()).unwrap();
        let took = since.elapsed();
        reading += took;
        longest = longest.max(took);
        pages += 1;
        found.extend(page);
        if found.is_empty() || (found.len() < CHUNK && !walk.is_done()) {
            continue;
        }
        let removals = found.drain(..);
        let batch: Vec<Write> = removals
            .map(|id| Write::Remove(id, Cause::Retention))
            .collect();
        let since = Instant::now();
        store.commit(&batch, &NoPolicy, now).unwrap();
        writing += since.elapsed();
        removed += batch.len();
        chunks += 1;
    }
    println!(
        "{:<37} {:<7} {:<7} {:<17.1} {removed}",
        rule.replace('\n', ", "),
        reading.as_millis(),
        pages,
        longest.as_secs_f64() * 1e3,
    );
    if let Some(each) = removed.checked_div(chunks) {
        println!(
            "  removing a chunk of {each} took {:.1} ms",
            writing.as_secs_f64() * 1e3 / chunks as f64
        );
    }
}

fn event(random: &mut StdRng, authors: &[[u8; 32]], n: usize) -> Arc<Event> {
    let person = const_hex::encode(authors[random.random_range(0..authors.len())]);
    let parts = EventParts {
        id: &random.random(),
        pubkey: &authors[random.random_range(0..authors.len())],
        created_at: FIRST_S + n as u64,
        kind: if n.is_multiple_of(3) { 7 } else { 1 },
        tags_json: &format!(r#"[["p","{person}"]]"#),
        content_json: r#""not much to say""#,
        sig: &[0x5a; 64],
    };
    Arc::new(parts.assemble())
}
