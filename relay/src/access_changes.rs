//! What extensions say has changed of who may see what, on its way to the workers.
//!
//! Invariant: nothing that was said is lost, and what waits for a worker is bounded: where it becomes too much, it turns into
//! one change that concerns everybody, so that more is looked at than needs to be, and nothing is missed. Saying it never
//! blocks, whatever the thread.

use crate::event::PublicKey;
use crate::extension::{AccessNews, Viewer};
use crate::filter::Filter;
use crate::kinds::Kinds;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What some viewers may see has changed.
#[derive(Clone, Debug)]
pub struct AccessChange {
    /// Sorted; absent for whoever has authenticated.
    pubkeys: Option<Arc<[PublicKey]>>,
    of: Touched,
}

/// Events of which somebody may see more or less than before.
#[derive(Clone, Debug)]
pub struct Touched {
    kinds: Kinds,
    /// Those with this value in a tag of this letter alone.
    tag: Option<Arc<(u8, String)>>,
    is_gain: bool,
}

impl Touched {
    /// All events.
    pub fn everything(is_gain: bool) -> Self {
        Touched {
            kinds: Kinds::all(),
            tag: None,
            is_gain,
        }
    }

    /// Whether all that was seen before is seen now as well.
    pub fn is_gain(&self) -> bool {
        self.is_gain
    }

    /// Whether one of a client's filters may ask for such an event.
    pub fn touches(&self, filters: &[Filter]) -> bool {
        let names = |filter: &Filter| match &self.tag {
            None => true,
            Some(tag) => {
                let named = filter.tags.get(&tag.0);
                named.is_none_or(|named| named.binary_search(&tag.1).is_ok())
            }
        };
        filters
            .iter()
            .any(|filter| self.kinds.overlaps(filter.kinds.as_deref()) && names(filter))
    }

    /// Joins another, as far as it takes no more memory: what comes of it touches all that either does.
    pub fn widen(&mut self, other: &Touched) {
        self.kinds = std::mem::take(&mut self.kinds) | other.kinds.clone();
        self.tag = None;
        self.is_gain &= other.is_gain;
    }
}

impl From<AccessNews> for AccessChange {
    fn from(news: AccessNews) -> Self {
        let mut pubkeys = news.pubkeys;
        pubkeys.sort_unstable();
        pubkeys.dedup();
        AccessChange {
            pubkeys: Some(pubkeys.into()),
            of: Touched {
                kinds: news.kinds,
                tag: news.tag.map(Arc::new),
                is_gain: news.is_gain,
            },
        }
    }
}

impl AccessChange {
    /// Whether the viewer is one of those.
    pub fn concerns(&self, viewer: &Viewer) -> bool {
        match &self.pubkeys {
            Some(changed) => {
                let is_one = |key: &PublicKey| changed.binary_search(key).is_ok();
                viewer.pubkeys().iter().any(is_one)
            }
            None => viewer.is_authenticated(),
        }
    }

    /// What it is about.
    pub fn of(&self) -> &Touched {
        &self.of
    }

    /// In keys.
    fn weight(&self) -> usize {
        let tag_bytes = self.of.tag.as_ref().map_or(0, |tag| tag.1.len());
        1 + self.pubkeys.as_ref().map_or(0, |keys| keys.len()) + tag_bytes / 32
    }
}

/// Changes that workers have not taken yet, by the worker's index.
#[derive(Debug, Default)]
pub struct AccessChanges {
    /// Rises with every change; workers look at it before each message.
    version: AtomicU64,
    waiting: Mutex<Vec<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    changes: Vec<AccessChange>,
    weight: usize,
}

/// Keys and changes that may wait for one worker.
const WEIGHT_MAX: usize = 65_536;

impl AccessChanges {
    /// Begins to keep changes for the worker of this index, which has no sessions yet.
    pub fn add_worker(&self, index: usize) {
        let mut waiting = self.lock();
        if waiting.len() <= index {
            waiting.resize_with(index + 1, Waiting::default);
        }
        waiting[index] = Waiting::default();
    }

    /// Keeps a change for every worker.
    pub fn push(&self, change: &AccessChange) {
        for waiting in self.lock().iter_mut() {
            waiting.push(change.clone());
        }
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Another number than before where something was pushed since.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// What waits for a worker, in order.
    pub fn take(&self, index: usize) -> Vec<AccessChange> {
        let mut all = self.lock();
        let waiting = all.get_mut(index).map(std::mem::take);
        waiting.unwrap_or_default().changes
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn push(&mut self, change: AccessChange) {
        self.weight += change.weight();
        self.changes.push(change);
        if self.weight > WEIGHT_MAX {
            let mut of = Touched {
                kinds: Kinds::none(),
                tag: None,
                is_gain: true,
            };
            for change in self.changes.drain(..) {
                of.widen(&change.of);
            }
            let everybody = AccessChange { pubkeys: None, of };
            self.weight = everybody.weight();
            self.changes.push(everybody);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn key(number: u32) -> PublicKey {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        PublicKey::from_byte_array(bytes)
    }

    fn change(keys: Vec<PublicKey>, kind: u16) -> AccessChange {
        AccessNews::of(&keys, &kind.into()).into()
    }

    fn viewer(number: u32) -> Viewer {
        Viewer::new(1, [192, 0, 2, 1].into()).with_pubkey(key(number))
    }

    #[test]
    fn e2_every_worker_gets_every_change_once_and_in_order() {
        let changes = AccessChanges::default();
        changes.add_worker(0);
        changes.add_worker(1);
        let before = changes.version();
        for kind in [1, 2] {
            changes.push(&change(vec![key(9), key(3)], kind));
        }
        assert_ne!(changes.version(), before);
        for worker in [0, 1] {
            let taken = changes.take(worker);
            let kinds: Vec<_> = taken
                .iter()
                .map(|change| change.of().kinds.clone())
                .collect();
            assert_eq!(kinds, [Kinds::from(1), Kinds::from(2)]);
            assert!(taken[0].concerns(&viewer(3)) && taken[0].concerns(&viewer(9)));
            assert!(!taken[0].concerns(&viewer(4)));
            assert!(changes.take(worker).is_empty());
        }
    }

    #[test]
    fn e2_too_many_changes_become_one_for_everybody() {
        let changes = AccessChanges::default();
        changes.add_worker(0);
        for number in 0..WEIGHT_MAX as u32 {
            let kind = (number % 7) as u16;
            changes.push(&change(vec![key(number)], kind));
        }
        let taken = changes.take(0);
        assert!(taken.len() < WEIGHT_MAX);
        for number in [0, 1, WEIGHT_MAX as u32 - 1] {
            let kind = (number % 7) as u16;
            let is_told = |change: &AccessChange| {
                change.concerns(&viewer(number)) && change.of().kinds.contains(kind)
            };
            assert!(taken.iter().any(is_told), "{number}");
        }
        assert!(!taken.iter().any(|change| change.of().is_gain()));
        let stranger = Viewer::new(1, [192, 0, 2, 1].into());
        assert!(!taken.iter().any(|change| change.concerns(&stranger)));
    }
    #[test]
    fn e2_a_filter_that_names_other_values_is_not_touched() {
        let filter = |json: &str| [Filter::parse(json, &Default::default()).unwrap()];
        let news = AccessNews::of(&[key(1)], &Kinds::from(445)).tagged(b'h', "b");
        let change = AccessChange::from(news.gain());
        assert!(change.of().is_gain());
        for touched in [
            r##"{"kinds":[445],"#h":["a","b"]}"##,
            r#"{"kinds":[1,445]}"#,
            "{}",
        ] {
            assert!(change.of().touches(&filter(touched)), "{touched}");
        }
        for other in [r##"{"kinds":[445],"#h":["a","c"]}"##, r#"{"kinds":[1]}"#] {
            assert!(!change.of().touches(&filter(other)), "{other}");
        }
        let mut both = change.of().clone();
        both.widen(AccessChange::from(AccessNews::of(&[key(1)], &1.into())).of());
        assert!(!both.is_gain(), "one of them is a loss");
        assert!(both.touches(&filter(r##"{"kinds":[445],"#h":["a"]}"##)));
    }
}
