//! After the commit: memory learns of what is new, and which directive a report belongs to is written down.
//!
//! Invariant: a page may come twice and changes nothing then.

use crate::QubeCoordination;
use crate::claims;
use crate::fields;
use crate::log;
use crate::watch;
use futures_util::future::try_join_all;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use trellis_qube_protocol::{Ack, EventId, KIND_ACK, KIND_SIGNAL};
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

/// However many commits there are, memory is made anew so often and no more.
const GATHER: Duration = Duration::from_millis(100);
/// Rows that are written at a time.
const ROWS: usize = 256;

/// Registers the hook.
pub(crate) fn register(hooks: &mut Registrar<QubeCoordination>) {
    hooks.gather(GATHER).stored(
        [KIND_SIGNAL, KIND_ACK],
        StartAt::Beginning,
        async |me: Arc<QubeCoordination>, page| {
            me.follow(&page).await?;
            Ok(())
        },
    );
}

impl QubeCoordination {
    async fn follow(&self, page: &[Change]) -> Result<(), StoreError> {
        let (mut signals, mut acks) = (Vec::new(), Vec::new());
        let (mut is_less, mut is_replaced) = (false, false);
        let mut nodes = BTreeSet::new();
        for change in page {
            match change {
                Change::Stored(stored) => match stored.event.kind() {
                    KIND_SIGNAL => {
                        self.take_back(&fields::id(&stored.event)).await?;
                        signals.extend(fields::signal(&stored.event).ok());
                    }
                    _ => acks.extend(fields::ack(&stored.event).ok()),
                },
                // What was replaced counts as before. If that was at once, it has never been seen as stored.
                Change::Removed { id, cause, .. } if *cause == Cause::Replacement => {
                    is_replaced |= !self.holdings.knows(&EventId::from_bytes(*id.as_bytes()));
                }
                Change::Removed {
                    id,
                    kind,
                    pubkey,
                    cause,
                    ..
                } => {
                    is_less = true;
                    if *kind == KIND_SIGNAL {
                        self.forget(id, pubkey, *cause).await?;
                    } else {
                        nodes.insert(*pubkey);
                        let resolved = resolved_key(&EventId::from_bytes(*id.as_bytes()));
                        self.host.kv_put(&resolved, None).await?;
                    }
                }
                Change::Gap { .. } => is_less = true,
            }
        }
        for node in &nodes {
            claims::release(&self.host, self.networks.values(), node).await?;
        }
        let before = self.holdings.state();
        if is_less {
            self.holdings.reload(&self.host).await?;
        }
        if is_replaced {
            self.holdings.load_replaced(&self.host).await?;
        }
        self.holdings.learn(signals, Vec::new());
        // First: whoever sees a report shall find to what it belongs.
        self.write_resolved(&acks).await?;
        let now_s = self.host.clock().now_s();
        acks.iter().for_each(|ack| watch::reported(ack, now_s));
        self.holdings.learn(Vec::new(), acks);
        watch::followed(&before, &self.holdings.state());
        Ok(())
    }

    /// The row that keeps a removed directive in memory goes with it, and what the operator removed is remembered, so that no peer
    /// brings it back.
    async fn forget(
        &self,
        id: &trellis_relay::event::EventId,
        author: &PublicKey,
        cause: Cause,
    ) -> Result<(), StoreError> {
        if cause == Cause::Admin {
            let id = EventId::from_bytes(*id.as_bytes());
            let row = Some(Vec::new());
            self.host.kv_put(&log::removed_key(&id), row).await?;
            self.holdings.set_removed(id, true);
        }
        let key = log::standing_key_of(author);
        let row = self.host.kv_get(&key).await?;
        let standing = row.and_then(|row| Event::parse(&row).ok());
        if standing.is_some_and(|event| event.id() == id) {
            self.host.kv_put(&key, None).await?;
        }
        Ok(())
    }

    /// What was removed and is stored again has passed by the hooks, which the operator alone can do.
    async fn take_back(&self, id: &EventId) -> Result<(), StoreError> {
        if self.holdings.is_removed(id) {
            self.host.kv_put(&log::removed_key(id), None).await?;
            self.holdings.set_removed(*id, false);
        }
        Ok(())
    }

    async fn write_resolved(&self, acks: &[Ack]) -> Result<(), StoreError> {
        let resolved: Vec<(EventId, EventId)> = acks
            .iter()
            .filter_map(|ack| Some((ack.id, self.holdings.resolve(ack)?)))
            .collect();
        for some in resolved.chunks(ROWS) {
            let writes = some.iter().map(|(ack, signal)| async move {
                let row = Some(signal.as_bytes().to_vec());
                self.host.kv_put(&resolved_key(ack), row).await
            });
            try_join_all(writes).await?;
        }
        Ok(())
    }
}

/// Where it stands to which directive a report belongs, as it was known when the report came.
pub(crate) fn resolved_key(ack: &EventId) -> Vec<u8> {
    [b"ack/", ack.as_bytes().as_slice()].concat()
}
