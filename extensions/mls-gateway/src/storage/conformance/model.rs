//! Rosters, KeyPackages and letters as plainly as can be: what a database has to answer when one asks after the other.

use crate::roster::Roster;
use crate::storage::{Letter, Package, Pruned, PutPackage, Stock};
use std::collections::{BTreeMap, BTreeSet};
use trellis_relay::event::{EventId, PublicKey};

/// What is stored. Mailboxes are numbered.
#[derive(Default)]
pub(super) struct Model {
    /// With the count of all writes at that of each.
    rosters: BTreeMap<String, (Roster, u64)>,
    writes: u64,
    packages: BTreeMap<EventId, Package>,
    /// With when that was.
    reserved: BTreeMap<EventId, u64>,
    letters: [BTreeMap<String, Letter>; 2],
}

impl Model {
    /// Writes a roster over the one of that count of writes; says the count now, unless it was another.
    pub(super) fn put_roster(
        &mut self,
        group_id: &str,
        roster: &Roster,
        replaces: Option<u64>,
    ) -> Option<u64> {
        if self.rosters.get(group_id).map(|(_, at)| *at) != replaces {
            return None;
        }
        self.writes += 1;
        let written = (roster.clone(), self.writes);
        self.rosters.insert(group_id.to_owned(), written);
        Some(self.writes)
    }

    pub(super) fn roster(&self, group_id: &str) -> Option<&(Roster, u64)> {
        self.rosters.get(group_id)
    }

    pub(super) fn groups_of(&self, pubkey: &PublicKey) -> Vec<String> {
        let mut groups = self.rosters.iter().collect::<Vec<_>>();
        groups.retain(|(_, (roster, _))| roster.members.contains_key(pubkey));
        groups.into_iter().map(|(id, _)| id.clone()).collect()
    }

    /// Groups that were written after so many writes, in the order of their last one.
    pub(super) fn changes(&self, after: u64) -> Vec<String> {
        let rosters = self.rosters.iter();
        let changed: BTreeMap<u64, &String> = rosters.map(|(id, (_, at))| (*at, id)).collect();
        let changed = changed.range(after + 1..);
        changed.map(|(_, id)| (*id).clone()).collect()
    }

    pub(super) fn put_package(&mut self, package: &Package) -> PutPackage {
        if self.packages.contains_key(&package.id) {
            return PutPackage::Known;
        }
        let has_reference = |it: &Package| {
            it.owner == package.owner && it.reference.is_some() && it.reference == package.reference
        };
        if self.packages.values().any(has_reference) {
            return PutPackage::ReferenceTaken;
        }
        self.packages.insert(package.id, package.clone());
        PutPackage::Stored
    }

    /// Live ones, oldest first.
    pub(super) fn live(&self, owner: &PublicKey, now_s: u64) -> Vec<Package> {
        let is_live = |it: &&Package| {
            let reserved_at_s = self.reserved.get(&it.id);
            it.owner == *owner
                && it.expires_at_s > now_s
                && reserved_at_s.is_none_or(|at_s| at_s + 300 <= now_s)
        };
        let mut live: Vec<Package> = self.packages.values().filter(is_live).cloned().collect();
        live.sort_by_key(|it| (it.created_at_s, it.id));
        live
    }

    pub(super) fn reserve(&mut self, owner: &PublicKey, max: usize, now_s: u64) -> Vec<EventId> {
        let mut live = self.live(owner, now_s);
        live.pop();
        live.truncate(max);
        let ids: Vec<EventId> = live.iter().map(|it| it.id).collect();
        self.reserved.extend(ids.iter().map(|id| (*id, now_s)));
        ids
    }

    pub(super) fn remove(&mut self, id: &EventId) -> usize {
        self.reserved.remove(id);
        usize::from(self.packages.remove(id).is_some())
    }

    pub(super) fn surplus(&self, owner: &PublicKey, keep: usize, now_s: u64) -> Vec<EventId> {
        let mut live = self.live(owner, now_s);
        live.truncate(live.len().saturating_sub(keep));
        live.iter().map(|it| it.id).collect()
    }

    pub(super) fn stock(&self, now_s: u64) -> Vec<Stock> {
        let owners: BTreeSet<PublicKey> = self.packages.values().map(|it| it.owner).collect();
        let stock = owners.into_iter().map(|owner| {
            let mut live = self.live(&owner, now_s);
            live.retain(|it| !self.reserved.contains_key(&it.id));
            let live = live.len() as u64;
            Stock { owner, live }
        });
        stock.filter(|it| it.live > 0).collect()
    }

    pub(super) fn deposit(&mut self, letter_box: usize, letter: &Letter) -> bool {
        let letters = &mut self.letters[letter_box];
        let is_new = !letters.contains_key(&letter.id);
        if is_new {
            letters.insert(letter.id.clone(), letter.clone());
        }
        is_new
    }

    pub(super) fn pick_up(
        &mut self,
        letter_box: usize,
        recipient: &PublicKey,
        max: usize,
        now_s: u64,
    ) -> Vec<Letter> {
        let letters = self.letters[letter_box].values_mut();
        let mut live: Vec<&mut Letter> = letters
            .filter(|it| it.recipient == *recipient && it.expires_at_s > now_s)
            .filter(|it| it.acknowledged_at_s.is_none())
            .collect();
        live.sort_by(|a, b| (a.created_at_s, &a.id).cmp(&(b.created_at_s, &b.id)));
        live.truncate(max);
        live.into_iter()
            .map(|letter| {
                letter.picked_up_at_s.get_or_insert(now_s);
                letter.clone()
            })
            .collect()
    }

    pub(super) fn letter(&self, letter_box: usize, id: &str) -> Option<Letter> {
        self.letters[letter_box].get(id).cloned()
    }

    pub(super) fn acknowledge(&mut self, letter_box: usize, id: &str, now_s: u64) -> bool {
        let letter = self.letters[letter_box].get_mut(id);
        let is_there = letter.is_some();
        if let Some(letter) = letter {
            letter.content_b64.clear();
            letter.ratchet_tree_b64 = None;
            letter.tags_json = None;
            letter.acknowledged_at_s.get_or_insert(now_s);
        }
        is_there
    }

    pub(super) fn letters(&self, letter_box: usize, after: &str, max: usize) -> Vec<Letter> {
        let letters = self.letters[letter_box].values();
        letters
            .filter(|it| it.id.as_str() > after && it.acknowledged_at_s.is_none())
            .take(max)
            .cloned()
            .collect()
    }

    pub(super) fn prune(&mut self, now_s: u64) -> Pruned {
        let counts = |it: &Self| {
            let packages = it.packages.len();
            [it.letters[0].len(), it.letters[1].len(), packages].map(|count| count as u64)
        };
        let before = counts(self);
        let acknowledged = [0, 1].map(|letter_box| {
            let letters = self.letters[letter_box].values();
            let over = letters.filter(|it| it.expires_at_s <= now_s);
            over.filter(|it| it.acknowledged_at_s.is_some()).count() as u64
        });
        for letters in &mut self.letters {
            letters.retain(|_, it| it.expires_at_s > now_s);
        }
        self.packages.retain(|_, it| it.expires_at_s > now_s);
        self.reserved.retain(|id, _| self.packages.contains_key(id));
        let after = counts(self);
        Pruned {
            key_package_letters: before[0] - after[0] - acknowledged[0],
            welcome_letters: before[1] - after[1] - acknowledged[1],
            acknowledged_letters: acknowledged.iter().sum(),
            packages: before[2] - after[2],
            archived: 0,
        }
    }
}
