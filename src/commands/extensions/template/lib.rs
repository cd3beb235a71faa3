//! A first extension, to be changed into yours: notes are kept short and counted by author, and some kinds are shown to
//! those alone who have logged in.
//!
//! Here is what happens to events; the HTTP routes are in `routes`.

mod routes;

use metrics::Counter;
use std::sync::Arc;
use trellis_relay::extension::prelude::*;

/// The kind of short text notes.
const NOTE: u16 = 1;
/// Where the routes are.
const PATH: &str = "/api/new_extension";
/// The counter in `/metrics`.
const NOTES_TOTAL: &str = "new_extension_notes_total";

/// One instance, for as long as its table stays the same.
#[derive(Debug)]
pub struct NewExtension {
    config: Config,
    host: Host,
    notes_total: Counter,
}

/// `[extensions.new_extension]`; operators read these comments in `trellis config schema`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Characters that a note may have.
    #[serde(default = "default_max_characters")]
    max_characters: usize,
    /// Kinds that only clients who have logged in may see.
    #[serde(default)]
    private: Kinds,
}

fn default_max_characters() -> usize {
    280
}

impl Extension for NewExtension {
    const NAME: &'static str = "new_extension";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;

    // At the start, and whenever the table changes. May do I/O; an error stops the start.
    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        if config.max_characters == 0 {
            return Err("max_characters: found 0, wanted at least 1".into());
        }
        let notes_total = host.metrics().counter(NOTES_TOTAL);
        Ok(Self {
            config,
            host,
            notes_total,
        })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks
            // May it come in? From memory only, without I/O.
            .admit(NOTE, |me, event, _viewer| {
                let max = me.config.max_characters;
                if event.content().chars().count() > max {
                    let text = format!("notes have at most {max} characters here");
                    return Ok(Reason::blocked(text).into());
                }
                Ok(Admit::Accept)
            })
            // The last word, in the transaction that stores the event: rows that are stored with it or not at all.
            .commit(NOTE, |_me, event, tx| {
                let key = count_key(event.pubkey());
                let count = read_count(tx.get(&key)?) + 1;
                tx.put(&key, count.to_be_bytes())?;
                Ok(Commit::Accept)
            })
            // What was committed, in order. Nothing is missed, even after a crash.
            .stored(NOTE, StartAt::Now, async |me: Arc<Self>, page| {
                for change in page.iter() {
                    if let Change::Stored(_) = change {
                        me.notes_total.increment(1);
                    }
                }
                Ok(())
            })
            // May this viewer see it? Asked for every way out of the relay.
            .deliver(&self.config.private, |_me, _event, viewer| {
                Ok(viewer.is_authenticated())
            })
            .api(Mount::prefix(PATH), routes::declare);
    }
}

/// Notes that somebody has published, deleted ones included.
fn count_key(author: &PublicKey) -> Vec<u8> {
    [b"count/", author.as_bytes().as_slice()].concat()
}

fn read_count(row: Option<Vec<u8>>) -> u64 {
    let bytes = row.and_then(|row| row.try_into().ok());
    bytes.map_or(0, u64::from_be_bytes)
}
