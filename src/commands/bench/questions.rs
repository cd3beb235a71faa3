//! Twelve classes of questions, made from a file's events so that they find something: about 46 events each.
//!
//! Where gift wraps (kind 1059) or anything else that a relay may keep to itself could be among the answers, a question
//! names other kinds.

use super::dice::Dice;
use super::records::Records;
use serde_json::{Map, Value, json};
use trellis_relay::event::Event;

/// Their names, in order.
pub(super) const CLASSES: [&str; 12] = [
    "ids",
    "author",
    "authors",
    "kind",
    "authors+kind",
    "#e",
    "#p+kinds",
    "#t",
    "#d+authors",
    "window",
    "newest",
    "5 filters",
];

/// Kinds that every relay shows to everybody.
const OPEN_KINDS: [u16; 6] = [0, 1, 3, 7, 445, 30023];

/// One filter. What is empty is not asked about.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    pub(super) ids: Vec<[u8; 32]>,
    pub(super) authors: Vec<[u8; 32]>,
    pub(super) kinds: Vec<u16>,
    /// At most one letter.
    pub(super) tags: Vec<(u8, String)>,
    pub(super) since: Option<u64>,
    pub(super) until: Option<u64>,
    pub(super) limit: usize,
}

impl Ask {
    pub(super) fn json(&self) -> Value {
        let hex = |keys: &[[u8; 32]]| keys.iter().map(const_hex::encode).collect::<Vec<_>>();
        let mut filter = Map::new();
        let mut put = |name: &str, value: Value| filter.insert(name.to_owned(), value);
        if !self.ids.is_empty() {
            put("ids", json!(hex(&self.ids)));
        }
        if !self.authors.is_empty() {
            put("authors", json!(hex(&self.authors)));
        }
        if !self.kinds.is_empty() {
            put("kinds", json!(self.kinds));
        }
        if let Some((letter, _)) = self.tags.first() {
            let values: Vec<&str> = self.tags.iter().map(|(_, value)| value.as_str()).collect();
            put(&format!("#{}", char::from(*letter)), json!(values));
        }
        if let Some(since) = self.since {
            put("since", json!(since));
        }
        if let Some(until) = self.until {
            put("until", json!(until));
        }
        put("limit", json!(self.limit));
        Value::Object(filter)
    }
}

/// The filters of one question of each class for each round of `per_class`.
pub(super) fn make(records: &Records, seed: u64, per_class: usize) -> Vec<(usize, Vec<Ask>)> {
    let mut maker = Maker {
        dice: Dice::of(seed, 46),
        records,
    };
    let mut questions = Vec::with_capacity(per_class * CLASSES.len());
    for _ in 0..per_class {
        for class in 0..CLASSES.len() {
            questions.push((class, maker.filters(class)));
        }
    }
    questions
}

struct Maker<'r> {
    dice: Dice,
    records: &'r Records,
}

impl Maker<'_> {
    fn filters(&mut self, class: usize) -> Vec<Ask> {
        if class == 11 {
            return vec![
                self.by_authors(5, &[0, 3], 20),
                self.by_authors(2, &[1], 15),
                self.by_tag(b'e', 1, &[1, 7], 15),
                self.by_tag(b't', 1, &[30023], 15),
                self.by_tag(b'p', 1, &[7], 15),
            ];
        }
        vec![match class {
            0 => Ask {
                ids: (0..40)
                    .map(|_| *self.open_event().id().as_bytes())
                    .collect(),
                limit: 100,
                ..Ask::default()
            },
            1 => self.by_authors(1, &[], 60),
            2 => self.by_authors(20, &[], 50),
            3 => Ask {
                kinds: vec![self.open_event().kind()],
                until: self.sometimes(),
                limit: 50,
                ..Ask::default()
            },
            4 => self.by_authors(10, &[1], 50),
            5 => self.by_tag(b'e', 8, &[], 60),
            6 => self.by_tag(b'p', 2, &[1, 7], 60),
            7 => self.by_tag(b't', 3, &[], 50),
            8 => self.articles(),
            9 => self.window(),
            _ => Ask {
                kinds: OPEN_KINDS.to_vec(),
                until: self.sometimes(),
                limit: 60,
                ..Ask::default()
            },
        }]
    }

    fn by_authors(&mut self, count: usize, kinds: &[u16], limit: usize) -> Ask {
        Ask {
            authors: (0..count)
                .map(|_| *self.open_event().pubkey().as_bytes())
                .collect(),
            kinds: kinds.to_vec(),
            limit,
            ..Ask::default()
        }
    }

    fn by_tag(&mut self, letter: u8, count: usize, kinds: &[u16], limit: usize) -> Ask {
        let tags = (0..count).filter_map(|_| {
            let event = self.with_tag(letter)?;
            let values: Vec<_> = event.tag_values(letter).collect();
            let at = self.dice.below(values.len() as u64) as usize;
            Some((letter, values.get(at)?.clone().into_owned()))
        });
        Ask {
            tags: tags.collect(),
            kinds: kinds.to_vec(),
            limit,
            ..Ask::default()
        }
        .or_by_kind()
    }

    /// Some articles by their addresses, and whatever else has the same names.
    fn articles(&mut self) -> Ask {
        let mut ask = Ask {
            kinds: vec![30023],
            limit: 50,
            ..Ask::default()
        };
        for _ in 0..5 {
            if let Some(event) = self.with_tag(b'd') {
                ask.authors.push(*event.pubkey().as_bytes());
                let names = event.tag_values(b'd').take(1);
                ask.tags.extend(names.map(|name| (b'd', name.into_owned())));
            }
        }
        ask
    }

    /// A stretch in which about 80 events were written.
    fn window(&mut self) -> Ask {
        let all = &self.records.newest_first;
        let first = self
            .dice
            .below((all.len() as u64).saturating_sub(80).max(1)) as usize;
        let last = (first + 80).min(all.len() - 1);
        Ask {
            kinds: vec![1, 7, 30023],
            since: all.get(last).map(|record| record.created_at),
            until: all.get(first).map(|record| record.created_at),
            limit: 100,
            ..Ask::default()
        }
    }

    /// A time to look back from, three times of four.
    fn sometimes(&mut self) -> Option<u64> {
        let at = self.open_event().created_at();
        self.dice.percent(75).then_some(at)
    }

    fn event(&mut self) -> Event {
        let samples = &self.records.samples;
        samples[self.dice.below(samples.len() as u64) as usize].clone()
    }

    /// One that everybody may read, if there are such.
    fn open_event(&mut self) -> Event {
        self.find(|event| OPEN_KINDS.contains(&event.kind()))
            .unwrap_or_else(|| self.event())
    }

    fn with_tag(&mut self, letter: u8) -> Option<Event> {
        self.find(|event| {
            OPEN_KINDS.contains(&event.kind()) && event.tag_values(letter).next().is_some()
        })
    }

    fn find(&mut self, suits: impl Fn(&Event) -> bool) -> Option<Event> {
        let samples = &self.records.samples;
        let from = self.dice.below(samples.len() as u64) as usize;
        let (before, after) = samples.split_at(from);
        after
            .iter()
            .chain(before)
            .find(|event| suits(event))
            .cloned()
    }
}

impl Ask {
    /// No file has to have every letter; a filter that asks for nothing would ask for everything.
    fn or_by_kind(mut self) -> Self {
        if self.tags.is_empty() && self.kinds.is_empty() {
            self.kinds.push(1);
        }
        self
    }
}
