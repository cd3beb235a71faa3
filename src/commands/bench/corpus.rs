//! The events to measure with: made up from a seed, signed, in proportions like those of a busy relay.
//!
//! Invariant: event N of a [`Recipe`] is the same bytes whenever and in whatever order it is asked for. Nothing is made
//! that would make an expectation hard: no deletions, no expiry, no ephemeral events.

use super::dice::Dice;
use super::signer::Signer;
use super::words::{cipher_json, text_json};
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
use std::thread;

/// Events an author has written, on average.
const EVENTS_PER_AUTHOR: u64 = 20;
/// Gift wraps are dated back by up to two days (NIP-59).
const DATED_BACK_SECS: u64 = 2 * 86_400;
/// Events reach a relay a little out of order.
const JITTER_SECS: u64 = 90;

/// Which events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe {
    pub(super) seed: u64,
    pub(super) events: u64,
    /// Seconds since 1970 of the newest event.
    pub(super) until: u64,
    /// The stretch over which they are spread, ending there. Seconds.
    pub(super) span_secs: u64,
    /// Of this kind alone.
    pub(super) only_kind: Option<u16>,
}

/// A recipe with its authors' keys.
#[derive(Debug)]
pub(super) struct Corpus {
    recipe: Recipe,
    authors: Vec<Signer>,
}

impl Corpus {
    pub(super) fn new(recipe: Recipe) -> anyhow::Result<Self> {
        let count = (recipe.events / EVENTS_PER_AUTHOR).max(3);
        let authors = on_all_cores(count, |numbers| {
            numbers
                .map(|number| Signer::of(recipe.seed, number))
                .collect()
        })?;
        Ok(Corpus { recipe, authors })
    }

    /// Notes of one author.
    pub(super) fn by(author: Signer, seed: u64, until: u64) -> Self {
        Corpus {
            recipe: Recipe {
                seed,
                events: 1,
                until,
                span_secs: 0,
                only_kind: Some(1),
            },
            authors: vec![author],
        }
    }

    /// How many people wrote it.
    pub(super) fn author_count(&self) -> usize {
        self.authors.len()
    }

    /// One event's JSON.
    pub(super) fn event(&self, number: u64) -> anyhow::Result<Vec<u8>> {
        let mut json = Vec::with_capacity(1_536);
        self.append(number, &mut json)?;
        Ok(json)
    }

    /// Appends one event's JSON.
    pub(super) fn append(&self, number: u64, out: &mut Vec<u8>) -> anyhow::Result<()> {
        let mut dice = Dice::of(self.recipe.seed, number);
        let kind = self.recipe.only_kind.unwrap_or_else(|| kind(&mut dice));
        // A gift wrap is signed with a key of its own (NIP-59).
        let one_time = match kind {
            1059 => Some(Signer::of(!self.recipe.seed, number)?),
            _ => None,
        };
        let author = dice.skewed(self.authors.len() as u64);
        let signer = one_time.as_ref().unwrap_or(&self.authors[author as usize]);
        let created_at = self.created_at(&mut dice, number, kind);

        // What is hashed and what is sent hold the same pubkey, time, kind, tags and content.
        let mut hashed = Vec::with_capacity(1_536);
        hashed.extend_from_slice(b"[0,\"");
        push_hex(&mut hashed, signer.pubkey());
        // Writing to a Vec cannot fail.
        let _ = write!(hashed, "\",{created_at},{kind},");
        let tags_at = hashed.len();
        self.tags(&mut dice, number, kind, author, &mut hashed);
        let comma_at = hashed.len();
        hashed.push(b',');
        content(&mut dice, kind, &mut hashed);
        let content_end = hashed.len();
        hashed.push(b']');
        let id: [u8; 32] = Sha256::digest(&hashed).into();

        out.extend_from_slice(b"{\"id\":\"");
        push_hex(out, &id);
        out.extend_from_slice(b"\",\"pubkey\":\"");
        push_hex(out, signer.pubkey());
        let _ = write!(
            out,
            "\",\"created_at\":{created_at},\"kind\":{kind},\"tags\":"
        );
        out.extend_from_slice(&hashed[tags_at..comma_at]);
        out.extend_from_slice(b",\"content\":");
        out.extend_from_slice(&hashed[comma_at + 1..content_end]);
        out.extend_from_slice(b",\"sig\":\"");
        push_hex(out, &signer.sign(&id));
        out.extend_from_slice(b"\"}");
        Ok(())
    }

    /// Rises with the number, but for what comes late.
    fn created_at(&self, dice: &mut Dice, number: u64, kind: u16) -> u64 {
        let Recipe {
            events,
            until,
            span_secs,
            ..
        } = self.recipe;
        let first = until.saturating_sub(span_secs);
        let passed = u128::from(span_secs) * u128::from(number + 1) / u128::from(events.max(1));
        let late = match kind {
            1059 => dice.below(DATED_BACK_SECS.min(span_secs + 1)),
            _ => dice.below(JITTER_SECS.min(span_secs + 1)),
        };
        (first + passed as u64).saturating_sub(late).max(first)
    }

    fn tags(&self, dice: &mut Dice, number: u64, kind: u16, author: u64, out: &mut Vec<u8>) {
        let mut tags = TagWriter::begin(out);
        match kind {
            1 => {
                for _ in 0..dice.between(0, 2) {
                    tags.hex("e", &self.thread(dice, number));
                }
                for _ in 0..dice.between(0, 3) {
                    tags.hex("p", self.person(dice));
                }
                for _ in 0..dice.between(0, 3) {
                    tags.text("t", &topic(dice));
                }
            }
            3 => {
                for _ in 0..dice.between(8, 40) {
                    tags.hex("p", self.person(dice));
                }
            }
            7 => {
                tags.hex("e", &self.thread(dice, number));
                tags.hex("p", self.person(dice));
                tags.text("k", "1");
            }
            445 => {
                let groups = (self.recipe.events / 200).max(2);
                tags.hex(
                    "h",
                    &Dice::of(!self.recipe.seed, dice.skewed(groups)).bytes(),
                );
            }
            1059 => tags.hex("p", self.person(dice)),
            30023 => {
                tags.text("d", &article(dice, number));
                tags.text("title", "An article that is long, and \\\"quoted\\\"");
                for _ in 0..dice.between(1, 4) {
                    tags.text("t", &topic(dice));
                }
                tags.text(
                    "a",
                    &format!("30023:{}:{}", const_hex::encode(self.person(dice)), author),
                );
                for _ in 0..dice.between(0, 3) {
                    tags.hex("p", self.person(dice));
                }
            }
            _ => {}
        }
        tags.end();
    }

    fn person(&self, dice: &mut Dice) -> &[u8; 32] {
        let number = dice.skewed(self.authors.len() as u64);
        self.authors[number as usize].pubkey()
    }

    /// What people talk about: mostly what was said lately, and by some of it more than by the rest.
    fn thread(&self, dice: &mut Dice, number: u64) -> [u8; 32] {
        let threads = number / 8;
        let thread = threads - dice.skewed(threads + 1);
        Dice::of(self.recipe.seed.rotate_left(32), thread).bytes()
    }
}

/// Of a hundred events.
fn kind(dice: &mut Dice) -> u16 {
    match dice.below(100) {
        0..47 => 1,
        47..70 => 7,
        70..80 => 30023,
        80..88 => 445,
        88..95 => 1059,
        95..98 => 0,
        _ => 3,
    }
}

fn topic(dice: &mut Dice) -> String {
    format!("topic{}", dice.skewed(2_000))
}

/// Mostly a new one; some are new versions of the author's page.
fn article(dice: &mut Dice, number: u64) -> String {
    match dice.percent(15) {
        true => format!("page-{}", dice.below(3)),
        false => format!("article-{number}"),
    }
}

fn content(dice: &mut Dice, kind: u16, out: &mut Vec<u8>) {
    match kind {
        0 => {
            let number = dice.below(1_000_000);
            let _ = write!(
                out,
                "\"{{\\\"name\\\":\\\"person{number}\\\",\\\"picture\\\":\\\"https://pictures.example.com/{number}.jpg\\\",\
                 \\\"about\\\":\\\"Née à Zürich\\\"}}\""
            );
        }
        1 => {
            let bytes = 40 + dice.skewed(1_050);
            text_json(dice, bytes, out);
        }
        7 => out.extend_from_slice("\"🤙\"".as_bytes()),
        445 | 1059 => {
            let bytes = 600 + dice.skewed(2_550);
            cipher_json(dice, bytes, out);
        }
        30023 => {
            let bytes = 700 + dice.skewed(4_400);
            text_json(dice, bytes, out);
        }
        _ => out.extend_from_slice(b"\"\""),
    }
}

struct TagWriter<'o>(&'o mut Vec<u8>);

impl<'o> TagWriter<'o> {
    fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'[');
        TagWriter(out)
    }

    fn hex(&mut self, name: &str, value: &[u8; 32]) {
        let _ = write!(self.0, "[\"{name}\",\"");
        push_hex(self.0, value);
        self.0.extend_from_slice(b"\"],");
    }

    /// The value is written as it is: escaped where it has to be.
    fn text(&mut self, name: &str, value: &str) {
        let _ = write!(self.0, "[\"{name}\",\"{value}\"],");
    }

    fn end(self) {
        if self.0.last() == Some(&b',') {
            self.0.pop();
        }
        self.0.push(b']');
    }
}

fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    let at = out.len();
    out.resize(at + bytes.len() * 2, 0);
    // The room is exactly as large as it has to be.
    let _ = const_hex::encode_to_slice(bytes, &mut out[at..]);
}

/// Does the numbers from 0 in one stretch a core, and puts the results behind each other.
pub(super) fn on_all_cores<T: Send>(
    count: u64,
    work: impl Fn(std::ops::Range<u64>) -> anyhow::Result<Vec<T>> + Sync,
) -> anyhow::Result<Vec<T>> {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let work = &work;
    thread::scope(|scope| {
        let stretches: Vec<_> = (0..cores)
            .map(|core| count * core / cores..count * (core + 1) / cores)
            .map(|stretch| scope.spawn(move || work(stretch)))
            .collect();
        let mut all = Vec::with_capacity(count as usize);
        for stretch in stretches {
            let done = stretch
                .join()
                .map_err(|_| anyhow::anyhow!("a thread that makes events panicked"))?;
            all.append(&mut done?);
        }
        Ok(all)
    })
}
