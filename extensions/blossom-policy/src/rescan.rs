//! Looks at what is stored with the block lists as they are now, and shows to nobody any more what is on them (rule B7).
//!
//! Begun at the start, when the lists have changed, and when an operator says so. What has come off a list is not shown again
//! by itself: `unquarantine` says that.
//!
//! Invariant: one look at a time, and none is forgotten that was asked for while another went on.

use crate::BlossomPolicy;
use crate::administration::{self, Action, Subject};
use crate::block_lists::BlockLists;
use crate::holdings::{Holdings, HoldingsError};
use crate::index::{Blob, Change};
use crate::refusal::Refusal;
use crate::showing;
use crate::watch;
use futures_util::StreamExt as _;
use md5::Md5;
use sha1::{Digest as _, Sha1};
use tokio::sync::{Mutex, Notify};
use trellis_relay::extension::prelude::*;

/// Rows that are looked at before others have their turn.
const PAGE: usize = 500;
/// Why, in the book.
const REASON: &str = "on a block list";
/// Who has decided, in the book.
const BY: &str = "block lists";

/// Wakes whoever looks.
#[derive(Debug, Default)]
pub(crate) struct Rescan {
    wanted: Notify,
    turn: Mutex<()>,
}

/// What a look has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "BlossomScanned")]
pub(crate) struct Scanned {
    /// Blobs that were looked at.
    pub(crate) blobs: u64,
    /// Of these, those that are shown to nobody any more.
    pub(crate) quarantined: u64,
    /// Those that a list may have, by a hash that could not be made.
    pub(crate) unread: u64,
}

impl Rescan {
    /// Has everything looked at soon.
    pub(crate) fn ask(&self) {
        self.wanted.notify_one();
    }
}

/// Looks at the start and whenever that is asked for. Never ends.
pub(crate) async fn keep_scanning(me: &BlossomPolicy) {
    loop {
        match scan(me).await {
            Ok(_) => me.rescan.wanted.notified().await,
            Err(refusal) => {
                tracing::error!(
                    "not all blobs were compared with the block lists, so that is tried again: {}",
                    refusal.in_full()
                );
                // As soon as the lists themselves are looked at. What was asked for meanwhile is done by the same look.
                let pause = me.config().block_lists.reload_interval.duration();
                let _ = tokio::time::timeout(pause, me.rescan.wanted.notified()).await;
            }
        }
    }
}

/// Looks at everything once.
pub(crate) async fn scan(me: &BlossomPolicy) -> Result<Scanned, Refusal> {
    let _turn = me.rescan.turn.lock().await;
    let (mut scanned, mut after) = (Scanned::default(), None);
    if me.block_lists.hashes() == 0 {
        return Ok(scanned);
    }
    loop {
        let blobs = me.holdings.index().blobs(after, PAGE).await?;
        for blob in blobs.iter().filter(|it| it.quarantined_for.is_none()) {
            scanned.blobs += 1;
            match is_blocked(me, blob).await {
                Some(true) => {
                    let now_ms = me.host.clock().now_ms();
                    let is_new = quarantine(&me.holdings, blob, now_ms).await?;
                    scanned.quarantined += u64::from(is_new);
                }
                Some(false) => {}
                None => scanned.unread += 1,
            }
        }
        after = blobs.last().map(|it| it.sha256);
        if blobs.len() < PAGE {
            break;
        }
        tokio::task::yield_now().await;
    }
    let Scanned {
        blobs,
        quarantined,
        unread,
    } = scanned;
    if quarantined > 0 || unread > 0 {
        tracing::warn!(
            blobs,
            quarantined,
            unread,
            "blobs were compared with the block lists"
        );
    }
    Ok(scanned)
}

/// Shows to nobody what came in while the lists changed. Whether it is on them.
pub(crate) async fn catch_up(
    holdings: &Holdings,
    lists: &BlockLists,
    blob: &Blob,
    now_ms: u64,
) -> Result<bool, HoldingsError> {
    let is_blocked = showing::is_listed(lists, blob);
    if is_blocked {
        quarantine(holdings, blob, now_ms).await?;
    }
    Ok(is_blocked)
}

/// Whether a list has it; nothing where it cannot be read.
async fn is_blocked(me: &BlossomPolicy, blob: &Blob) -> Option<bool> {
    let lists = &me.block_lists;
    let (mut md5, mut sha1) = (blob.md5, blob.sha1);
    let lacks_hash = lists.wants_md5() && md5.is_none() || lists.wants_sha1() && sha1.is_none();
    if lacks_hash && !lists.is_blocked(blob.sha256.as_bytes(), None, None) {
        match digests(me, blob).await {
            Ok((made_md5, made_sha1)) => (md5, sha1) = (Some(made_md5), Some(made_sha1)),
            Err(refusal) => {
                tracing::warn!("a blob cannot be read to compare it: {}", refusal.in_full());
                return None;
            }
        }
    }
    Some(lists.is_blocked(blob.sha256.as_bytes(), md5.as_ref(), sha1.as_ref()))
}

/// The hashes by which lists know it that came after it. They are kept.
async fn digests(me: &BlossomPolicy, blob: &Blob) -> Result<([u8; 16], [u8; 20]), Refusal> {
    let mut chunks = me.holdings.read(blob, 0..blob.size_bytes).await?;
    let (mut md5, mut sha1) = (Md5::new(), Sha1::new());
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        let hashed = tokio::task::spawn_blocking(move || {
            md5.update(&chunk);
            sha1.update(&chunk);
            (md5, sha1)
        });
        (md5, sha1) = hashed.await.map_err(Refusal::inside)?;
    }
    let digests = (md5.finalize().into(), sha1.finalize().into());
    let index = me.holdings.index();
    index
        .note_digests(&blob.sha256, Some(digests.0), Some(digests.1))
        .await?;
    Ok(digests)
}

async fn quarantine(holdings: &Holdings, blob: &Blob, now_ms: u64) -> Result<bool, HoldingsError> {
    let (subject, action) = (Subject::Blob(blob.sha256), Action::Quarantine.name());
    let decision = subject.decision(now_ms, BY, action, REASON);
    let change = Change::Quarantine(&blob.sha256);
    let is_new = administration::decide(holdings.index(), change, &decision).await?;
    if is_new {
        watch::quarantined();
    }
    Ok(is_new)
}
