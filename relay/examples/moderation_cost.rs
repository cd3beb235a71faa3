//! What the operator's lists cost with 100,000 banned keys: loading, memory, one check, one change.
//!
//! `cargo run --release --example moderation_cost -p trellis-relay`

use std::hint::black_box;
use std::time::Instant;
use trellis_relay::event::PublicKey;
use trellis_relay::moderation::{Moderation, Row, SPACE, Standing, Subject, Verdict};
use trellis_relay::store::lmdb::{LmdbOptions, LmdbStore};
use trellis_relay::store::{NoPolicy, Store, Write};

const KEYS: u32 = 100_000;
const CHECKS: u32 = 10_000_000;
const CHANGES: u32 = 10_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::temp_dir().join(format!("moderation-cost-{}", std::process::id()));
    let store = LmdbStore::open(&directory, LmdbOptions::default())?;
    let standing = Standing {
        verdict: Verdict::Denied,
        reason: "spam".to_owned(),
        to_purge: false,
    };
    let rows: Vec<Row> = (0..KEYS)
        .map(|number| Row::of(&Subject::Pubkey(key(number)), Some(&standing)))
        .collect();
    let writes: Vec<Write> = rows
        .iter()
        .map(|row| Write::Kv {
            extension: SPACE.to_owned(),
            key: row.key.clone(),
            value: row.value.clone(),
        })
        .collect();
    for batch in writes.chunks(2_048) {
        store.commit(batch, &NoPolicy, 0)?;
    }

    let before = memory_kib();
    let started = Instant::now();
    let moderation = Moderation::load(&store)?;
    report("load all, ms", started.elapsed().as_millis());
    report("memory, KiB", memory_kib().saturating_sub(before));

    let started = Instant::now();
    for number in 0..CHECKS {
        black_box(
            moderation
                .banned_pubkeys
                .contains(&key(number % (2 * KEYS))),
        );
    }
    report(
        "one check, ns",
        started.elapsed().as_nanos() / u128::from(CHECKS),
    );

    let none = Moderation::default();
    let started = Instant::now();
    for number in 0..CHECKS {
        black_box(none.banned_pubkeys.contains(&key(number)));
    }
    report(
        "one check of an empty list, ns",
        started.elapsed().as_nanos() / u128::from(CHECKS),
    );

    let mut current = moderation;
    let started = Instant::now();
    for number in KEYS..KEYS + CHANGES {
        let mut new = current.clone();
        new.take(&Row::of(&Subject::Pubkey(key(number)), Some(&standing)))?;
        current = black_box(new);
    }
    report(
        "one change, ns",
        started.elapsed().as_nanos() / u128::from(CHANGES),
    );
    drop(store);
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

/// Differs from that of any other number in bytes all over.
fn key(number: u32) -> PublicKey {
    let mut bytes = [0; 32];
    for (at, chunk) in bytes.chunks_exact_mut(4).enumerate() {
        let mixed = number.wrapping_mul(0x9e37_79b9).rotate_left(at as u32 * 3);
        chunk.copy_from_slice(&mixed.to_be_bytes());
    }
    PublicKey::from_byte_array(bytes)
}

/// Memory of its own that the process has in use.
fn memory_kib() -> u128 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|value| value.trim().strip_suffix(" kB")?.trim().parse().ok())
        .unwrap_or(0)
}

#[allow(clippy::print_stdout, reason = "its output is its purpose")]
fn report(what: &str, value: u128) {
    println!("{what}: {value}");
}
