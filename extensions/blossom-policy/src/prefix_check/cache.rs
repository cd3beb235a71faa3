//! Answers that are remembered for a while, in bounded memory.

use super::answer::Candidates;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// All answers together take no more.
const BYTES_MAX: usize = 32 << 20;

/// Answers by prefix; the oldest go first.
#[derive(Debug, Default)]
pub(super) struct Cache {
    answers: HashMap<String, (Arc<Candidates>, u64)>,
    /// In the order in which they came, which is that in which they expire.
    order: VecDeque<(String, u64)>,
    bytes: usize,
}

impl Cache {
    /// An answer that is still good.
    pub(super) fn get(&self, prefix: &str, now_ms: u64) -> Option<Arc<Candidates>> {
        let (candidates, until_ms) = self.answers.get(prefix)?;
        (now_ms < *until_ms).then(|| Arc::clone(candidates))
    }

    pub(super) fn put(
        &mut self,
        prefix: &str,
        candidates: &Arc<Candidates>,
        now_ms: u64,
        until_ms: u64,
    ) {
        self.remove(prefix);
        self.bytes += candidates.weight();
        self.answers
            .insert(prefix.to_owned(), (Arc::clone(candidates), until_ms));
        self.order.push_back((prefix.to_owned(), until_ms));
        while let Some((oldest, until_ms)) = self.order.front() {
            if self.bytes <= BYTES_MAX && *until_ms > now_ms {
                break;
            }
            let oldest = oldest.clone();
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, prefix: &str) {
        if let Some((candidates, _)) = self.answers.remove(prefix) {
            self.bytes -= candidates.weight();
            self.order.retain(|(other, _)| other != prefix);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn b8_answers_are_remembered_for_their_time_and_in_bounded_memory() {
        let lines: String = (0..10_000).map(|it| format!("{it:059x}\n")).collect();
        let long = Arc::new(Candidates::read(lines.as_bytes(), "00000").unwrap());
        let mut cache = Cache::default();
        for number in 0..1000_u64 {
            cache.put(&format!("{number:05x}"), &long, number, number + 500);
            assert!(cache.bytes <= BYTES_MAX && cache.order.len() == cache.answers.len());
        }
        assert!(cache.get("003e7", 1000).is_some());
        assert!(cache.get("003e7", 1499).is_none());
        assert!(cache.get("00000", 1000).is_none());
        assert!(cache.answers.len() > 50);
        cache.put("003e7", &long, 1000, 9000);
        assert!(cache.get("003e7", 1499).is_some());
    }
}
