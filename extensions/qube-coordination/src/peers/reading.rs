//! A visit: what a peer has that this relay has not, verified and taken over.
//!
//! Invariant: how far a peer's log was read is remembered by number and hash, so that a log that is not what it was is
//! noticed. It is read anew then; what is known already is not taken twice.

use super::asking::{self, Answer};
use crate::QubeCoordination;
use crate::admission::{self, Said};
use crate::fields;
use crate::log::{self, Chain, Head, Turn};
use crate::watch;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use trellis_qube_protocol::chain::{self, BrokenAt, Entry};
use trellis_qube_protocol::{Digest, MAX_EVENT_BYTES, Signal};
use trellis_relay::extension::prelude::*;
use trellis_relay::extension::{OutboundError, Restored};
use trellis_relay::store::StoreError;
use url::Url;

/// Pages of one kind in one visit; what is left comes with the next.
const PAGES_MAX: usize = 25;

/// Why a visit was not what it should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    /// It does not answer, or not in time, or too much.
    #[error("it does not answer as it should: {0}")]
    Answer(#[from] OutboundError),
    /// It answers something else.
    #[error("what it answers is no page of a history")]
    Form,
    /// An entry is not the next one.
    #[error("its {} does not hold together: {broken}", .chain.name())]
    Broken {
        /// Which log.
        chain: Chain,
        /// What was found.
        broken: BrokenAt,
    },
    /// There is less than there was.
    #[error("its {} ends before entry {seq}, which was there", .chain.name())]
    Shorter {
        /// Which log.
        chain: Chain,
        /// Where it was read to.
        seq: u64,
    },
    /// Its last entry is not the one that was read.
    #[error("its {} has another entry {seq} than it had", .chain.name())]
    Rewritten {
        /// Which log.
        chain: Chain,
        /// Where it was read to.
        seq: u64,
    },
    /// Events that nobody signed so.
    #[error("{0} events with a wrong id or signature")]
    Forged(usize),
    /// The own store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes over what a peer has of both logs, and the directives that stand there.
pub(super) async fn visit(me: &QubeCoordination, peer: &Url) -> Result<(), Problem> {
    // What another instance of this process adopted meanwhile, whose place in the peers' logs this one goes on from.
    me.holdings.load_adopted(&me.host).await?;
    let mut forged = 0;
    for chain in [Chain::Log, Chain::Adopted] {
        forged += read_chain(me, peer, chain).await?;
    }
    forged += read_signals(me, peer).await?;
    match forged {
        0 => Ok(()),
        count => Err(Problem::Forged(count)),
    }
}

async fn read_chain(me: &QubeCoordination, peer: &Url, chain: Chain) -> Result<usize, Problem> {
    let key = place_key(peer, chain);
    let row = me.host.kv_get(&key).await?;
    let mut place: Head = row.as_deref().and_then(log::read_head);
    let mut forged = 0;
    for _ in 0..PAGES_MAX {
        let seq = place.map_or(0, |(seq, _)| seq);
        let answer = asking::entries(me, peer, chain, seq).await?;
        if answer.heads.seq(chain) < seq {
            me.host.kv_put(&key, None).await?;
            return Err(Problem::Shorter { chain, seq });
        }
        if answer.heads.is_other(chain, place) {
            me.host.kv_put(&key, None).await?;
            return Err(Problem::Rewritten { chain, seq });
        }
        let is_last = answer.items.len() < answer.asked;
        let Answer { items, .. } = answer;
        let mut events = Vec::with_capacity(items.len());
        let mut broken = None;
        for item in items {
            let entry: Entry = item.entry().ok_or(Problem::Form)?;
            match chain::follow(place, &entry) {
                Ok(head) => place = Some(head),
                Err(found) => {
                    broken = Some(found);
                    break;
                }
            }
            events.push(entry.event);
        }
        let read = sound(me, &events).await;
        forged += read.forged;
        let turn = me.peers.taking.lock().await;
        adopt(me, read.new).await?;
        drop(turn);
        if let Some(broken) = broken {
            me.host.kv_put(&key, None).await?;
            return Err(Problem::Broken { chain, broken });
        }
        if let Some(head) = place {
            me.host.kv_put(&key, Some(log::head_row(head))).await?;
        }
        if is_last {
            break;
        }
    }
    Ok(forged)
}

async fn read_signals(me: &QubeCoordination, peer: &Url) -> Result<usize, Problem> {
    let (mut forged, mut cursor) = (0, None);
    for _ in 0..PAGES_MAX {
        let answer = asking::signals(me, peer, cursor.as_deref()).await?;
        let events: Vec<String> = answer.items.into_iter().map(|item| item.event).collect();
        let read = sound(me, &events).await;
        forged += read.forged;
        let turn = me.peers.taking.lock().await;
        let new = unknown(me, read.new);
        let events = new.iter().map(|found| found.event.clone());
        let outcomes = me.host.restore(events.collect()).await?;
        let (mut stored, mut older) = (Vec::new(), Vec::new());
        for (found, outcome) in new.into_iter().zip(outcomes) {
            match outcome {
                Restored::Stored => stored.push(found.signal),
                // What cannot take its place among the directives that stand here has been replaced, as far as this relay knows.
                Restored::Known | Restored::Deleted => older.push(found),
                _ => {}
            }
        }
        // Another instance may have stored some of them a moment ago: they stand.
        let standing = standing(me, &older).await?;
        let (known, older): (Vec<Found>, Vec<Found>) = older
            .into_iter()
            .partition(|found| standing.contains(found.event.id()));
        stored.extend(known.into_iter().map(|found| found.signal));
        learn(me, stored);
        adopt(me, older).await?;
        drop(turn);
        cursor = answer.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(forged)
}

/// A directive that is genuine and may come in.
struct Found {
    event: Arc<Event>,
    signal: Signal,
}

/// Directives of a page that are good, and those that are not.
struct Read {
    new: Vec<Found>,
    forged: usize,
}

/// The directives among these that are genuine, of a network's own developer, and not known yet.
async fn sound(me: &QubeCoordination, texts: &[String]) -> Read {
    let (mut new, mut forged, mut refused, mut known) = (Vec::new(), 0, 0, 0);
    for text in texts {
        if text.len() > MAX_EVENT_BYTES {
            refused += 1;
            continue;
        }
        let Ok(event) = Event::parse(text.as_bytes()) else {
            forged += 1;
            continue;
        };
        if me.holdings.knows(&fields::id(&event)) {
            known += 1;
            continue;
        }
        let now_s = me.host.clock().now_s();
        let signal = match admission::read_any(me, &event, now_s) {
            Ok(Said::Signal(signal)) if !is_unwanted(me, &event) => signal,
            _ => {
                refused += 1;
                continue;
            }
        };
        match event.verify() {
            Ok(()) => new.push(Found {
                event: Arc::new(event),
                signal,
            }),
            Err(_) => forged += 1,
        }
        // A signature takes some 50 microseconds, and others are on this thread.
        tokio::task::yield_now().await;
    }
    watch::peer_entries("known", known);
    watch::peer_entries("refused", refused + forged);
    Read { new, forged }
}

/// Whether the operator has removed the directive, or keeps its author from publishing here.
fn is_unwanted(me: &QubeCoordination, event: &Event) -> bool {
    let here = IpAddr::from(Ipv4Addr::LOCALHOST);
    me.holdings.is_removed(&fields::id(event)) || me.host.may_publish(here, event.pubkey()).is_err()
}

/// Those that are still not known, each once: the same may stand there twice, and another peer may have had it.
fn unknown(me: &QubeCoordination, mut found: Vec<Found>) -> Vec<Found> {
    let mut seen = HashSet::new();
    found.retain(|it| !me.holdings.knows(&it.signal.id) && seen.insert(it.signal.id));
    found
}

fn learn(me: &QubeCoordination, signals: Vec<Signal>) {
    let before = me.holdings.state();
    if me.holdings.learn(signals, Vec::new()) {
        watch::followed(&before, &me.holdings.state());
    }
}

/// Appends to the log of what was adopted; whoever calls it has the turn among this instance's visits.
async fn adopt(me: &QubeCoordination, found: Vec<Found>) -> Result<(), Problem> {
    if found.is_empty() {
        return Ok(());
    }
    let turn = Turn::to_adopt(&me.host).await?;
    // Another instance may have adopted some of them since they were looked at, and been cut off.
    me.holdings.load_adopted(&me.host).await?;
    let new = unknown(me, found).into_iter();
    let text = |event: &Event| String::from_utf8_lossy(event.json()).into_owned();
    let (texts, signals): (Vec<String>, Vec<Signal>) =
        new.map(|it| (text(&it.event), it.signal)).unzip();
    if texts.is_empty() {
        return Ok(());
    }
    turn.adopt(&me.host, &texts).await?;
    watch::peer_entries("adopted", texts.len());
    learn(me, signals);
    Ok(())
}

/// Those of these that the store has, by id.
async fn standing(me: &QubeCoordination, found: &[Found]) -> Result<HashSet<EventId>, StoreError> {
    if found.is_empty() {
        return Ok(HashSet::new());
    }
    let mut filter = Filter {
        ids: Some(found.iter().map(|it| *it.event.id()).collect()),
        limit: Some(found.len()),
        ..Filter::default()
    };
    filter.normalize();
    let stored = me.host.query(filter).await?;
    Ok(stored.iter().map(|event| *event.id()).collect())
}

/// Where it stands how far a peer's log was read.
fn place_key(peer: &Url, chain: Chain) -> Vec<u8> {
    let peer = Digest::of(peer.as_str().as_bytes());
    format!("peer/{peer}/{}", chain.name()).into_bytes()
}
