//! Reconciles the store with another relay (NIP-77) and brings over what one side lacks.
//!
//! The work goes window by window of time, so that memory stays bounded however much either side holds. What the peer
//! sends is believed in nothing: an event is stored if it was asked for, matches the filter, is verified and not banned
//! (NIP-86). What only its recipients may read here (`protection.read_protected_kinds`) and what only its author may
//! publish (NIP-70) is never sent, and of the first kind not even ids: another relay may have other ideas of who reads.
//! Nothing is remembered between runs: one that was interrupted is begun again, and what is there already is not moved
//! twice.

mod difference;
mod download;
mod information;
mod ours;
mod pace;
mod peer;
mod totals;
mod upload;
mod window;

use self::difference::Found;
use self::ours::Ours;
use self::peer::{Peer, PeerMessage};
pub use self::totals::{LeftOut, Named, Reasons, SyncTotals};
use self::upload::Connections;
use self::window::Window;
use super::console::{Console, Note};
use super::job::{JobError, filter_of};
use super::target::Target;
use crate::filter::Filter;
use crate::store::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// What to reconcile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyncJob {
    /// The peer: `ws://` or `wss://`.
    pub url: String,
    /// Which events (NIP-01). A `limit` or `search` is refused: the two sides would not mean the same events.
    pub filter: Value,
    /// Which way events go.
    pub direction: Direction,
}

impl SyncJob {
    /// The filter, refused where it means different events to different relays.
    pub(super) fn checked_filter(&self) -> Result<Filter, JobError> {
        let filter = filter_of(&self.filter)?;
        match filter.limit {
            Some(_) => Err(SyncError::Limit.into()),
            None => Ok(filter),
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

/// A stranger's words for a terminal: short, and without what moves a cursor.
fn plain(words: &str, most_chars: usize) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    words.chars().take(most_chars).map(shown).collect()
}

/// Why a reconciliation ended early. What was moved stays.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The newest events are others on each side.
    #[error("the filter of a sync cannot have a \"limit\"; use \"since\"")]
    Limit,
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
    #[error("the peer was silent for {} s while it was to {doing}{}", PATIENCE.as_secs(), last_words(.said))]
    Silent {
        /// What it was asked for.
        doing: &'static str,
        /// What it said last for people.
        said: Option<String>,
    },
    /// The connection ended.
    #[error("the connection ended: {0}")]
    Gone(String),
    /// The operator, or the end of the relay.
    #[error("interrupted")]
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

/// How long the peer may take for each step.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the console is asked whether to go on, while the peer is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Windows that had to be split: a peer that always has too much to say is given up.
const MOST_SPLITS: u32 = 10_000;
/// Seconds that are left out before anything was compared.
const MOST_LEFT_OUT_AT_FIRST: u64 = 3;

/// Reconciles and moves events. Blocks, and must not be called on a thread of an async runtime.
pub fn sync(
    target: &dyn Target,
    job: &SyncJob,
    console: &mut dyn Console,
) -> Result<SyncTotals, JobError> {
    let filter = job.checked_filter()?;
    let mut work = Work {
        target,
        filter: &filter,
        direction: job.direction,
        totals: SyncTotals::default(),
        peer: Peer::connect(&job.url, target.keys())?,
        has_compared: false,
        authentications: 0,
        connections: Connections::default(),
        no_more_uploads: None,
        console,
    };
    let done = work.run();
    work.peer.close();
    match done {
        Ok(()) => Ok(work.totals),
        Err(SyncError::Cancelled) => Err(JobError::Cancelled),
        Err(error) => Err(error.into()),
    }
}

/// A reconciliation under way.
struct Work<'w> {
    target: &'w dyn Target,
    filter: &'w Filter,
    direction: Direction,
    totals: SyncTotals,
    peer: Peer,
    /// Whether a window was compared with the peer.
    has_compared: bool,
    authentications: u32,
    connections: Connections,
    /// Why nothing more is sent, where the peer's limit of a rate was met again and again.
    no_more_uploads: Option<String>,
    console: &'w mut dyn Console,
}

impl Work<'_> {
    fn run(&mut self) -> Result<(), SyncError> {
        let mut windows = vec![Window::of(self.filter)];
        let mut splits = 0;
        // The newest first, since it is asked for most.
        while let Some(window) = windows.pop() {
            if let Some((older, newer)) = self.reconcile(window)? {
                splits += 1;
                if splits > MOST_SPLITS {
                    return Err(SyncError::Protocol("it never has little to say".to_owned()));
                }
                windows.extend([older, newer]);
            }
        }
        self.progress()
    }

    /// Does one window, leaves it out, or says into which two it has to be split.
    fn reconcile(&mut self, window: Window) -> Result<Option<(Window, Window)>, SyncError> {
        let filter = window.narrow(self.filter);
        let ours = match ours::gather(self.target, &filter)? {
            Ours::All(list) => list,
            Ours::TooMany { split_at } => {
                let why = format!("more than {} events here", ours::MOST_ITEMS);
                return Ok(self.split(window, split_at, why));
            }
        };
        let found = match difference::find(self, &filter, &ours)? {
            Found::All(found) => found,
            Found::TooMany(words) => {
                let split_at = ours.middle_time().unwrap_or_else(|| window.middle());
                let why = format!("the peer says: {words}");
                let halves = self.split(window, split_at, why);
                // Words of a limit may be another refusal: then nothing is ever little enough.
                if !self.has_compared && self.totals.left_out.seconds >= MOST_LEFT_OUT_AT_FIRST {
                    return Err(SyncError::Refused(words));
                }
                return Ok(halves);
            }
        };
        self.has_compared = true;
        self.totals.compared += ours.len() as u64;
        self.totals.have += found.have.len() as u64;
        self.totals.need += found.need.len() as u64;
        self.progress()?;
        if self.direction != Direction::Up {
            download::download(self, &found.need)?;
        }
        if self.direction != Direction::Down {
            upload::upload(self, &found.have)?;
        }
        Ok(None)
    }

    /// The two windows instead of one that has too much; one second is left out.
    fn split(&mut self, window: Window, at: u64, why: String) -> Option<(Window, Window)> {
        let halves = window.split(at);
        if halves.is_none() {
            self.totals.left_out.add(window.since, why);
        }
        halves
    }

    fn progress(&mut self) -> Result<(), SyncError> {
        (self.totals.sent_bytes, self.totals.received_bytes) = self.peer.bytes();
        let (done, all) = self.totals.headway(self.direction);
        self.console.tell(Note::Headway {
            done,
            total: Some(all),
        });
        self.go_on()
    }

    fn go_on(&self) -> Result<(), SyncError> {
        match self.console.is_cancelled() {
            true => Err(SyncError::Cancelled),
            false => Ok(()),
        }
    }

    /// Waits, and lets pass what the peer says meanwhile.
    fn pause(&mut self, until: Instant) -> Result<(), SyncError> {
        loop {
            self.go_on()?;
            let now = Instant::now();
            if now >= until {
                return Ok(());
            }
            self.peer.receive(until.min(now + LOOK_EVERY))?;
        }
    }

    /// When what is waited for from now on has to be there.
    fn deadline(&self) -> Instant {
        Instant::now() + PATIENCE
    }

    /// The next message; `doing` says what the peer is to do until the deadline.
    fn next(&mut self, deadline: Instant, doing: &'static str) -> Result<PeerMessage, SyncError> {
        loop {
            // A peer that keeps talking must not keep the operator from being heard.
            self.go_on()?;
            let now = Instant::now();
            if now >= deadline {
                return Err(SyncError::Silent {
                    doing,
                    said: self.peer.said(),
                });
            }
            if let Some(message) = self.peer.receive(deadline.min(now + LOOK_EVERY))? {
                return Ok(message);
            }
        }
    }

    /// Authenticates by NIP-42 with the relay's own key, if the peer has asked; says whether it did. Each challenge is
    /// answered once, and a peer that never has enough of them is not.
    fn authenticate(&mut self) -> Result<bool, SyncError> {
        const MOST_AUTHENTICATIONS: u32 = 16;
        self.authentications += 1;
        if self.authentications > MOST_AUTHENTICATIONS {
            return Ok(false);
        }
        let Some(id) = self.peer.answer_challenge()? else {
            return Ok(false);
        };
        let deadline = self.deadline();
        loop {
            match self.next(deadline, "authenticate us")? {
                PeerMessage::Ok(of, true, _) if of == id => return Ok(true),
                PeerMessage::Ok(of, false, why) if of == id => {
                    return Err(SyncError::Refused(plain(&why, MOST_SAID_CHARS)));
                }
                _ => {}
            }
        }
    }
}

/// Words of a peer that an error quotes.
const MOST_SAID_CHARS: usize = 300;
