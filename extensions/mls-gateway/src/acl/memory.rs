//! What the server said lately, bounded by entries and by age.

use crate::roster::Roster;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(super) struct Memory {
    ttl: Duration,
    max: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_group: HashMap<String, Entry>,
    /// In the order in which they were asked for; an entry that was replaced meanwhile stands here twice.
    order: VecDeque<(Duration, String)>,
}

struct Entry {
    members: Arc<Roster>,
    asked_at: Duration,
}

impl Memory {
    pub(super) fn new(ttl: Duration, max: usize) -> Self {
        Memory {
            ttl,
            max,
            kept: Mutex::default(),
        }
    }

    /// What is remembered of a group, if it is young enough.
    pub(super) fn get(&self, group_id: &str, now: Duration) -> Option<Arc<Roster>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = kept.by_group.get(group_id)?;
        let is_young = now.saturating_sub(entry.asked_at) < self.ttl;
        is_young.then(|| entry.members.clone())
    }

    /// Remembers an answer, and forgets the oldest beyond the bound and what is too old.
    pub(super) fn keep(&self, group_id: &str, members: Arc<Roster>, asked_at: Duration) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.order.push_back((asked_at, group_id.to_owned()));
        let entry = Entry { members, asked_at };
        kept.by_group.insert(group_id.to_owned(), entry);
        while let Some((oldest_at, _)) = kept.order.front() {
            let is_old = asked_at.saturating_sub(*oldest_at) >= self.ttl;
            if !is_old && kept.order.len() <= self.max {
                break;
            }
            kept.drop_oldest();
        }
    }
}

impl Kept {
    fn drop_oldest(&mut self) {
        let Some((asked_at, group_id)) = self.order.pop_front() else {
            return;
        };
        let is_same = |entry: &Entry| entry.asked_at == asked_at;
        if self.by_group.get(&group_id).is_some_and(is_same) {
            self.by_group.remove(&group_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m31_answers_are_forgotten_by_age_and_number() {
        let second = Duration::from_secs(1);
        let memory = Memory::new(second * 60, 3);
        let nobody = Arc::new(crate::acl::answer::nobody());
        for (at, group) in ["a", "b", "c", "d"].into_iter().enumerate() {
            memory.keep(group, nobody.clone(), second * at as u32);
        }
        let known = |group, now| memory.get(group, second * now).is_some();
        assert!(!known("a", 4), "one too many");
        assert!(known("b", 4) && known("d", 4));
        assert!(!known("b", 61), "too old");
        memory.keep("d", nobody.clone(), second * 30);
        assert!(known("d", 80), "asked again");
        memory.keep("e", nobody, second * 70);
        let kept = memory.kept.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!((kept.by_group.len(), kept.order.len()), (2, 2));
    }
}
