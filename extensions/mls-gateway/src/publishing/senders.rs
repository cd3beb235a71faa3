//! How often somebody has sent lately: events of all kinds, and among them messages of groups, by one look-up.
//!
//! As [`RateLimiter`](trellis_relay::extension::RateLimiter): at most so many in any window, reckoned from the counts of
//! this fixed window and the last one. Memory is bounded; senders beyond the bound share one count. Keys that somebody has
//! chosen to collide could make a part slow, for which they would have to know its seed; no hash leaves this file.

use hashbrown::HashMap;
use std::hash::Hash;
use std::net::Ipv6Addr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use trellis_relay::event::PublicKey;

/// Senders that are counted one by one in a window.
const SENDERS_MAX: usize = 50_000;
/// So many locks there are for all senders.
const SHARDS: usize = 16;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sender {
    /// Who has authenticated.
    Key(PublicKey),
    /// Anybody else, by address or network; IPv4 as it is mapped.
    Address(Ipv6Addr),
    /// All for whom there is no room.
    Others,
}

/// What of a sender's is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// Any event.
    Event,
    /// An event that is also one of the messages, which have a bound of their own.
    Message,
}

/// The counts of all senders.
#[derive(Debug)]
pub(super) struct Senders {
    events_max: u32,
    messages_max: u32,
    window_ms: u64,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    /// The number of the window that `current` counts.
    window: u64,
    current: HashMap<Sender, Taken>,
    last: HashMap<Sender, Taken>,
}

/// By one sender, in this window and the one before.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    events: [u32; 2],
    messages: [u32; 2],
}

impl Senders {
    pub(super) fn new(events_max: u32, messages_max: u32, window: Duration) -> Self {
        Senders {
            events_max,
            messages_max,
            window_ms: (window.as_millis() as u64).max(1),
            shards: Default::default(),
        }
    }

    /// Counts one. An `Err` says which bound was met and how long until the window has passed; an event that was one
    /// message too many counts as an event.
    pub(super) fn try_take(
        &self,
        sender: Sender,
        sent: Sent,
        now: Duration,
    ) -> Result<(), (Sent, Duration)> {
        let now_ms = now.as_millis() as u64;
        let (window, into_ms) = (now_ms / self.window_ms, now_ms % self.window_ms);
        let left_ms = self.window_ms - into_ms;
        let has_room = |[now, before]: [u32; 2], max: u32| {
            // The share of the last window that a sliding one would still cover, rounded up.
            let before = (u64::from(before) * left_ms).div_ceil(self.window_ms);
            before + u64::from(now) < u64::from(max)
        };
        let shard = self.shards[sender.shard()].lock();
        let mut shard = shard.unwrap_or_else(PoisonError::into_inner);
        shard.turn_to(window);
        let mut refused = None;
        shard.change(sender, |taken| {
            if !has_room(taken.events, self.events_max) {
                refused = Some(Sent::Event);
                return;
            }
            taken.events[0] += 1;
            if sent == Sent::Message {
                match has_room(taken.messages, self.messages_max) {
                    true => taken.messages[0] += 1,
                    false => refused = Some(Sent::Message),
                }
            }
        });
        match refused {
            None => Ok(()),
            Some(sent) => Err((sent, Duration::from_millis(left_ms))),
        }
    }
}

impl Sender {
    /// Near one another or not: locks are all that they share.
    fn shard(&self) -> usize {
        let last = match self {
            Sender::Key(key) => key.as_bytes()[31],
            Sender::Address(address) => {
                let [.., network, _, _, _, _, _, _, _, host] = address.octets();
                network ^ host
            }
            Sender::Others => 0,
        };
        usize::from(last) % SHARDS
    }
}

impl Shard {
    fn change(&mut self, sender: Sender, change: impl FnOnce(&mut Taken)) {
        if let Some(taken) = self.current.get_mut(&sender) {
            return change(taken);
        }
        let sender = match self.current.len() >= SENDERS_MAX / SHARDS {
            true => Sender::Others,
            false => sender,
        };
        let before = self.last.get(&sender).copied().unwrap_or_default();
        let taken = self.current.entry(sender).or_insert(Taken {
            events: [0, before.events[0]],
            messages: [0, before.messages[0]],
        });
        change(taken);
        // Whoever gets nothing takes no place.
        if taken.events[0] == 0 {
            self.current.remove(&sender);
        }
    }

    fn turn_to(&mut self, window: u64) {
        if window == self.window {
            return;
        }
        let ended = std::mem::take(&mut self.current);
        self.last = match window == self.window + 1 {
            true => ended,
            false => HashMap::new(),
        };
        self.window = window;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn key(number: u64) -> Sender {
        let mut bytes = [0; 32];
        bytes[24..].copy_from_slice(&number.to_le_bytes());
        Sender::Key(PublicKey::from_byte_array(bytes))
    }

    #[test]
    fn m10_events_and_messages_have_a_bound_each_in_any_window() {
        let senders = Senders::new(4, 2, SECOND * 60);
        let send = |number, sent, now_s| {
            let sent = senders.try_take(key(number), sent, SECOND * now_s);
            sent.map_err(|(bound, _)| bound)
        };
        assert_eq!(send(1, Sent::Message, 0), Ok(()));
        assert_eq!(send(1, Sent::Message, 0), Ok(()));
        assert_eq!(send(1, Sent::Message, 0), Err(Sent::Message));
        assert_eq!(
            send(1, Sent::Event, 0),
            Ok(()),
            "the message too many was one"
        );
        assert_eq!(send(1, Sent::Event, 59), Err(Sent::Event));
        assert_eq!(send(2, Sent::Message, 59), Ok(()), "another sender");
        assert_eq!(
            send(1, Sent::Event, 60),
            Err(Sent::Event),
            "the window slides"
        );
        assert_eq!(send(1, Sent::Message, 90), Ok(()), "by half");
        assert_eq!(send(1, Sent::Message, 90), Err(Sent::Message));
        assert_eq!(send(1, Sent::Event, 90), Err(Sent::Event));
        assert_eq!(send(1, Sent::Message, 300), Ok(()), "all of it is over");
        let waits = senders.try_take(key(2), Sent::Message, SECOND * 310);
        assert_eq!(waits, Ok(()));
    }

    #[test]
    fn m31_senders_beyond_the_bound_share_a_count() {
        let senders = Senders::new(1, 1, SECOND * 60);
        let taken = |number| senders.try_take(key(number), Sent::Event, SECOND).is_ok();
        let one_by_one = (0..SENDERS_MAX as u64 * 2).filter(|number| taken(*number));
        assert!(one_by_one.count() <= SENDERS_MAX + SHARDS);
        let held = senders.shards.iter().map(|shard| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.current.len()
        });
        assert!(held.sum::<usize>() <= SENDERS_MAX + SHARDS);
    }
}
