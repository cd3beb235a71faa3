//! Computes the state of all groups anew from their moderation events: what the rows must be.
//!
//! Events that were accepted here are folded in the order of their commits, without asking anybody for rights again. Others,
//! which were stored while groups were off or came in without extensions, follow by their time and are judged as if they came
//! now.

use crate::Groups;
use crate::directory::each_row;
use crate::group::Invite;
use crate::judging::judge;
use crate::kinds::{CREATE_GROUP, MODERATION};
use crate::rules::Rules;
use crate::state::{
    COUNTS, Counts, DISPLAY, FOUNDED, GROUP, INVITES, LOG, Rows, STAFF, STANDING, State,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use trellis_relay::extension::CommitError;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

/// Rows by their keys.
pub(crate) type Pages = BTreeMap<Vec<u8>, Vec<u8>>;

/// What the state of groups is made of: rows that follow from moderation events alone.
pub(crate) const STATE: [u8; 5] = [GROUP, DISPLAY, STAFF, STANDING, INVITES];

/// What is kept besides: the order of the events, and sums over groups.
const SUMS: [u8; 3] = [LOG, COUNTS, FOUNDED];

fn is_kept(letter: u8) -> bool {
    STATE.contains(&letter) || SUMS.contains(&letter)
}

/// Ids of one question to the store.
const IDS_MAX: usize = 500;

/// Folds events into rows: those that were accepted before, then others. How many of the latter were refused.
pub(crate) fn fold(
    accepted: &[Arc<Event>],
    others: &[Arc<Event>],
    rules: &Rules,
    now_s: u64,
) -> (Pages, usize) {
    let mut pages = Pages::new();
    let replay = rules.for_replay();
    let mut refused = 0;
    let accepted = accepted.iter().map(|event| (event, &replay));
    for (event, rules) in accepted.chain(others.iter().map(|event| (event, rules))) {
        let mut changed = Draft {
            below: &pages,
            rows: BTreeMap::new(),
        };
        match judge(event, &mut State::of(&mut changed), rules, now_s) {
            Ok(()) => {
                for (key, row) in changed.rows {
                    match row {
                        Some(row) => pages.insert(key, row),
                        None => pages.remove(&key),
                    };
                }
            }
            Err(refusal) => {
                refused += 1;
                tracing::debug!(%refusal, kind = event.kind(), "an event changes no group");
            }
        }
    }
    pages.retain(|key, _| key.first().is_some_and(|letter| is_kept(*letter)));
    (pages, refused)
}

/// Rows over others, which may be dropped.
struct Draft<'p> {
    below: &'p Pages,
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Rows for Draft<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, CommitError> {
        let changed = self.rows.get(key).cloned();
        Ok(changed.unwrap_or_else(|| self.below.get(key).cloned()))
    }

    fn set(&mut self, key: &[u8], value: Option<Vec<u8>>) -> Result<(), CommitError> {
        self.rows.insert(key.to_vec(), value);
        Ok(())
    }
}

impl Groups {
    /// The rows as they follow from the stored events, and how many events were refused.
    pub(crate) async fn rebuild(&self) -> Result<(Pages, usize), StoreError> {
        let mut ids = Vec::new();
        each_row(&self.host, &[LOG], |_, row| {
            ids.extend(EventId::from_slice(row).ok());
        })
        .await?;
        let mut accepted = Vec::new();
        for some in ids.chunks(IDS_MAX) {
            let mut sorted = some.to_vec();
            sorted.sort_unstable();
            let asked = Filter {
                ids: Some(sorted),
                ..Filter::default()
            };
            let found = self.host.query(asked).await?;
            let mut found: HashMap<EventId, Arc<Event>> = found
                .into_iter()
                .map(|event| (*event.id(), event))
                .collect();
            accepted.extend(some.iter().filter_map(|id| found.remove(id)));
        }
        let known: BTreeSet<EventId> = ids.into_iter().collect();
        let others = self.moderation_events_but(&known).await?;
        let now_s = self.host.clock().now_s();
        let (mut rebuilt, refused) = fold(&accepted, &others, &self.rules, now_s);
        without_ended_invites(&mut rebuilt, now_s);
        Ok((rebuilt, refused))
    }

    /// The rows as they are, but for invites that have ended.
    pub(crate) async fn stored_rows(&self) -> Result<Pages, StoreError> {
        let mut pages = Pages::new();
        for letter in STATE.into_iter().chain(SUMS) {
            each_row(&self.host, &[letter], |key, row| {
                pages.insert(key.to_vec(), row.to_vec());
            })
            .await?;
        }
        without_ended_invites(&mut pages, self.host.clock().now_s());
        Ok(pages)
    }

    async fn moderation_events_but(
        &self,
        known: &BTreeSet<EventId>,
    ) -> Result<Vec<Arc<Event>>, StoreError> {
        let mut others: BTreeMap<_, Arc<Event>> = BTreeMap::new();
        let mut until = None;
        loop {
            let asked = Filter {
                kinds: Some(MODERATION.to_vec()),
                until,
                ..Filter::default()
            };
            let page = self.host.query(asked).await?;
            let Some(oldest) = page.last().map(|event| event.created_at()) else {
                break;
            };
            let is_first_look = until != Some(oldest);
            for event in page {
                if !known.contains(event.id()) {
                    // Who creates a group says more of it in the same second.
                    let rank = u8::from(event.kind() != CREATE_GROUP);
                    let place = (event.created_at(), rank, *event.id());
                    others.insert(place, event);
                }
            }
            until = match is_first_look {
                true => Some(oldest),
                false => oldest.checked_sub(1),
            };
            if until.is_none() {
                break;
            }
        }
        Ok(others.into_values().collect())
    }
}

/// Drops invites that have ended: the rows hold them until the next one is made, and the events that made them go when they
/// expire, so neither says anything of the other.
pub(crate) fn without_ended_invites(pages: &mut Pages, now_s: u64) {
    let is_of_invites = |key: &[u8]| key.first() == Some(&INVITES);
    pages.retain(|key, row| {
        if !is_of_invites(key) {
            return true;
        }
        // What cannot be read differs from what follows from the events, and is told so.
        let Ok(mut invites) = serde_json::from_slice::<Vec<Invite>>(row) else {
            return true;
        };
        invites.retain(|invite| invite.is_good_at(now_s));
        if let Ok(left) = serde_json::to_vec(&invites) {
            *row = left;
        }
        !invites.is_empty()
    });
}

/// Groups of which rows differ.
pub(crate) fn differences(one: &Pages, other: &Pages) -> BTreeSet<String> {
    let keys = one.keys().chain(other.keys());
    let keys = keys.filter(|key| key.first().is_some_and(|letter| STATE.contains(letter)));
    let differing = keys.filter(|key| one.get(*key) != other.get(*key));
    let ids = differing.filter_map(|key| crate::state::parts(key).map(|(id, _)| id.to_owned()));
    ids.collect()
}

/// Whether groups and users are counted otherwise. The events of the log are not looked at: those that are gone are dropped
/// from it without a word.
pub(crate) fn counts_differ(one: &Pages, other: &Pages) -> bool {
    let counts = |pages: &Pages| {
        let row = pages.get(&[COUNTS][..]).map(Vec::as_slice);
        let counts = Counts::read(row.unwrap_or_default());
        (counts.groups, counts.users)
    };
    let shares = |pages: &Pages| -> Pages {
        let shares = pages.range(vec![FOUNDED]..vec![FOUNDED + 1]);
        shares
            .map(|(key, row)| (key.clone(), row.clone()))
            .collect()
    };
    counts(one) != counts(other) || shares(one) != shares(other)
}
