//! Answers that no author should give, for hooks that are asked for nonsense, too much, or to keep what they get.

use crate::Probe;
use serde_json::{Map, Value, json};
use trellis_relay::event::PublicKey;
use trellis_relay::extension::prelude::*;
use trellis_relay::extension::{COMMIT_ROWS_MAX, HOOKS_MAX};

/// What is kept for each call that is asked to leak.
const LEAK_BYTES: usize = 1 << 20;

/// Two million characters, with everything in them that a line must not have.
pub(crate) fn reason() -> Reason {
    Reason::blocked(text())
}

pub(crate) fn text() -> String {
    "no\r\n[\"NOTICE\"]\u{0}\u{1b}[2J\u{202e}".repeat(100_000)
}

/// Nested a hundred thousand levels deep.
pub(crate) fn deep() -> Value {
    (0..100_000).fold(Value::Null, |deep, _| Value::Array(vec![deep]))
}

/// Writes without end, and does not listen.
pub(crate) fn rows(tx: &mut CommitTx<'_>) {
    for row in 0..=COMMIT_ROWS_MAX {
        let _ = tx.put(&row.to_be_bytes(), *b"flood");
    }
}

/// Narrows to everything and nothing.
pub(crate) fn narrowing(filter: &mut Narrow<'_>) {
    filter
        .since(u64::MAX)
        .until(0)
        .limit(0)
        .retain_tag(0, ["\u{0}"])
        .retain_tag(b'x', [text()])
        .retain_authors([])
        .retain_kinds(&Kinds::none())
        .nothing();
}

/// Narrows to a million authors.
pub(crate) fn many_authors(filter: &mut Narrow<'_>) {
    let keys = (0..1_000_000_u64).map(|number| {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        PublicKey::from_byte_array(key)
    });
    filter.retain_authors(keys);
}

/// Takes the relay's own words away.
pub(crate) fn information(document: &mut Map<String, Value>) {
    document.remove("limitation");
    document.insert("name".to_owned(), json!("not this relay"));
    document.insert("deep".to_owned(), deep());
}

/// More hooks than anybody needs.
pub(crate) fn register(hooks: &mut Registrar<Probe>) {
    for _ in 0..100 * HOOKS_MAX {
        hooks.admit(7000, |_me, _event, _viewer| Ok(Admit::Accept));
    }
}

impl Probe {
    /// Keeps a megabyte until the instance goes.
    pub(crate) fn leak(&self) {
        self.seen().kept.push(vec![1; LEAK_BYTES]);
    }
}

/// A panic's payload that panics when it is dropped, and what it throws then does so again.
#[derive(Debug)]
pub(crate) struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        std::panic::panic_any(Bomb);
    }
}
