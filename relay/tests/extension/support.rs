//! The toys, their tables and their people.

use crate::chat::Chat;
use crate::gate::Gate;
use crate::words::Words;
use nostr::event::{EventBuilder, Kind, Tag};
use nostr::key::Keys;
use std::sync::Arc;
use trellis_relay::event::Event;
use trellis_relay::extension::{Compiled, ExtensionError, Viewer};
use trellis_relay::store::memory::MemoryStore;

pub(crate) use trellis_relay::testing::{HookHarness, sign, stranger, tables_of, until};

pub(crate) const EXTENSIONS: &[Compiled] = &[
    Compiled::of::<Words>(),
    Compiled::of::<Gate>(),
    Compiled::of::<Chat>(),
];

pub(crate) const WORDS: &str = "[words]\nbanned = ['spam']\nkinds = [1, 7]\n";
pub(crate) const GATE: &str = "[gate]\nroom = 'g'\nmembers = ['385c3a6ec0b9d57a4330dbd6284989be5bd00e41c535f9ca39b6ae7c521b81cd']\n";
pub(crate) const CHAT: &str = "[chat]\nanswers = 'echo'\n";
/// As the one member stands in [`GATE`].
pub(crate) const ALICE: &str = "'385c3a6ec0b9d57a4330dbd6284989be5bd00e41c535f9ca39b6ae7c521b81cd'";
/// What a client hears when an extension fails.
pub(crate) const INTERNAL: &str = "error: the relay could not do this now; try again later";

/// Starts a relay with these tables of the toys.
pub(crate) async fn start(tables: &str) -> HookHarness {
    try_start(tables).await.unwrap()
}

pub(crate) async fn try_start(tables: &str) -> Result<HookHarness, ExtensionError> {
    HookHarness::start(EXTENSIONS, tables).await
}

pub(crate) async fn start_over(store: Arc<MemoryStore>, tables: &str) -> HookHarness {
    HookHarness::over(store, EXTENSIONS, tables).await.unwrap()
}

/// An event of Alice's.
pub(crate) fn event(kind: u16, content: &str) -> Arc<Event> {
    tagged(kind, content, &[])
}

pub(crate) fn tagged(kind: u16, content: &str, tags: &[&[&str]]) -> Arc<Event> {
    let tags = tags.iter().map(|tag| Tag::parse(tag.to_vec()).unwrap());
    let event = EventBuilder::new(Kind::from(kind), content).tags(tags);
    sign(event, &alice())
}

/// Her key is the member in [`GATE`].
pub(crate) fn alice() -> Keys {
    Keys::parse("6b911fd37cdf5c81d4c0adb1ab7fa822ed253ab0ad9aa18d77257c88b29b718e").unwrap()
}

pub(crate) fn member() -> Viewer {
    stranger().with_pubkey(alice().public_key())
}
