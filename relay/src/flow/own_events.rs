//! All events of one author on their way out over HTTP, as JSON lines, oldest first.
//!
//! Invariant: a line leaves only where `visibility` shows the event to its author at that moment. A page is read when there
//! is room for it, in a read transaction of its own, so that a slow reader pins neither memory nor old pages; one who takes
//! nothing is not waited for. Not here: who asks, and how often (`http/own_events`).

use crate::event::PublicKey;
use crate::extension::Viewer;
use crate::filter::Filter;
use crate::readers::Busy;
use crate::relay::Relay;
use crate::store::{Budget, LentPage, Order, Position, Scan, Store, StoreError};
use crate::visibility::Visibility;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Parts that wait for their reader.
const PARTS_WAITING: usize = 2;
/// How long until the readers are asked again.
const BUSY_RETRY: Duration = Duration::from_millis(100);
/// One part.
const PAGE: Budget = Budget {
    events: 500,
    entries: 5_000,
    bytes: 128 << 10,
    time: Duration::from_millis(5),
};

/// Some lines, nothing at the end, or why there is no end.
pub(crate) type Part = Result<Option<Bytes>, BrokenOff>;

/// Why a stream ends early. The reader sees an answer without its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokenOff {
    /// The store cannot be read.
    #[error("the store could not be read")]
    Store(#[from] StoreError),
    /// The relay has had too much to do for as long as it waits for a reader.
    #[error("the relay is too busy")]
    Busy,
    /// It took longer than it may.
    #[error("the stream took too long")]
    TooLong,
    /// The relay stops, the author was banned, or somebody else has the place.
    #[error("the stream is not wanted any more")]
    Ended,
}

/// Whose events go to whom.
pub(crate) struct OwnEvents {
    pub(crate) relay: Arc<Relay>,
    pub(crate) author: PublicKey,
    /// The author, as those who judge visibility know viewers.
    pub(crate) viewer: Viewer,
    /// Seconds since 1970; older events are left out.
    pub(crate) since: Option<u64>,
    /// For how long a reader may take nothing, and the relay be too busy.
    pub(crate) patience: Duration,
    /// How long all of it may take.
    pub(crate) max_time: Duration,
}

/// Why nothing more is written.
enum Over {
    Broken(BrokenOff),
    /// The reader is gone, or takes nothing.
    Left,
}

impl<E: Into<BrokenOff>> From<E> for Over {
    fn from(error: E) -> Self {
        Over::Broken(error.into())
    }
}

impl OwnEvents {
    /// A way for the parts.
    pub(crate) fn channel() -> (Sender<Part>, Receiver<Part>) {
        channel(PARTS_WAITING)
    }

    /// Writes all lines. Ends when nobody reads them.
    pub(crate) async fn write(self, reader: Sender<Part>) {
        if let Err(Over::Broken(error)) = self.write_all(&reader).await {
            tracing::debug!(%error, "a stream of own events broke off");
            // Nobody is there to hear it any more, or the answer breaks off by it.
            let _ = reader.try_send(Err(error));
        }
    }

    async fn write_all(&self, reader: &Sender<Part>) -> Result<(), Over> {
        let relay = &self.relay;
        let until = relay.clock.monotonic().saturating_add(self.max_time);
        let max_row = self.read(|store| store.last_row()).await?;
        let mut resume = None;
        loop {
            if relay.is_stopping() || relay.moderation().banned_pubkeys.contains(&self.author) {
                return Err(BrokenOff::Ended.into());
            }
            if relay.clock.monotonic() >= until {
                return Err(BrokenOff::TooLong.into());
            }
            let page = self.page(max_row, resume).await?;
            let lines = self.lines(&page);
            if !lines.is_empty() {
                self.send(reader, Some(lines)).await?;
            }
            match page.next {
                Some(_) => resume = page.next,
                None => return self.send(reader, None).await,
            }
        }
    }

    async fn page(&self, max_row: u64, resume: Option<Position>) -> Result<LentPage, BrokenOff> {
        let filter = Filter {
            authors: Some(vec![self.author]),
            since: self.since,
            ..Filter::default()
        };
        let now = self.relay.clock.now_s();
        self.read(move |store| {
            store.lend(&Scan {
                filter: &filter,
                order: Order::OldestFirst,
                resume,
                max_row,
                now,
                budget: PAGE,
            })
        })
        .await
    }

    /// Reads, and where too many others do waits a moment and tries again.
    async fn read<T: Send + 'static>(
        &self,
        read: impl Fn(&dyn Store) -> Result<T, StoreError> + Clone + Send + 'static,
    ) -> Result<T, BrokenOff> {
        let clock = &self.relay.clock;
        let until = clock.monotonic().saturating_add(self.patience);
        loop {
            let (store, read) = (self.relay.store.clone(), read.clone());
            match self.relay.readers.run(move || read(&*store)).await {
                Ok(answer) => return Ok(answer?),
                Err(Busy) if self.relay.is_stopping() => return Err(BrokenOff::Ended),
                Err(Busy) if clock.monotonic() >= until => return Err(BrokenOff::Busy),
                Err(Busy) => tokio::time::sleep(BUSY_RETRY).await,
            }
        }
    }

    /// What the author may see of a page.
    fn lines(&self, page: &LentPage) -> Bytes {
        let (hooks, config) = (self.relay.hooks.load(), self.relay.config());
        let visibility = Visibility {
            hooks: &hooks,
            protected: &config.protection.read_protected_kinds,
            now: self.relay.clock.now_s(),
        };
        let mut lines = Vec::new();
        for stored in &page.events {
            if visibility.shows(&stored.event, stored.expires_at, &self.viewer) {
                lines.extend_from_slice(stored.event.json());
                lines.push(b'\n');
            }
        }
        lines.into()
    }

    async fn send(&self, reader: &Sender<Part>, part: Option<Bytes>) -> Result<(), Over> {
        let sent = reader.send_timeout(Ok(part), self.patience).await;
        sent.map_err(|_| Over::Left)
    }
}
