//! What became of tokens, in the memory of this process: for one relay alone.
//!
//! Invariant: at most so many tokens and so many refusals are remembered. A token that finds no place is not issued, since
//! it could be used by many; rooms and people are kept as short hashes, and no longer than the call.

use super::{Arrival, BURNED_S, CacheDown, Issued, TokenCache, short_hash};
use async_trait::async_trait;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trellis_relay::clock::Clock;

/// A cache in this process.
pub(crate) struct InMemory {
    clock: Arc<dyn Clock>,
    entries_max: usize,
    remembered: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    tokens: HashMap<String, Token>,
    /// When each token is forgotten, the next one first.
    ends: BTreeSet<(u64, String)>,
    /// By room and then by identity, both hashed: until when somebody is refused.
    refused: HashMap<String, HashMap<String, u64>>,
}

struct Token {
    expires_at_s: u64,
    /// As it stands in `ends`.
    forget_at_s: u64,
    /// The session that came with it.
    sid: Option<String>,
    /// Whether a copy was seen.
    is_burned: bool,
}

impl InMemory {
    /// Remembers at most `entries_max` tokens, and as many refusals.
    pub(crate) fn new(entries_max: usize, clock: Arc<dyn Clock>) -> Self {
        InMemory {
            clock,
            entries_max,
            remembered: Mutex::default(),
        }
    }

    /// What is still to be remembered.
    fn remembered(&self, now_s: u64) -> MutexGuard<'_, Remembered> {
        let remembered = self.remembered.lock();
        let mut remembered = remembered.unwrap_or_else(PoisonError::into_inner);
        remembered.forget_until(now_s);
        remembered
    }
}

impl Remembered {
    fn forget_until(&mut self, now_s: u64) {
        while self.ends.first().is_some_and(|(end, _)| *end <= now_s) {
            if let Some((_, mark)) = self.ends.pop_first() {
                self.tokens.remove(&mark);
            }
        }
    }

    fn forget_refusals_until(&mut self, now_s: u64) {
        self.refused.retain(|_, people| {
            people.retain(|_, until_s| *until_s > now_s);
            !people.is_empty()
        });
    }

    fn refusals(&self) -> usize {
        self.refused.values().map(HashMap::len).sum()
    }
}

#[async_trait]
impl TokenCache for InMemory {
    async fn issue(&self, token: &Issued) -> Result<(), CacheDown> {
        let mut remembered = self.remembered(self.clock.now_s());
        if remembered.tokens.len() >= self.entries_max {
            return Err(CacheDown("it is full".to_owned()));
        }
        let fresh = Token {
            expires_at_s: token.expires_at_s,
            forget_at_s: token.forget_at_s,
            sid: None,
            is_burned: false,
        };
        // A mark that is there keeps what became of it.
        if !remembered.tokens.contains_key(&token.mark) {
            remembered.tokens.insert(token.mark.clone(), fresh);
            let end = (token.forget_at_s, token.mark.clone());
            remembered.ends.insert(end);
        }
        let room = short_hash(&[&token.room]);
        if let Some(people) = remembered.refused.get_mut(&room) {
            people.remove(&short_hash(&[&token.identity]));
            if people.is_empty() {
                remembered.refused.remove(&room);
            }
        }
        Ok(())
    }

    async fn arrive(&self, mark: &str, sid: &str, now_s: u64) -> Result<Arrival, CacheDown> {
        let mut guard = self.remembered(now_s);
        let remembered = &mut *guard;
        let Some(token) = remembered.tokens.get_mut(mark) else {
            return Ok(Arrival::Unknown);
        };
        Ok(match &token.sid {
            None => {
                token.sid = Some(sid.to_owned());
                Arrival::First
            }
            Some(first) if first == sid => Arrival::Same,
            Some(_) if token.is_burned || now_s < token.expires_at_s => {
                token.is_burned = true;
                let forget_at_s = token.forget_at_s.max(now_s + BURNED_S);
                let end = std::mem::replace(&mut token.forget_at_s, forget_at_s);
                remembered.ends.remove(&(end, mark.to_owned()));
                remembered.ends.insert((forget_at_s, mark.to_owned()));
                Arrival::Replay
            }
            Some(_) => Arrival::Reconnect,
        })
    }

    async fn refuse(&self, room: &str, identity: &str, until_s: u64) -> Result<(), CacheDown> {
        let now_s = self.clock.now_s();
        let mut remembered = self.remembered(now_s);
        let (room, identity) = (short_hash(&[room]), short_hash(&[identity]));
        let people = remembered.refused.get(&room);
        let is_known = people.is_some_and(|people| people.contains_key(&identity));
        if !is_known && remembered.refusals() >= self.entries_max {
            remembered.forget_refusals_until(now_s);
            if remembered.refusals() >= self.entries_max {
                return Err(CacheDown("it is full".to_owned()));
            }
        }
        let people = remembered.refused.entry(room).or_default();
        people.insert(identity, until_s);
        Ok(())
    }

    async fn is_refused(&self, room: &str, identity: &str, now_s: u64) -> Result<bool, CacheDown> {
        let remembered = self.remembered(now_s);
        let people = remembered.refused.get(&short_hash(&[room]));
        let until_s = people.and_then(|people| people.get(&short_hash(&[identity])));
        Ok(until_s.is_some_and(|until_s| now_s < *until_s))
    }

    async fn forget_room(&self, room: &str) -> Result<(), CacheDown> {
        let mut remembered = self.remembered(self.clock.now_s());
        remembered.refused.remove(&short_hash(&[room]));
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::conformance::{START_S, issued};
    use super::*;
    use std::time::Duration;
    use trellis_relay::clock::FakeClock;

    #[tokio::test]
    async fn l7_memory_keeps_what_every_cache_promises() {
        let clock = Arc::new(FakeClock::at_s(START_S));
        let cache = InMemory::new(1000, clock.clone());
        super::super::conformance::run(&cache, &clock).await;
    }

    #[tokio::test]
    async fn l7_a_token_that_finds_no_place_is_not_issued() {
        let clock = Arc::new(FakeClock::at_s(START_S));
        let cache = InMemory::new(2, clock.clone());
        for mark in ["one", "two"] {
            cache.issue(&issued(mark, "alice")).await.unwrap();
        }
        cache.issue(&issued("three", "alice")).await.unwrap_err();
        assert_eq!(
            cache.arrive("one", "PA_1", START_S).await.unwrap(),
            Arrival::First
        );
        clock.advance(Duration::from_secs(300));
        let later = Issued {
            forget_at_s: START_S + 600,
            ..issued("three", "alice")
        };
        cache.issue(&later).await.unwrap();
        assert_eq!(cache.remembered.lock().unwrap().tokens.len(), 1);
    }

    #[tokio::test]
    async fn l7_refusals_are_bounded_too() {
        let clock = Arc::new(FakeClock::at_s(START_S));
        let cache = InMemory::new(2, clock.clone());
        for who in ["alice", "bob"] {
            cache.refuse("room", who, START_S + 10).await.unwrap();
        }
        cache
            .refuse("other", "carol", START_S + 10)
            .await
            .unwrap_err();
        // One that holds already takes no further place.
        cache.refuse("room", "bob", START_S + 10).await.unwrap();
        clock.advance(Duration::from_secs(10));
        cache.refuse("other", "carol", START_S + 20).await.unwrap();
        assert_eq!(cache.remembered.lock().unwrap().refusals(), 1);
        // Nor is a room kept for its own sake.
        let again = Issued {
            room: "other".to_owned(),
            forget_at_s: START_S + 600,
            ..issued("new", "carol")
        };
        cache.issue(&again).await.unwrap();
        assert!(cache.remembered.lock().unwrap().refused.is_empty());
    }
}
