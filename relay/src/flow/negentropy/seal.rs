//! The set of a NEG-OPEN (NIP-77): what it holds, and that it is not too much.
//!
//! Invariant: what a set takes of memory is counted before it is taken.

use super::gather::gather;
use super::{Refusal, access_changed, narrowed};
use crate::connections::network;
use crate::filter::Filter;
use crate::flow::count::Allowance;
use crate::nips::nip77::{Crowded, ItemList, ItemShare};
use crate::reason::Reason;
use crate::session::{Reconciliation, SealedItems, Session};
use crate::store::Position;
use std::rc::Rc;
use std::sync::Arc;

/// Finds and sorts what the viewer may be told of.
pub(super) async fn seal(
    session: &Rc<Session>,
    original: &Rc<[Filter]>,
) -> Result<Reconciliation, Refusal> {
    let begun = session.staleness.begin(original);
    let filters = narrowed(session, original).await?;
    let (generation, config) = (session.worker.hooks().generation(), session.worker.config());
    let mut gathered = Gathered::new(session);
    let mut clock = Allowance::new(session);
    let mut take = |more| gathered.extend(more);
    gather(session, &filters, &mut take, &mut clock).await?;
    let seconds = clock.spent.as_secs_f64();
    session
        .worker
        .relay
        .metrics
        .neg_open_seconds
        .record(seconds);
    let Gathered {
        positions, share, ..
    } = gathered;
    let readers = session.worker.relay.readers.clone();
    let sorted = readers.run(move || ItemList::new(positions)).await;
    let list = sorted.map_err(|_| Reason::error("the relay is too busy; try again later"))?;
    // What changes from here on finds it open and ends it.
    let unchanged = session.worker.hooks().generation() == generation
        && Arc::ptr_eq(&session.worker.config(), &config);
    if !unchanged {
        let reason = Reason::closed("the rules of the relay have changed; open it again");
        return Err(reason.into());
    }
    if begun.has_lost() {
        return Err(access_changed().into());
    }
    Ok(Reconciliation {
        original: original.clone(),
        filters,
        items: Arc::new(SealedItems::new(list, share)),
    })
}

/// A set on its way to be sealed.
struct Gathered {
    positions: Vec<Position>,
    share: ItemShare,
    max_items: usize,
    max_in_all: usize,
    max_of_network: usize,
}

impl Gathered {
    fn new(session: &Session) -> Self {
        let config = session.worker.config();
        let ip = session.viewer().ip();
        // Behind a proxy on this machine that names no client, everybody comes from a loopback address.
        let network = (!ip.is_loopback()).then(|| network(ip));
        Gathered {
            positions: Vec::new(),
            share: session.worker.relay.negentropy_items.share(network),
            max_items: config.negentropy.max_items as usize,
            max_in_all: config.negentropy.max_items_in_all as usize,
            max_of_network: config.negentropy.max_items_per_ip as usize,
        }
    }

    fn extend(&mut self, more: Vec<Position>) -> Result<(), Refusal> {
        if self.positions.len() + more.len() > self.max_items {
            return Err(Refusal {
                reason: Reason::blocked(format!(
                    "the filter asks for more than {} events; ask for less at once",
                    self.max_items
                )),
                max_items: Some(self.max_items as u64),
            });
        }
        self.share
            .grow(more.len(), self.max_in_all, self.max_of_network)
            .map_err(|crowded| match crowded {
                Crowded::Relay => Reason::error(crowded.to_string()),
                Crowded::Address => Reason::rate_limited(crowded.to_string()),
            })?;
        self.positions.extend(more);
        Ok(())
    }
}
