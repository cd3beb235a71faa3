//! What a relay should have once it has a file's events: the few fields that filters ask for, newest first.
//!
//! Invariant: of replaceable and addressable events only the one that stays is kept (NIP-01): the newest, of equally old
//! ones that with the lowest id. About 100 bytes an event, so that five million fit in memory.

use super::lines::Lines;
use anyhow::{bail, ensure};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use trellis_relay::event::Event;

/// Whole events that are kept to make questions from: at least so many where there are, and less than twice.
const SAMPLES: usize = 4_096;

/// One event.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) id: [u8; 32],
    pub(super) created_at: u64,
    /// A number that stands for the public key.
    pub(super) author: u32,
    pub(super) kind: u16,
    tag_count: u16,
    tags_at: u32,
    is_replaced: bool,
}

/// All events.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// By time, falling, then by id, rising.
    pub(super) newest_first: Vec<Record>,
    tag_hashes: Vec<u64>,
    authors: HashMap<[u8; 32], u32>,
    /// Some of them, spread over the file.
    pub(super) samples: Vec<Event>,
}

impl Records {
    /// Reads a file. Events of `hidden` kinds are left out.
    pub(super) fn read(lines: &Lines, hidden: &[u16]) -> anyhow::Result<Self> {
        let mut records = Records::default();
        let mut newest = HashMap::new();
        let mut every = 1;
        lines.each(|number, json| {
            let event = Event::parse(json)?;
            ensure!(
                !matches!(event.kind(), 5 | 62 | 20_000..30_000) && event.expiration().is_none(),
                "deletions, requests to vanish, ephemeral and expiring events leave open what a relay should answer"
            );
            if hidden.contains(&event.kind()) {
                return Ok(());
            }
            records.take(&event, &mut newest)?;
            if number % every == 0 {
                records.samples.push(event);
                if records.samples.len() == 2 * SAMPLES {
                    every *= 2;
                    let mut odd = false;
                    records.samples.retain(|_| {
                        odd = !odd;
                        odd
                    });
                }
            }
            Ok(())
        })?;
        records.newest_first.retain(|record| !record.is_replaced);
        records.newest_first.sort_unstable_by_key(order);
        if let Some(twice) = records
            .newest_first
            .windows(2)
            .find(|two| two[0].id == two[1].id)
        {
            bail!(
                "the event {} is there twice",
                const_hex::encode(twice[0].id)
            );
        }
        ensure!(
            !records.samples.is_empty(),
            "the file holds no event that may be asked for"
        );
        Ok(records)
    }

    /// Hashes of letter and value of its tags with one letter.
    pub(super) fn tags(&self, record: &Record) -> &[u64] {
        let from = record.tags_at as usize;
        &self.tag_hashes[from..from + usize::from(record.tag_count)]
    }

    /// The number of an author who has written anything.
    pub(super) fn author(&self, pubkey: &[u8; 32]) -> Option<u32> {
        self.authors.get(pubkey).copied()
    }

    fn take(&mut self, event: &Event, newest: &mut HashMap<u64, usize>) -> anyhow::Result<()> {
        let next = u32::try_from(self.authors.len())?;
        let author = *self
            .authors
            .entry(*event.pubkey().as_bytes())
            .or_insert(next);
        let tags_at = u32::try_from(self.tag_hashes.len())?;
        for tag in event.tags() {
            if let (Some(letter), Some(value)) = (tag.letter(), tag.value()) {
                self.tag_hashes.push(tag_hash(letter, &value));
            }
        }
        let mut record = Record {
            id: *event.id().as_bytes(),
            created_at: event.created_at(),
            author,
            kind: event.kind(),
            tag_count: u16::try_from(self.tag_hashes.len() - tags_at as usize)?,
            tags_at,
            is_replaced: false,
        };
        let here = self.newest_first.len();
        if let Some(address) = address_hash(event) {
            let before = *newest.entry(address).or_insert(here);
            if let Some(before) = self.newest_first.get_mut(before) {
                if order(&record) < order(before) {
                    before.is_replaced = true;
                    newest.insert(address, here);
                } else {
                    record.is_replaced = true;
                }
            }
        }
        self.newest_first.push(record);
        Ok(())
    }
}

/// What stands for a tag: a chance in a hundred million that any two of five million events' tags share one matters less
/// than the memory.
pub(super) fn tag_hash(letter: u8, value: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (letter, value).hash(&mut hasher);
    hasher.finish()
}

/// Sorts newest first.
fn order(record: &Record) -> (std::cmp::Reverse<u64>, [u8; 32]) {
    (std::cmp::Reverse(record.created_at), record.id)
}

/// The address that replaceable and addressable events share (NIP-01).
fn address_hash(event: &Event) -> Option<u64> {
    let d_tag = match event.kind() {
        0 | 3 | 10_000..20_000 => None,
        30_000..40_000 => Some(event.first_tag_value("d").unwrap_or_default()),
        _ => return None,
    };
    let mut hasher = DefaultHasher::new();
    (event.kind(), event.pubkey().as_bytes(), d_tag).hash(&mut hasher);
    Some(hasher.finish())
}
