//! What was replaced goes on in an append-only log: written in the transaction that replaces it, each entry bound to the one
//! before by its hash. What peers had and this relay had not stands in a log of its own (`adopted`), which one task writes.
//!
//! Invariant: an entry is never changed or taken away, and the two logs have one writer each, so that no number is given
//! twice.

use crate::QubeCoordination;
use crate::admission::{self, Refused, Said};
use crate::claims;
use crate::fields;
use crate::watch;
use tokio::sync::{Mutex, MutexGuard};
use trellis_qube_protocol::chain::{self, Entry, EntryKind};
use trellis_qube_protocol::{Digest, EventId, KIND_ACK, KIND_SIGNAL};
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

/// Entries of a page that is read from the store.
const PAGE: usize = 500;

/// One of the two logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chain {
    /// What was replaced here.
    Log,
    /// What came from peers' history.
    Adopted,
}

/// The number and hash of the last entry, if there is one.
pub(crate) type Head = Option<(u64, Digest)>;

impl Chain {
    /// As routes call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Chain::Log => "log",
            Chain::Adopted => "adopted",
        }
    }

    const fn prefix(self) -> &'static [u8] {
        match self {
            Chain::Log => b"log/",
            Chain::Adopted => b"adopted/",
        }
    }

    const fn head_key(self) -> &'static [u8] {
        match self {
            Chain::Log => b"log_head",
            Chain::Adopted => b"adopted_head",
        }
    }

    fn key(self, seq: u64) -> Vec<u8> {
        [self.prefix(), &seq.to_be_bytes()].concat()
    }

    /// The last entry's number and hash. An entry may be a moment ahead of the row that tells of it.
    pub(crate) async fn head(self, host: &Host) -> Result<Head, StoreError> {
        let row = host.kv_get(self.head_key()).await?;
        let head = row.as_deref().and_then(read_head);
        let seq = head.map_or(0, |(seq, _)| seq);
        let newer = self.after(host, seq, PAGE).await?;
        Ok(newer.last().map(|last| (last.seq, last.hash)).or(head))
    }

    /// At most `max` entries after a number, in order.
    pub(crate) async fn after(
        self,
        host: &Host,
        seq: u64,
        max: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let from = self.key(seq);
        let rows = host.kv_scan(self.prefix(), Some(&from), max);
        let read = |(key, row): (Vec<u8>, Vec<u8>)| match serde_json::from_slice(&row) {
            Ok(entry) => Some(entry),
            Err(error) => {
                tracing::error!(row = %String::from_utf8_lossy(&key[..4]), %error, "an entry of the log cannot be read");
                None
            }
        };
        Ok(rows.await?.into_iter().filter_map(read).collect())
    }

    /// Every entry after a number, page by page.
    pub(crate) async fn each_after(
        self,
        host: &Host,
        mut seq: u64,
        mut look: impl FnMut(&Entry),
    ) -> Result<(), StoreError> {
        loop {
            let entries = self.after(host, seq, PAGE).await?;
            entries.iter().for_each(&mut look);
            match entries.last() {
                Some(last) => seq = last.seq,
                None => return Ok(()),
            }
        }
    }
}

/// The turn of who appends to the log of what was adopted. Instances of one process take turns, since an old one may still be at
/// it when its successor begins: what is not there yet is to be found out within the turn.
pub(crate) struct Turn {
    _guard: MutexGuard<'static, ()>,
}

impl Turn {
    /// Whatever was appended before is durable and can be read.
    pub(crate) async fn to_adopt(host: &Host) -> Result<Turn, StoreError> {
        static TURN: Mutex<()> = Mutex::const_new(());
        let _guard = TURN.lock().await;
        // Whatever was handed to the writer before this row is durable when the row is, also by somebody who was cut off.
        host.kv_put(b"adopted_fence", Some(Vec::new())).await?;
        Ok(Turn { _guard })
    }

    /// Appends events to the log of what was adopted.
    pub(crate) async fn adopt(self, host: &Host, events: &[String]) -> Result<(), StoreError> {
        let mut head = Chain::Adopted.head(host).await?;
        for event in events {
            let at_s = host.clock().now_s();
            let entry = chain::append_after(head, at_s, EntryKind::Adopted, event.clone());
            let key = Chain::Adopted.key(entry.seq);
            host.kv_put(&key, Some(written(&entry))).await?;
            head = Some((entry.seq, entry.hash));
            let row = head.map(head_row);
            host.kv_put(Chain::Adopted.head_key(), row).await?;
        }
        Ok(())
    }
}

/// Registers the hook.
pub(crate) fn register(hooks: &mut Registrar<QubeCoordination>) {
    hooks.commit([KIND_SIGNAL, KIND_ACK], |me, event, tx| {
        let refused = keep(me, event, tx)?.err();
        if let Some(refused) = &refused {
            watch::refused_at_commit(event.kind(), refused.label);
        }
        Ok(refused.map(|it| it.reason).into())
    });
}

fn keep(
    me: &QubeCoordination,
    event: &Event,
    tx: &mut CommitTx<'_>,
) -> Result<Result<(), Refused>, HookError> {
    // What was synced or imported has passed no admission.
    match admission::read_any(me, event, tx.now_s()) {
        Err(refused) => return Ok(Err(refused)),
        Ok(Said::Ack(ack)) => return Ok(claims::claim(&me.networks, &ack, tx)?),
        Ok(Said::Signal(_)) => {}
    }
    if tx.get(&removed_key(&fields::id(event)))?.is_some() {
        let text = "the operator of this relay has removed this directive";
        return Ok(Err(Refused::restricted(text)));
    }
    append_replaced(tx)?;
    let standing = standing_key_of(event.pubkey());
    tx.put(&standing, event.json().to_vec())?;
    Ok(Ok(()))
}

fn append_replaced(tx: &mut CommitTx<'_>) -> Result<(), HookError> {
    let replaced: Vec<String> = tx
        .removes()
        .iter()
        .filter(|event| event.kind() == KIND_SIGNAL)
        .map(|event| String::from_utf8_lossy(event.json()).into_owned())
        .collect();
    let mut head = match replaced.is_empty() {
        true => return Ok(()),
        false => tx
            .get(Chain::Log.head_key())?
            .as_deref()
            .and_then(read_head),
    };
    for event in replaced {
        let entry = chain::append_after(head, tx.now_s(), EntryKind::Replaced, event);
        tx.put(&Chain::Log.key(entry.seq), written(&entry))?;
        head = Some((entry.seq, entry.hash));
    }
    if let Some(head) = head {
        tx.put(Chain::Log.head_key(), head_row(head))?;
    }
    Ok(())
}

/// Where it stands which directives the operator has removed: what peers hand over again is known by it.
pub(crate) const REMOVED: &[u8] = b"removed/";

/// The row of a directive that the operator has removed.
pub(crate) fn removed_key(id: &EventId) -> Vec<u8> {
    [REMOVED, id.as_bytes().as_slice()].concat()
}

/// Where a developer's newest directive stands as well: a request to vanish hides their events from every query until it is
/// found that they are kept.
pub(crate) const STANDING: &[u8] = b"standing/";

/// The row of a developer's newest directive.
pub(crate) fn standing_key_of(author: &PublicKey) -> Vec<u8> {
    [STANDING, author.as_bytes().as_slice()].concat()
}

fn written(entry: &Entry) -> Vec<u8> {
    serde_json::to_vec(entry).unwrap_or_default()
}

/// A place in a log as a row.
pub(crate) fn head_row((seq, hash): (u64, Digest)) -> Vec<u8> {
    [&seq.to_be_bytes()[..], hash.as_bytes()].concat()
}

/// The place that a row tells.
pub(crate) fn read_head(row: &[u8]) -> Head {
    let (seq, hash) = row.split_first_chunk()?;
    let hash: [u8; 32] = hash.try_into().ok()?;
    Some((u64::from_be_bytes(*seq), Digest::from_bytes(hash)))
}
