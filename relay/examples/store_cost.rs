//! Measures what a stored event costs: microseconds of CPU and wall time by batch size, and bytes on disk.
//!
//! ```sh
//! cargo run --release -p trellis-relay --example store_cost [DIRECTORY [EVENTS...]]
//! ```
//! The events are notes, reactions and messages of 200 to 2,000 bytes by 1,000 authors, with ids and keys that look like
//! hashes. Commits are durable, so wall time includes the disk's.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use trellis_relay::admin::console::{Console, Note};
use trellis_relay::admin::export::{ExportJob, export};
use trellis_relay::admin::target::StoppedStore;
use trellis_relay::clock::SystemClock;
use trellis_relay::event::{Event, EventParts, PublicKey};
use trellis_relay::filter::Filter;
use trellis_relay::store::lmdb::{LmdbOptions, LmdbStore};
use trellis_relay::store::{Budget, NoPolicy, Order, Scan, Store, Write};

const AUTHORS: usize = 1_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let mut totals: Vec<usize> = arguments.map(|total| total.parse().unwrap()).collect();
    if totals.is_empty() {
        totals = vec![20_000, 100_000];
    }
    println!(
        "events   batch   CPU us/event   of the last tenth   wall us/event   bytes/event   JSON bytes/event"
    );
    for total in totals {
        let events = synthetic_events(total);
        for batch in [1, 256, 2_048] {
            // One by one, every event waits for the disk: a part of them tells as much.
            let taken = if batch == 1 { total.min(20_000) } else { total };
            measure_ingest(&directory, &events[..taken], batch);
        }
    }
    measure_reads(&directory, &synthetic_events(100_000));
}

fn measure_ingest(directory: &Path, events: &[Arc<Event>], batch: usize) {
    let path = directory.join(format!("store_cost-{}", std::process::id()));
    let store = LmdbStore::open(&path, LmdbOptions::default()).unwrap();
    let writes: Vec<Write> = events.iter().cloned().map(Write::Put).collect();
    let (cpu, wall) = (cpu_time(), Instant::now());
    let (most, last_tenth) = writes.split_at(writes.len() / 10 * 9);
    for batch in most.chunks(batch) {
        store.commit(batch, &NoPolicy, 0).unwrap();
    }
    let cpu_before_last = cpu_time();
    for batch in last_tenth.chunks(batch) {
        store.commit(batch, &NoPolicy, 0).unwrap();
    }
    let (end, wall) = (cpu_time(), wall.elapsed());
    let json_bytes: usize = events.iter().map(|event| event.json().len()).sum();
    println!(
        "{:<8} {:<7} {:<14.1} {:<19.1} {:<15.1} {:<13} {}",
        events.len(),
        batch,
        per(end - cpu, events.len()),
        per(end - cpu_before_last, last_tenth.len()),
        per(wall, events.len()),
        store.stats().unwrap().used_bytes / events.len() as u64,
        json_bytes / events.len(),
    );
    drop(store);
    std::fs::remove_dir_all(&path).unwrap();
}

fn measure_reads(directory: &Path, events: &[Arc<Event>]) {
    let path = directory.join(format!("store_cost-{}", std::process::id()));
    let store = Arc::new(LmdbStore::open(&path, LmdbOptions::default()).unwrap());
    let writes: Vec<Write> = events.iter().cloned().map(Write::Put).collect();
    for batch in writes.chunks(2_048) {
        store.commit(batch, &NoPolicy, 0).unwrap();
    }
    let authors: Vec<_> = events[..200].iter().map(|event| *event.pubkey()).collect();
    let followed = events.iter().find(|event| event.kind() == 7).unwrap();
    let followed = followed.tag_values(b'e').next().unwrap().into_owned();
    println!("\nquery                          us/query   events   us/event");
    let mut filters = vec![
        ("newest 50", Filter::default()),
        ("one author, kind 1", of(&authors[..1], &[1])),
        ("200 authors, kinds 1 and 7", of(&authors, &[1, 7])),
        ("kind 1", of(&[], &[1])),
        ("replies to one event", Filter::default()),
        ("nothing there", of(&[], &[40_000])),
    ];
    filters[4].1.tags.insert(b'e', vec![followed]);
    for (name, filter) in &filters {
        let scan = Scan {
            filter,
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
        let rounds = 2_000;
        let since = Instant::now();
        let mut found = 0;
        for _ in 0..rounds {
            found += store.scan(&scan).unwrap().events.len();
        }
        let wall = since.elapsed();
        println!(
            "{name:<30} {:<10.1} {:<8} {:.2}",
            per(wall, rounds),
            found / rounds,
            per(wall, found.max(1))
        );
    }
    measure_export(&store);
    measure_upkeep(&store);
    measure_counts(&store);
    drop(store);
    std::fs::remove_dir_all(&path).unwrap();
}

/// Nobody looks, nobody reads.
struct Silent;

impl Console for Silent {
    fn print(&mut self, _event_json: &[u8]) -> io::Result<()> {
        Ok(())
    }
    fn tell(&mut self, _note: Note) {}
    fn is_cancelled(&self) -> bool {
        false
    }
}

fn target(store: &Arc<LmdbStore>) -> StoppedStore {
    StoppedStore::new(store.clone(), Arc::default(), Arc::new(SystemClock))
}

fn measure_export(store: &Arc<LmdbStore>) {
    for oldest_first in [false, true] {
        let job = ExportJob {
            oldest_first,
            ..ExportJob::default()
        };
        let since = Instant::now();
        let written = export(&target(store), &job, &mut Silent).unwrap();
        println!(
            "export, oldest first {oldest_first}: {:.0} events/s",
            written as f64 / since.elapsed().as_secs_f64()
        );
    }
}

fn measure_upkeep(store: &LmdbStore) {
    let since = Instant::now();
    let checked = store
        .inspect(true, &mut |_| ControlFlow::Continue(()))
        .unwrap();
    let seconds = since.elapsed().as_secs_f64();
    println!(
        "check with ids: {:.0} events/s",
        checked.events as f64 / seconds
    );
    let since = Instant::now();
    let report = store.compact(&mut |_| ControlFlow::Continue(())).unwrap();
    println!(
        "compact: {:.0} events/s, {} bytes before, {} after",
        checked.events as f64 / since.elapsed().as_secs_f64(),
        report.before_bytes,
        report.after_bytes
    );
}

/// In pages like those of COUNT and NEG-OPEN.
fn measure_counts(store: &LmdbStore) {
    let all = Filter::default();
    let mut tagged = Filter::default();
    let topics = (0..50).map(|topic| format!("topic{topic}"));
    tagged.tags.insert(b't', topics.collect());
    tagged.normalize();
    for (name, filter) in [("all", &all), ("50 values of a tag", &tagged)] {
        for events in [500, usize::MAX] {
            let mut scan = Scan {
                filter,
                order: Order::NewestFirst,
                resume: None,
                max_row: u64::MAX,
                now: 0,
                budget: Budget {
                    events,
                    entries: 20_000,
                    bytes: usize::MAX,
                    time: Duration::from_millis(5),
                },
            };
            let (since, mut count) = (Instant::now(), 0);
            loop {
                let page = store.count(&scan).unwrap();
                count += page.count;
                scan.resume = page.next;
                if page.next.is_none() {
                    break;
                }
            }
            let counting = since.elapsed();
            print!("count {name}, pages of {events}: {count} in {counting:.1?}; positions ");
            for order in [Order::NewestFirst, Order::OldestFirst] {
                scan.order = order;
                let (since, mut positions) = (Instant::now(), Vec::new());
                loop {
                    let page = store.positions(&scan).unwrap();
                    positions.extend(page.positions);
                    scan.resume = page.next;
                    if page.next.is_none() {
                        break;
                    }
                }
                print!("{order:?} {:.1?} ", since.elapsed());
            }
            println!();
        }
    }
}

fn of(authors: &[PublicKey], kinds: &[u16]) -> Filter {
    let mut filter = Filter {
        authors: (!authors.is_empty()).then(|| authors.to_vec()),
        kinds: Some(kinds.to_vec()),
        ..Filter::default()
    };
    filter.normalize();
    filter
}

fn per(time: Duration, events: usize) -> f64 {
    time.as_secs_f64() * 1e6 / events as f64
}

/// User and system time of this process.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn synthetic_events(count: usize) -> Vec<Arc<Event>> {
    let mut random = StdRng::seed_from_u64(1);
    let authors: Vec<[u8; 32]> = (0..AUTHORS).map(|_| random.random()).collect();
    let mut ids: Vec<[u8; 32]> = Vec::with_capacity(count);
    (0..count)
        .map(|n| {
            let id: [u8; 32] = random.random();
            let any_id = |random: &mut StdRng| match ids.len() {
                0 => const_hex::encode([0; 32]),
                len => const_hex::encode(ids[len - 1 - random.random_range(0..len.min(5_000))]),
            };
            let person = const_hex::encode(authors[random.random_range(0..AUTHORS)]);
            let (kind, tags) = match random.random_range(0..10) {
                0..4 => (1, format!(r#"[["p","{person}"],["t","topic{}"]]"#, n % 50)),
                4..7 => {
                    let id = any_id(&mut random);
                    (7, format!(r#"[["e","{id}"],["p","{person}"]]"#))
                }
                7..9 => {
                    let (root, reply) = (any_id(&mut random), any_id(&mut random));
                    (
                        1,
                        format!(
                            r#"[["e","{root}","wss://relay.example","root"],["e","{reply}","wss://relay.example","reply"],["p","{person}"]]"#
                        ),
                    )
                }
                _ => (445, format!(r#"[["h","{}"]]"#, const_hex::encode(authors[n % 20]))),
            };
            let length = random.random_range(20..1_400);
            let content: String = (0..length)
                .map(|_| random.random_range('a'..='z'))
                .collect();
            let event = EventParts {
                id: &id,
                pubkey: &authors[random.random_range(0..AUTHORS)],
                created_at: 1_700_000_000 + n as u64 / 3 + random.random_range(0..60),
                kind,
                tags_json: &tags,
                content_json: &format!(r#""{content}""#),
                sig: &[0x5a; 64],
            };
            ids.push(id);
            Arc::new(event.assemble())
        })
        .collect()
}
