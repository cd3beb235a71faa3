//! Measures how the cost of the store grows with what it holds.
//!
//! ```sh
//! cargo run --release -p trellis-relay --example store_scale -- DIRECTORY grow EVENTS [live|scattered]
//! cargo run --release -p trellis-relay --example store_scale -- DIRECTORY ingest [SHARE]
//! cargo run --release -p trellis-relay --example store_scale -- DIRECTORY query
//! cargo run --release -p trellis-relay --example store_scale -- DIRECTORY check|compact|export
//! cargo run --release -p trellis-relay --example store_scale -- - lines EVENTS > FILE
//! ```
//! `grow` fills a directory up to a number of events, which the other commands then measure. Events have the kinds 0, 1,
//! 3, 7, 445, 1059 and 30023, 3.8 indexed tags in the mean, and authors of whom few write most. Their ids look like hashes
//! and signatures are left out: what is measured is the store alone, and the making of events is not counted. `live` times
//! rise with the row, `scattered` ones do not. `lines` prints such events signed, for `trellis import`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use secp256k1::{Keypair, Secp256k1};
use std::io::Write as _;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use trellis_relay::event::{Event, EventId, EventParts, PublicKey};
use trellis_relay::filter::Filter;
use trellis_relay::store::lmdb::{LmdbOptions, LmdbStore};
use trellis_relay::store::{Budget, NoPolicy, Order, Scan, Store, Write};

const AUTHORS: u64 = 100_000;
const TOPICS: u64 = 20_000;
const GROUPS: u64 = 2_000;
const START_S: u64 = 1_600_000_000;
const EVENTS_A_SECOND: u64 = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize| arguments.get(at).map(String::as_str);
    if argument(1) == Some("lines") {
        return print_lines(argument(2).unwrap().parse().unwrap());
    }
    let directory = Path::new(argument(0).unwrap());
    let options = LmdbOptions::default();
    let store = LmdbStore::open(directory, options).unwrap();
    match argument(1).unwrap() {
        "grow" => {
            let until = argument(2).unwrap().parse().unwrap();
            grow(&store, until, argument(3) == Some("scattered"));
        }
        "ingest" => ingest(
            &store,
            argument(2).map_or(1.0, |share| share.parse().unwrap()),
        ),
        "query" => query(&store),
        "check" => {
            let since = Instant::now();
            let report = store.check().unwrap();
            println!("{report:?} in {:.1?}", since.elapsed());
        }
        "compact" => {
            let since = Instant::now();
            let report = store.compact(&mut |_| ControlFlow::Continue(())).unwrap();
            println!("{report:?} in {:.1?}", since.elapsed());
        }
        "export" => export(&store),
        other => println!("what is {other}?"),
    }
    report_size(&store);
}

/// Signing takes a core for a while, so it takes two.
fn print_lines(count: u64) {
    const PIECE: u64 = 10_000;
    let mut out = std::io::stdout().lock();
    for from in (0..count).step_by(2 * PIECE as usize) {
        let rows = |from: u64| from.min(count)..(from + PIECE).min(count);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| signed_lines(rows(from + PIECE)));
            out.write_all(&signed_lines(rows(from))).unwrap();
            out.write_all(&second.join().unwrap()).unwrap();
        });
    }
}

fn signed_lines(rows: Range<u64>) -> Vec<u8> {
    let secp = Secp256k1::new();
    let mut lines = Vec::new();
    for row in rows {
        let event = event(row, row, false);
        let keypair = Keypair::from_seckey_slice(&secp, event.pubkey().as_bytes()).unwrap();
        let author = keypair.x_only_public_key().0.serialize();
        let mut parts = EventParts {
            id: &[0; 32],
            pubkey: &author,
            created_at: event.created_at(),
            kind: event.kind(),
            tags_json: event.tags_json(),
            content_json: event.content_json(),
            sig: &[0; 64],
        };
        let id = parts.assemble().computed_id();
        let signature = secp.sign_schnorr_no_aux_rand(&id, &keypair);
        (parts.id, parts.sig) = (&id, signature.as_ref());
        lines.extend_from_slice(parts.assemble().json());
        lines.push(b'\n');
    }
    lines
}

fn report_size(store: &LmdbStore) {
    let stats = store.stats().unwrap();
    println!(
        "{} events, {} bytes an event",
        stats.events,
        stats.used_bytes / stats.events.max(1)
    );
}

fn grow(store: &LmdbStore, until: u64, scattered: bool) {
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

fn ingest(store: &LmdbStore, share: f64) {
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

struct Usage {
    total: Duration,
    system: Duration,
    written_bytes: u64,
}

impl Usage {
    fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let after_name = stat.rsplit(") ").next().unwrap();
        let ticks: Vec<u64> = after_name
            .split(' ')
            .map(|field| field.trim().parse().unwrap_or(0))
            .collect();
        let total = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let total = Duration::new(total.tv_sec as u64, total.tv_nsec as u32);
        let system = Duration::from_millis(10 * ticks[12]);
        let io = std::fs::read_to_string("/proc/self/io").unwrap();
        let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
        Usage {
            total,
            system,
            written_bytes: written.unwrap().parse().unwrap(),
        }
    }
}

fn query(store: &LmdbStore) {
    let last_row = store.last_row().unwrap();
    let newest_s = START_S + last_row / EVENTS_A_SECOND;
    let followed: Vec<u64> = (0..500).map(|n| 3 + n * 37).collect();
    let half = |from: u64, to: u64| Filter {
        since: Some(from),
        until: Some(to),
        ..Filter::default()
    };
    let middle = START_S + last_row / EVENTS_A_SECOND / 2;
    let popular = hex(&event_id(popular_before(last_row - 1_000)));
    let rare = hex(&event_id(last_row / 2 + 7));
    let filters = [
        ("newest", Filter::default()),
        ("kind 1", of(&[], &[1], &[])),
        ("kind 30023", of(&[], &[30_023], &[])),
        ("kind 40000, none", of(&[], &[40_000], &[])),
        ("kinds 0 and 40000", of(&[], &[0, 40_000], &[])),
        ("busiest author", of(&[0], &[], &[])),
        ("quiet author", of(&[90_001], &[], &[])),
        ("busiest author, kind 1", of(&[0], &[1], &[])),
        ("busiest author, kind 445", of(&[0], &[445], &[])),
        ("500 authors, kinds 1, 6, 7", of(&followed, &[1, 6, 7], &[])),
        ("500 authors, kind 0", of(&followed, &[0], &[])),
        ("500 authors", of(&followed, &[], &[])),
        ("500 authors, kind 40000", of(&followed, &[40_000], &[])),
        ("#p common", of(&[], &[], &[('p', author_hex(0))])),
        (
            "#p common, kind 1059",
            of(&[], &[1_059], &[('p', author_hex(0))]),
        ),
        (
            "#p common, kind 30023",
            of(&[], &[30_023], &[('p', author_hex(0))]),
        ),
        ("#p rare", of(&[], &[], &[('p', author_hex(90_001))])),
        ("#e popular", of(&[], &[], &[('e', popular.clone())])),
        ("#e rare", of(&[], &[], &[('e', rare)])),
        ("#t common", of(&[], &[], &[('t', "topic0".to_owned())])),
        (
            "#t common, quiet author",
            of(&[90_001], &[], &[('t', "topic0".to_owned())]),
        ),
        (
            "#t common, busiest author",
            of(&[0], &[], &[('t', "topic0".to_owned())]),
        ),
        (
            "#t common and #p common",
            of(
                &[],
                &[],
                &[('t', "topic0".to_owned()), ('p', author_hex(0))],
            ),
        ),
        (
            "#t common and #p rare",
            of(
                &[],
                &[],
                &[('t', "topic0".to_owned()), ('p', author_hex(90_001))],
            ),
        ),
        (
            "#t common, kind 445, none",
            of(&[], &[445], &[('t', "topic0".to_owned())]),
        ),
        ("#h one group", of(&[], &[445], &[('h', group_hex(7))])),
        (
            "#t missing, kind 1",
            of(&[], &[1], &[('t', "nowhere".to_owned())]),
        ),
        (
            "kind 1, a minute in the middle",
            Filter {
                kinds: Some(vec![1]),
                ..half(middle, middle + 60)
            },
        ),
        (
            "busiest author before the middle",
            Filter {
                authors: Some(vec![author(0)]),
                ..half(0, middle)
            },
        ),
        (
            "since beyond the end",
            half(newest_s + 10_000_000, u64::MAX),
        ),
        (
            "quiet author, kind 1, last day",
            Filter {
                authors: Some(vec![author(90_001)]),
                kinds: Some(vec![1]),
                since: Some(newest_s - 86_400),
                ..Filter::default()
            },
        ),
        (
            "100 ids",
            Filter {
                ids: Some(
                    (0..100)
                        .map(|n| EventId::from_byte_array(event_id(n * 977)))
                        .collect(),
                ),
                ..Filter::default()
            },
        ),
    ];
    println!("query                              first us   us       events  calls");
    for (name, mut filter) in filters {
        filter.normalize();
        let run = || {
            let mut scan = Scan {
                filter: &filter,
                order: Order::NewestFirst,
                resume: None,
                max_row: u64::MAX,
                now: 0,
                budget: Budget {
                    events: 50,
                    entries: 20_000,
                    bytes: usize::MAX,
                    time: Duration::from_millis(5),
                },
            };
            let (mut found, mut calls) = (0, 0);
            loop {
                let page = store.scan(&scan).unwrap();
                found += page.events.len();
                calls += 1;
                scan.resume = page.next;
                scan.budget.events = 50usize.saturating_sub(found);
                if found >= 50 || page.next.is_none() {
                    return (found, calls);
                }
            }
        };
        let since = Instant::now();
        let (found, calls) = run();
        let first = since.elapsed();
        let rounds = (50_000 / (first.as_micros() + 1)).clamp(1, 500) as u32;
        let since = Instant::now();
        for _ in 0..rounds {
            run();
        }
        let us = since.elapsed().as_secs_f64() * 1e6 / f64::from(rounds);
        println!(
            "{name:<34} {:<10} {us:<8.1} {found:<7} {calls}",
            first.as_micros()
        );
    }
}

fn export(store: &LmdbStore) {
    let mut scan = Scan {
        filter: &Filter::default(),
        order: Order::OldestFirst,
        resume: None,
        max_row: u64::MAX,
        now: 0,
        budget: Budget {
            events: 500,
            entries: 20_000,
            bytes: 8 << 20,
            time: Duration::from_secs(1),
        },
    };
    for order in [Order::OldestFirst, Order::NewestFirst] {
        scan.order = order;
        scan.resume = None;
        let (since, mut found) = (Instant::now(), 0);
        loop {
            let page = store.scan(&scan).unwrap();
            found += page.events.len();
            scan.resume = page.next;
            if page.next.is_none() {
                break;
            }
        }
        let rate = found as f64 / since.elapsed().as_secs_f64();
        println!("{order:?}: {rate:.0} events/s");
    }
}

fn of(authors: &[u64], kinds: &[u16], tags: &[(char, String)]) -> Filter {
    let mut filter = Filter {
        authors: (!authors.is_empty()).then(|| authors.iter().map(|&n| author(n)).collect()),
        kinds: (!kinds.is_empty()).then(|| kinds.to_vec()),
        ..Filter::default()
    };
    for (letter, value) in tags {
        filter.tags.insert(*letter as u8, vec![value.clone()]);
    }
    filter
}

/// Rows `from..from + count`, each the same whenever it is made.
fn events(from: u64, count: u64, scattered: bool) -> Vec<Arc<Event>> {
    (from..from + count)
        .map(|row| Arc::new(event(row, from + count, scattered)))
        .collect()
}

fn event(row: u64, rows: u64, scattered: bool) -> Event {
    let mut random = StdRng::seed_from_u64(row ^ 0x5eed);
    let random = &mut random;
    let author_number = few_of_many(random, AUTHORS);
    let mut tags = Vec::new();
    let mut push = |letter: char, value: String| tags.push(format!(r#"["{letter}","{value}"]"#));
    let someone = |random: &mut StdRng| author_hex(few_of_many(random, AUTHORS));
    let topic = |random: &mut StdRng| format!("topic{}", few_of_many(random, TOPICS));
    let earlier = |random: &mut StdRng| {
        let back = 1 + random.random_range(0..20_000);
        let earlier = row.saturating_sub(back);
        let chosen = match random.random_bool(0.5) {
            true => popular_before(earlier),
            false => earlier,
        };
        hex(&event_id(chosen))
    };
    let (kind, content_bytes) = match random.random_range(0..1_000) {
        0..30 => (0, 300..500),
        30..45 => {
            for _ in 0..random.random_range(10..80) {
                push('p', someone(random));
            }
            (3, 0..20)
        }
        45..450 => {
            if random.random_bool(0.6) {
                push('e', earlier(random));
                push('e', earlier(random));
                push('p', someone(random));
                push('p', someone(random));
            }
            for _ in 0..random.random_range(0..3) {
                push('t', topic(random));
            }
            (1, 20..1_400)
        }
        450..750 => {
            push('e', earlier(random));
            push('p', someone(random));
            push('k', "1".to_owned());
            (7, 1..4)
        }
        750..870 => {
            push('h', group_hex(few_of_many(random, GROUPS)));
            (445, 400..2_000)
        }
        870..960 => {
            push('p', someone(random));
            (1_059, 800..2_500)
        }
        _ => {
            push('d', format!("article-{row}"));
            for _ in 0..random.random_range(1..6) {
                push('t', topic(random));
            }
            (30_023, 1_000..4_000)
        }
    };
    let length = random.random_range(content_bytes);
    let mut content = String::with_capacity(length + 2);
    content.push('"');
    let bits: Vec<u64> = (0..length.div_ceil(12)).map(|_| random.random()).collect();
    content.extend(
        (0..length).map(|n| char::from(b'a' + (bits[n / 12] >> (5 * (n % 12)) & 15) as u8)),
    );
    content.push('"');
    let row_for_time = if scattered {
        random.random_range(0..rows)
    } else {
        row
    };
    let created_at = START_S + row_for_time / EVENTS_A_SECOND + random.random_range(0..60);
    // Gift wraps come from keys that are used once.
    let author = match kind {
        1_059 => bytes(3, row),
        _ => bytes(1, author_number),
    };
    let parts = EventParts {
        id: &event_id(row),
        pubkey: &author,
        created_at,
        kind,
        tags_json: &format!("[{}]", tags.join(",")),
        content_json: &content,
        sig: &[0x5a; 64],
    };
    parts.assemble()
}

/// Low numbers far more often than high ones.
fn few_of_many(random: &mut StdRng, many: u64) -> u64 {
    let uniform: f64 = random.random();
    ((many as f64).powf(uniform) - 1.0) as u64
}

fn popular_before(row: u64) -> u64 {
    row - row % 500
}

fn event_id(row: u64) -> [u8; 32] {
    bytes(0, row)
}

fn author(number: u64) -> PublicKey {
    PublicKey::from_byte_array(bytes(1, number))
}

fn author_hex(number: u64) -> String {
    hex(&bytes(1, number))
}

fn group_hex(number: u64) -> String {
    hex(&bytes(2, number))
}

fn hex(bytes: &[u8]) -> String {
    const_hex::encode(bytes)
}

fn bytes(what: u64, number: u64) -> [u8; 32] {
    StdRng::seed_from_u64(number << 2 | what).random()
}
