//! Filling memory from what is stored.
//!
//! Invariant: nothing that is stored is missing afterwards, however much there is, and whatever a request to vanish hides at
//! the moment.

use super::Holdings;
use crate::fields;
use crate::log::{Chain, REMOVED, STANDING};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use trellis_qube_protocol::{EventId, KIND_ACK, KIND_SIGNAL, Ledger, Signal};
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

/// Events of one query.
const PAGE: usize = 10_000;

impl Holdings {
    /// Adds everything that is stored; what is there already stays.
    pub(crate) async fn load(&self, host: &Host) -> Result<(), StoreError> {
        self.load_removed(host).await?;
        let signals = stored_signals(host).await?;
        self.learn(signals, Vec::new());
        self.load_adopted(host).await?;
        self.load_replaced(host).await?;
        each_page(host, KIND_ACK, |events| {
            let acks = events.iter().filter_map(|event| fields::ack(event).ok());
            self.learn(Vec::new(), acks.collect());
        })
        .await
    }

    /// Adds what has been replaced since the log was last read.
    pub(super) async fn load_replaced(&self, host: &Host) -> Result<(), StoreError> {
        let begun = self.log_seq.load(Relaxed);
        let (mut signals, mut seq) = (Vec::new(), begun);
        Chain::Log
            .each_after(host, begun, |entry| {
                seq = entry.seq;
                signals.extend(signal_of(&entry.event));
            })
            .await?;
        self.learn(signals, Vec::new());
        self.log_seq.fetch_max(seq, Relaxed);
        Ok(())
    }

    /// Adds what was adopted since that log was last read, by whichever instance.
    pub(crate) async fn load_adopted(&self, host: &Host) -> Result<(), StoreError> {
        self.load_adopted_after(host, self.adopted_seq.load(Relaxed))
            .await
    }

    async fn load_adopted_after(&self, host: &Host, begun: u64) -> Result<(), StoreError> {
        let (mut signals, mut seq) = (Vec::new(), begun);
        Chain::Adopted
            .each_after(host, begun, |entry| {
                seq = entry.seq;
                signals.extend(signal_of(&entry.event));
            })
            .await?;
        self.learn(signals, Vec::new());
        self.adopted_seq.fetch_max(seq, Relaxed);
        Ok(())
    }

    async fn load_removed(&self, host: &Host) -> Result<(), StoreError> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let rows = host.kv_scan(REMOVED, after.as_deref(), PAGE).await?;
            let ids = rows.iter().filter_map(|(key, _)| {
                let id = key.strip_prefix(REMOVED)?.try_into().ok()?;
                Some(EventId::from_bytes(id))
            });
            self.removed().extend(ids);
            match rows.into_iter().next_back() {
                Some((last, _)) => after = Some(last),
                None => return Ok(()),
            }
        }
    }

    /// Forgets what is stored no more, by reading everything anew.
    pub(crate) async fn reload(&self, host: &Host) -> Result<(), StoreError> {
        let mut ledger = Ledger::new(self.networks.clone(), self.scope);
        let mut insert = |signal: Signal| {
            if !self.is_removed(&signal.id) {
                ledger.insert_signal(signal);
            }
        };
        stored_signals(host)
            .await?
            .into_iter()
            .for_each(&mut insert);
        let mut adopted_seq = 0;
        for chain in [Chain::Log, Chain::Adopted] {
            chain
                .each_after(host, 0, |entry| {
                    if let Some(signal) = signal_of(&entry.event) {
                        insert(signal);
                    }
                    if chain == Chain::Adopted {
                        adopted_seq = entry.seq;
                    }
                })
                .await?;
        }
        each_page(host, KIND_ACK, |events| {
            let acks = events.iter().filter_map(|event| fields::ack(event).ok());
            for ack in acks {
                ledger.insert_ack(ack);
            }
        })
        .await?;
        self.replace(ledger);
        // What a visit to a peer taught the ledger that is gone now is in the log, and told no more.
        self.load_adopted_after(host, adopted_seq).await
    }
}

/// The directives that stand.
async fn stored_signals(host: &Host) -> Result<Vec<Signal>, StoreError> {
    let mut signals = Vec::new();
    each_page(host, KIND_SIGNAL, |events| {
        signals.extend(events.iter().filter_map(|event| fields::signal(event).ok()));
    })
    .await?;
    for (_, row) in host.kv_scan(STANDING, None, PAGE).await? {
        signals.extend(
            Event::parse(&row)
                .ok()
                .and_then(|it| fields::signal(&it).ok()),
        );
    }
    Ok(signals)
}

/// The directive that an entry of a log holds.
fn signal_of(json: &str) -> Option<Signal> {
    let event = Event::parse(json.as_bytes()).ok()?;
    fields::signal(&event).ok()
}

/// Every stored event of a kind, newest first, page by page.
async fn each_page(
    host: &Host,
    kind: u16,
    mut look: impl FnMut(&[Arc<Event>]),
) -> Result<(), StoreError> {
    let mut until = None;
    loop {
        let filter = Filter {
            kinds: Some(vec![kind]),
            until,
            limit: Some(PAGE),
            ..Filter::default()
        };
        let events = host.query(filter).await?;
        look(&events);
        let oldest_s = match events.last() {
            Some(oldest) if events.len() == PAGE => oldest.created_at(),
            _ => return Ok(()),
        };
        // The same second may go on beyond the page. If it fills a page by itself, there is no asking for its rest.
        until = match until == Some(oldest_s) {
            false => Some(oldest_s),
            true => {
                tracing::warn!(
                    created_at = oldest_s,
                    "more than {PAGE} events say that they were signed in one second: the rest of them is left out"
                );
                match oldest_s.checked_sub(1) {
                    Some(before) => Some(before),
                    None => return Ok(()),
                }
            }
        };
    }
}
