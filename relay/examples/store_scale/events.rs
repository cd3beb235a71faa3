//! Made-up events, each the same whenever it is made.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;
use trellis_relay::event::{Event, EventParts, PublicKey};

const AUTHORS: u64 = 100_000;
const TOPICS: u64 = 20_000;
const GROUPS: u64 = 2_000;
pub(crate) const START_S: u64 = 1_600_000_000;
pub(crate) const EVENTS_A_SECOND: u64 = 5;

/// Rows `from..from + count`, each the same whenever it is made.
pub(crate) fn events(from: u64, count: u64, scattered: bool) -> Vec<Arc<Event>> {
    (from..from + count)
        .map(|row| Arc::new(event(row, from + count, scattered)))
        .collect()
}

pub(crate) fn event(row: u64, rows: u64, scattered: bool) -> Event {
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

pub(crate) fn popular_before(row: u64) -> u64 {
    row - row % 500
}

pub(crate) fn event_id(row: u64) -> [u8; 32] {
    bytes(0, row)
}

pub(crate) fn author(number: u64) -> PublicKey {
    PublicKey::from_byte_array(bytes(1, number))
}

pub(crate) fn author_hex(number: u64) -> String {
    hex(&bytes(1, number))
}

pub(crate) fn group_hex(number: u64) -> String {
    hex(&bytes(2, number))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const_hex::encode(bytes)
}

fn bytes(what: u64, number: u64) -> [u8; 32] {
    StdRng::seed_from_u64(number << 2 | what).random()
}
