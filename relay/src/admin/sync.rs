//! Reconciles the store with another relay (NIP-77) and brings over what one side lacks.
//!
//! The work goes window by window of time, so that memory stays bounded however much either side holds. What the peer
//! sends is believed in nothing: an event is stored if it was asked for, matches the filter and is verified. What only its
//! recipients may read here (`protection.read_protected_kinds`) and what only its author may publish (NIP-70) is never
//! sent, and of the first kind not even ids: another relay may have other ideas of who reads. Nothing is remembered
//! between runs: one that was interrupted is begun again, and what is there already is not moved twice.

mod difference;
mod download;
mod ours;
mod peer;
mod upload;
mod window;

use self::difference::Found;
use self::ours::Ours;
use self::peer::Peer;
use self::window::Window;
use super::target::Target;
use crate::filter::Filter;
use crate::store::StoreError;
use nostr::key::Keys;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

/// What to reconcile.
#[derive(Clone, Debug)]
pub struct SyncOptions {
    /// The peer: `ws://` or `wss://`.
    pub url: String,
    /// Which events. A `limit` or `search` is refused: the two sides would not mean the same events.
    pub filter: Filter,
    /// Which way events go.
    pub direction: Direction,
    /// Who answers where the peer asks for authentication (NIP-42); without keys such a peer is given up.
    pub keys: Option<Keys>,
    /// How long the peer may take for each step.
    pub patience: Duration,
}

impl SyncOptions {
    /// Both ways, everything, without keys, with 30 s for each step.
    pub fn new(url: impl Into<String>) -> Self {
        SyncOptions {
            url: url.into(),
            filter: Filter::default(),
            direction: Direction::Both,
            keys: None,
            patience: Duration::from_secs(30),
        }
    }
}

/// Which way events go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// To the peer.
    Up,
    /// From the peer.
    Down,
    /// Both ways.
    #[default]
    Both,
}

/// What became of the events so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncTotals {
    /// Events of ours that were compared.
    pub compared: u64,
    /// Events that only we have.
    pub have: u64,
    /// Events that only the peer has.
    pub need: u64,
    /// Events stored here.
    pub stored: u64,
    /// Events that the peer named, and that were here already or are known to be replaced or deleted.
    pub known: u64,
    /// Events that the peer named and did not send.
    pub missing: u64,
    /// Events that the peer sent and that were not stored, by reason.
    pub refused: Reasons,
    /// Events that the peer took.
    pub uploaded: u64,
    /// Events that the peer did not take, by its reason.
    pub not_taken: Reasons,
    /// Events that are not sent to anybody: see the head of this module.
    pub kept_back: u64,
    /// Bytes of messages sent.
    pub sent_bytes: u64,
    /// Bytes of messages received.
    pub received_bytes: u64,
}

impl SyncTotals {
    /// How many events have been dealt with, of how many that are to be, so far as that is known.
    pub fn headway(&self, direction: Direction) -> (u64, u64) {
        let down = self.stored + self.known + self.missing + self.refused.total();
        let up = self.uploaded + self.not_taken.total() + self.kept_back;
        match direction {
            Direction::Down => (down, self.need),
            Direction::Up => (up, self.have),
            Direction::Both => (down + up, self.need + self.have),
        }
    }
}

/// How often each reason was given; rare ones are counted together where there are many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasons(pub BTreeMap<String, u64>);

impl Reasons {
    /// The peer may think of a new reason for each event.
    const MOST: usize = 20;
    const MOST_CHARS: usize = 200;

    fn add(&mut self, reason: &str) {
        let mut reason = plain(reason, Self::MOST_CHARS);
        if self.0.len() >= Self::MOST && !self.0.contains_key(&reason) {
            reason = "other reasons".to_owned();
        }
        *self.0.entry(reason).or_default() += 1;
    }

    /// All of them together.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// A stranger's words for a terminal: short, and without what moves a cursor.
fn plain(words: &str, most_chars: usize) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    words.chars().take(most_chars).map(shown).collect()
}

/// What a reconciliation has to tell on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncNote {
    /// So much is done.
    Progress(SyncTotals),
}

/// Why a reconciliation ended early. What was told in [`SyncNote::Progress`] is done.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The filter means different events to different relays.
    #[error("the filter of a sync cannot have {0:?}; leave it out")]
    Filter(&'static str),
    /// There is no connection.
    #[error("cannot connect to {url}: {problem}")]
    Connect {
        /// The peer.
        url: String,
        /// In words.
        problem: String,
    },
    /// The peer does not do NIP-77.
    #[error("the peer does not reconcile (NIP-77); it says: {0}")]
    NotSupported(String),
    /// The peer refuses.
    #[error("the peer refuses: {0}")]
    Refused(String),
    /// The peer says what no relay may say.
    #[error("the peer breaks the protocol: {0}")]
    Protocol(String),
    /// The peer did not go on in time.
    #[error("the peer was silent for {} s while it was to {doing}{}", patience.as_secs(), last_words(.said))]
    Silent {
        /// What it was asked for.
        doing: &'static str,
        /// What it said last for people.
        said: Option<String>,
        /// How long was waited.
        patience: Duration,
    },
    /// The connection ended.
    #[error("the connection ended: {0}")]
    Gone(String),
    /// Whoever was told said to stop.
    #[error("interrupted; run it again, and what is there already is not moved twice")]
    Cancelled,
    /// The store broke, or is full.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no runtime.
    #[error("cannot start: {0}")]
    Runtime(#[source] std::io::Error),
}

fn last_words(said: &Option<String>) -> String {
    said.as_ref()
        .map_or_else(String::new, |said| format!("; it said: {said}"))
}

/// Whom a reconciliation tells how it goes; `Break` ends it.
pub type Tell<'t> = &'t mut dyn FnMut(SyncNote) -> ControlFlow<()>;

/// Windows of time of which nothing comes: a peer that always has too much to say is given up.
const MOST_SPLITS: u32 = 10_000;

/// Reconciles and moves events. Blocks, and must not be called on a thread of an async runtime.
pub fn sync(
    target: &dyn Target,
    options: &SyncOptions,
    tell: Tell<'_>,
) -> Result<SyncTotals, SyncError> {
    check(&options.filter)?;
    let mut work = Work {
        target,
        options,
        totals: SyncTotals::default(),
        peer: Peer::connect(options)?,
        tell,
    };
    let mut windows = vec![Window::of(&options.filter)];
    let mut splits = 0;
    // The newest first, since it is asked for most.
    while let Some(window) = windows.pop() {
        if let Some((older, newer)) = work.reconcile(window)? {
            splits += 1;
            if splits > MOST_SPLITS {
                return Err(SyncError::Protocol("it never has little to say".to_owned()));
            }
            windows.extend([older, newer]);
        }
    }
    work.progress()?;
    Ok(work.totals)
}

fn check(filter: &Filter) -> Result<(), SyncError> {
    match filter {
        Filter { limit: Some(_), .. } => Err(SyncError::Filter("limit")),
        Filter {
            search: Some(_), ..
        } => Err(SyncError::Filter("search")),
        _ => Ok(()),
    }
}

/// A reconciliation under way.
struct Work<'w> {
    target: &'w dyn Target,
    options: &'w SyncOptions,
    totals: SyncTotals,
    peer: Peer,
    tell: Tell<'w>,
}

impl Work<'_> {
    /// Does one window, or says into which two it has to be split.
    fn reconcile(&mut self, window: Window) -> Result<Option<(Window, Window)>, SyncError> {
        let filter = window.narrow(&self.options.filter);
        let ours = match ours::gather(self.target, &filter)? {
            Ours::All(list) => list,
            Ours::TooMany { split_at } => {
                let halves = window.split(split_at);
                return halves.map(Some).ok_or_else(one_second);
            }
        };
        let found = match difference::find(&mut self.peer, &filter, &ours)? {
            Found::All(found) => found,
            Found::TooMany(words) => {
                let split_at = ours.middle_time().unwrap_or_else(|| window.middle());
                let halves = window.split(split_at);
                return halves.map(Some).ok_or(SyncError::Refused(words));
            }
        };
        self.totals.compared += ours.len() as u64;
        self.totals.have += found.have.len() as u64;
        self.totals.need += found.need.len() as u64;
        self.progress()?;
        if self.options.direction != Direction::Up {
            download::download(self, &found.need)?;
        }
        if self.options.direction != Direction::Down {
            upload::upload(self, &found.have)?;
        }
        Ok(None)
    }

    fn progress(&mut self) -> Result<(), SyncError> {
        (self.totals.sent_bytes, self.totals.received_bytes) = self.peer.bytes();
        match (self.tell)(SyncNote::Progress(self.totals.clone())) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(SyncError::Cancelled),
        }
    }
}

fn one_second() -> SyncError {
    SyncError::Store(StoreError::Unavailable(
        "too many events of one second to reconcile them".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c21_reasons_are_bounded_and_fit_a_terminal() {
        let mut reasons = Reasons::default();
        for i in 0..100 {
            reasons.add(&format!("reason {i}\x1b[2J\n{}", "x".repeat(1_000)));
        }
        assert_eq!(reasons.total(), 100);
        assert_eq!(reasons.0.len(), Reasons::MOST + 1);
        for reason in reasons.0.keys() {
            assert!(reason.chars().count() <= Reasons::MOST_CHARS);
            assert!(!reason.contains(char::is_control), "{reason:?}");
        }
    }
}
