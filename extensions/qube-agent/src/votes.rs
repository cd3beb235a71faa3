//! The developers' newest signals for one network, as they signed them: kept across restarts, so that a node that cannot
//! reach a relay still knows what it knew.
//!
//! Invariant: what is read back is verified again; a file that was changed by somebody else adds no vote.

use crate::durable;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use trellis_qube_protocol::{Fields, Pubkey, Signal, verified};

/// Signals that are kept of one developer: the newest. More than one, because which of them stood when an action was done
/// decides what a report belongs to.
const KEPT: usize = 8;

/// The kept signals.
pub(crate) struct Votes {
    path: PathBuf,
    events: BTreeMap<Pubkey, Vec<nostr::event::Event>>,
}

#[derive(Serialize, Deserialize)]
struct Book {
    signals: Vec<serde_json::Value>,
}

impl Votes {
    /// Reads them; a file that cannot be read counts as empty, as relays have what it had.
    pub(crate) fn open(folder: &Path) -> io::Result<Votes> {
        let path = folder.join("votes.json");
        let text = durable::read(&path)?;
        let mut votes = Votes {
            path,
            events: BTreeMap::new(),
        };
        let book = text.map(|text| serde_json::from_slice::<Book>(&text));
        match book {
            Some(Ok(book)) => {
                for json in book.signals {
                    if let Ok(event) = verified(&json.to_string()) {
                        votes.keep(event);
                    }
                }
            }
            Some(Err(error)) => {
                tracing::warn!(file = %votes.path.display(), %error, "kept votes cannot be read");
            }
            None => {}
        }
        Ok(votes)
    }

    /// What they say.
    pub(crate) fn signals(&self) -> Vec<Signal> {
        let events = self.events.values().flatten();
        events
            .filter_map(|event| Signal::parse(&Fields::of(event)).ok())
            .collect()
    }

    /// Keeps one more; durable when this returns.
    pub(crate) fn add(&mut self, event: nostr::event::Event) -> io::Result<()> {
        self.keep(event);
        let events = self.events.values().flatten();
        let signals = events.map(serde_json::to_value).collect::<Result<_, _>>()?;
        durable::replace(&self.path, &serde_json::to_vec(&Book { signals })?)
    }

    fn keep(&mut self, event: nostr::event::Event) {
        let theirs = self.events.entry(event.pubkey.into()).or_default();
        if theirs.iter().all(|known| known.id != event.id) {
            theirs.push(event);
            theirs.sort_by_key(|event| (std::cmp::Reverse(event.created_at), event.id));
            theirs.truncate(KEPT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nostr::event::{EventBuilder, Kind, Tag};
    use nostr::key::Keys;
    use nostr::types::Timestamp;

    fn signal(keys: &Keys, version: &str, at_s: u64) -> nostr::event::Event {
        let hash = "a".repeat(64);
        let tags = [
            ["d", "hyperqube"],
            ["version", version],
            ["hash", &hash],
            ["network", "hqz"],
            ["action", "upgrade"],
        ];
        let tags = tags.map(|tag| Tag::parse(tag).expect("a tag"));
        let builder = EventBuilder::new(Kind::from(33321), "upgrade")
            .tags(tags)
            .custom_created_at(Timestamp::from(at_s));
        crate::report::sign(builder, keys).expect("signed")
    }

    #[test]
    fn a2_votes_are_there_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Keys::generate();
        let mut votes = Votes::open(folder.path()).expect("votes");
        for at_s in 1..20 {
            let event = signal(&keys, &format!("v1.0.{at_s}"), at_s);
            votes.add(event.clone()).expect("kept");
            votes.add(event).expect("kept");
        }
        let read = Votes::open(folder.path()).expect("votes").signals();
        assert_eq!(read.len(), KEPT);
        assert_eq!(read[0].created_at, 19);
    }

    #[test]
    fn a2_a_vote_that_was_changed_on_the_disk_does_not_count() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut votes = Votes::open(folder.path()).expect("votes");
        votes
            .add(signal(&Keys::generate(), "v1.0.0", 1))
            .expect("kept");
        let path = folder.path().join("votes.json");
        let text = std::fs::read_to_string(&path).expect("the file");
        std::fs::write(&path, text.replace("v1.0.0", "v9.0.0")).expect("the file");
        assert!(
            Votes::open(folder.path())
                .expect("votes")
                .signals()
                .is_empty()
        );
    }
}
