//! Hands committed changes to a `stored` hook, from a durable cursor.
//!
//! Invariant: the cursor moves only after the hook has returned `Ok`, so after a crash a page may come again but none is
//! skipped. A hook that gathers is called less often and for more at a time, and its cursor is written less often; somebody
//! who waits for it (`haste`) has it called before. Cursors of extension `x` are rows of the key space `x@stored`, which `x`
//! cannot write to by mistake.

use super::haste::BREATH;
use super::hook::{Call, Fault, Following, Hook, StartAt};
use super::loops::{self, Depths};
use super::relay_side::Core;
use super::task::StopToken;
use crate::store::{Change, Store, StoreError, Write};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// What is read at once, and what a hook in a hurry is called with.
const PAGE_CHANGES: usize = 256;
/// A hook that gathers is called with about so many changes, or bytes of events, at most.
const GATHERED_CHANGES: usize = 4_096;
const GATHERED_BYTES: usize = 4 << 20;
/// Whether enough has gathered is looked at so often: a look at each commit would be as dear as a call, and what comes in a
/// much longer time is no longer in the store's memory.
const LOOK_EVERY: Duration = Duration::from_millis(125);
/// A `stored` hook may take so long for a page unless config says otherwise.
const PATIENCE: Duration = Duration::from_secs(60);
/// Rows without a change that the hook wants are read again after a crash, up to so many.
const UNSAVED_ROWS_MAX: u64 = 10_000;
const WAIT_MIN: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(60);

pub(super) struct Follower {
    pub(super) hook: Arc<Hook>,
    /// The hook's place among its extension's `stored` hooks.
    pub(super) place: usize,
    pub(super) core: Arc<dyn Core>,
    pub(super) depths: Arc<Depths>,
    /// Rings after each commit.
    pub(super) committed: watch::Receiver<u64>,
    pub(super) stop: StopToken,
}

/// What a hook is called with, and what was read for it.
struct Page {
    wanted: Vec<Change>,
    /// Ask from here next.
    next: u64,
    /// More may be there already.
    is_full: bool,
}

impl Follower {
    /// Runs until it is told to stop.
    pub(super) async fn follow(mut self) {
        let Some(mut cursor) = self.patiently(|| self.load()).await else {
            return;
        };
        self.tell(cursor);
        let gather = gather(&self.hook);
        let (mut saved, mut saved_at) = (cursor, Instant::now());
        let mut is_due = false;
        while !self.stop.is_stopped() {
            // Marked before the read: what is committed from here on rings again.
            self.committed.borrow_and_update();
            let Some(page) = self.patiently(|| self.read(cursor)).await else {
                return;
            };
            let (next, is_full) = (page.next, page.is_full);
            if next == cursor {
                if is_due && self.save_or_warn(cursor).await {
                    (saved, saved_at, is_due) = (cursor, Instant::now(), false);
                }
                self.wait_for_commit().await;
                continue;
            }
            let page: Arc<[Change]> = page.wanted.into();
            if self.patiently(|| self.call(&page)).await.is_none() {
                break;
            }
            cursor = next;
            self.tell(cursor);
            is_due |= !page.is_empty() || cursor - saved >= UNSAVED_ROWS_MAX;
            // A page that is full is followed by another at once, so it is time that says when a cursor is worth a write.
            let is_time = !is_full || saved_at.elapsed() >= gather;
            if is_due && is_time && self.save_or_warn(cursor).await {
                (saved, saved_at, is_due) = (cursor, Instant::now(), false);
            }
            if !is_full {
                self.pause(cursor).await;
            }
        }
        if is_due {
            self.save_or_warn(cursor).await;
        }
    }

    /// Whether it was saved; if not, the next page saves a later one.
    async fn save_or_warn(&self, cursor: u64) -> bool {
        let saved = self.save(cursor).await;
        saved
            .inspect_err(|error| {
                tracing::warn!(
                    extension = self.hook.owner.name,
                    %error,
                    "the cursor of a `stored` hook was not saved"
                );
            })
            .is_ok()
    }

    /// Tells those who wait for it how far the hook is.
    fn tell(&self, cursor: u64) {
        self.hook.owner.host.haste().note(self.place, cursor);
    }

    /// Lets changes gather until there are enough of them or somebody waits for them, unless it is time to stop.
    async fn pause(&self, cursor: u64) {
        let gather = gather(&self.hook);
        if gather.is_zero() {
            return;
        }
        let until = Instant::now() + gather;
        tokio::select! {
            () = self.stop.stopped() => return,
            () = tokio::time::sleep(BREATH.min(gather)) => {}
        }
        let haste = self.hook.owner.host.haste();
        while Instant::now() < until {
            tokio::select! {
                () = self.stop.stopped() => return,
                () = haste.wanted_beyond(cursor) => return,
                () = tokio::time::sleep_until(until.min(Instant::now() + LOOK_EVERY)) => {}
            }
            let waiting = self.committed.borrow().saturating_sub(cursor);
            if waiting >= GATHERED_CHANGES as u64 {
                return;
            }
        }
    }

    /// Tries until it works, with longer and longer waits; `None` if it is time to stop.
    async fn patiently<R, F>(&self, attempt: impl Fn() -> F) -> Option<R>
    where
        F: Future<Output = Result<R, String>>,
    {
        let mut wait = WAIT_MIN;
        loop {
            let attempted = attempt().await;
            self.hook.is_stuck.store(attempted.is_err(), Relaxed);
            match attempted {
                Ok(done) => return Some(done),
                Err(error) => tracing::warn!(
                    extension = self.hook.owner.name,
                    wait_ms = wait.as_millis() as u64,
                    error,
                    "a `stored` hook cannot go on; trying again"
                ),
            }
            tokio::select! {
                () = self.stop.stopped() => return None,
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(WAIT_MAX),
            }
        }
    }

    async fn wait_for_commit(&mut self) {
        tokio::select! {
            () = self.stop.stopped() => {}
            // An error means that the relay is gone, and then the stop token says so, too.
            _ = self.committed.changed() => {}
        }
    }

    async fn call(&self, page: &Arc<[Change]>) -> Result<(), String> {
        let Call::Stored(_, call) = &self.hook.call else {
            return Ok(());
        };
        if page.is_empty() {
            return Ok(());
        }
        let depth = self
            .depths
            .deepest(page.iter().filter_map(|change| match change {
                Change::Stored(stored) => Some(stored.event.id()),
                _ => None,
            }));
        let timeout = self.hook.owner.timeout.unwrap_or(PATIENCE);
        let (call, page) = (call.clone(), page.clone());
        let answer = self
            .hook
            .run(timeout, move || loops::at_depth(depth, call(page)));
        answer.await.map_err(|fault: Fault| fault.to_string())
    }

    /// Reads on in small steps, since others want to read as well.
    async fn read(&self, cursor: u64) -> Result<Page, String> {
        let changes_max = match gather(&self.hook).is_zero() {
            true => PAGE_CHANGES,
            false => GATHERED_CHANGES,
        };
        let mut page = Page {
            wanted: Vec::new(),
            next: cursor,
            is_full: true,
        };
        let (mut looked_at, mut bytes) = (0, 0);
        while page.is_full && looked_at < changes_max && bytes < GATHERED_BYTES {
            let after = page.next;
            let read = self
                .core
                .ask(move |store| store.changes(after, PAGE_CHANGES));
            let read = read.await.map_err(|error| error.to_string())?;
            page.is_full = read.changes.len() >= PAGE_CHANGES;
            page.next = read.next;
            looked_at += read.changes.len();
            let wanted = read.changes.into_iter();
            let wanted = wanted.filter(|change| wants(&self.hook, change));
            page.wanted.extend(wanted.inspect(|change| {
                if let Change::Stored(stored) = change {
                    bytes += stored.event.json().len();
                }
            }));
        }
        Ok(page)
    }

    async fn load(&self) -> Result<u64, String> {
        let (space, key) = cursor_row(self.hook.owner.name, self.place);
        let starts_now = starts_now(&self.hook);
        let loaded = self.core.ask(move |store| {
            Ok(match saved(store, &space, &key, starts_now)? {
                Some(cursor) => (cursor, true),
                None => (store.last_row()?, false),
            })
        });
        let (cursor, is_saved) = loaded.await.map_err(|error| error.to_string())?;
        if !is_saved {
            // Otherwise a crash before the first page would move the beginning.
            self.save(cursor).await.map_err(|error| error.to_string())?;
        }
        Ok(cursor)
    }

    async fn save(&self, cursor: u64) -> Result<(), StoreError> {
        let (extension, key) = cursor_row(self.hook.owner.name, self.place);
        let value = Some(encode(cursor));
        let write = Write::Kv {
            extension,
            key,
            value,
        };
        self.core.submit(vec![write]).await.map(drop)
    }
}

/// The last row that a `stored` hook has dealt with, as far as it is saved; `None` where it has yet to begin with what comes
/// next.
pub(super) fn saved_cursor(
    hook: &Hook,
    place: usize,
    store: &dyn Store,
) -> Result<Option<u64>, StoreError> {
    let (space, key) = cursor_row(hook.owner.name, place);
    saved(store, &space, &key, starts_now(hook))
}

fn saved(
    store: &dyn Store,
    space: &str,
    key: &[u8],
    starts_now: bool,
) -> Result<Option<u64>, StoreError> {
    Ok(match store.kv_get(space, key)? {
        Some(cursor) => Some(decode(&cursor)?),
        None if starts_now => None,
        None => Some(0),
    })
}

/// Whether a `stored` hook has not come yet to a change that it wants, as far as its cursor says.
#[cfg(feature = "testing")]
pub(super) fn is_behind(hook: &Hook, place: usize, store: &dyn Store) -> Result<bool, StoreError> {
    let Some(mut cursor) = saved_cursor(hook, place, store)? else {
        return Ok(true);
    };
    loop {
        let page = store.changes(cursor, PAGE_CHANGES)?;
        if page.changes.iter().any(|change| wants(hook, change)) {
            return Ok(true);
        }
        if page.next == cursor {
            return Ok(false);
        }
        cursor = page.next;
    }
}

fn wants(hook: &Hook, change: &Change) -> bool {
    match change {
        Change::Stored(stored) => hook.kinds.contains(stored.event.kind()),
        Change::Removed { kind, .. } => hook.kinds.contains(*kind),
        Change::Gap { .. } => true,
    }
}

fn starts_now(hook: &Hook) -> bool {
    matches!(
        hook.call,
        Call::Stored(
            Following {
                start_at: StartAt::Now,
                ..
            },
            _
        )
    )
}

fn gather(hook: &Hook) -> Duration {
    match hook.call {
        Call::Stored(Following { gather, .. }, _) => gather,
        _ => Duration::ZERO,
    }
}

/// Key space and key of the row with a cursor.
pub(super) fn cursor_row(extension: &str, place: usize) -> (String, Vec<u8>) {
    (
        format!("{extension}@stored"),
        place.to_string().into_bytes(),
    )
}

/// The value of such a row.
pub(super) fn encode(cursor: u64) -> Vec<u8> {
    cursor.to_be_bytes().to_vec()
}

fn decode(cursor: &[u8]) -> Result<u64, StoreError> {
    let bytes = cursor.try_into();
    let bytes = bytes.map_err(|_| StoreError::Corrupt("a cursor is not 8 bytes".to_owned()))?;
    Ok(u64::from_be_bytes(bytes))
}
