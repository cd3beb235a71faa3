//! Who may stream out all own events at the moment: as often, and as many at a time, as `[own_events]` says.
//!
//! Invariant: a key has one stream at a time, and an address a quarter of the places. Where there is no place, the stream
//! that runs longest gives way once it has had its time, so that nobody holds a place for longer than that. There is no
//! queue: a place goes to whoever asks first. Pure but for the clock. Not here: who somebody is (`nips/nip98`), and what is streamed (`flow/own_events`).

use crate::clock::Clock;
use crate::config::OwnEvents;
use crate::event::PublicKey;
use crate::extension::RateLimiter;
use crate::nips::nip98::ReplayGuard;
use crate::rate_limit::Client;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// The places and the counts.
#[derive(Debug)]
pub struct OwnEventsGate {
    clock: Arc<dyn Clock>,
    /// Authorizations that were used here.
    pub seen: ReplayGuard,
    rates: Mutex<Rates>,
    running: Arc<Mutex<Running>>,
}

/// Why somebody gets no stream now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// As often as is allowed.
    #[error("too many requests for own events; try again later")]
    TooOften {
        /// How long until it may work.
        retry_after: Duration,
    },
    /// This key has one.
    #[error("a stream of your events is running already; one at a time")]
    Running,
    /// All places are taken, or those of this address, and none has been for its time.
    #[error("too many are taking their events along at the moment; try again in a minute")]
    Full {
        /// How long until it may work.
        retry_after: Duration,
    },
}

/// Made anew where the table has other numbers: then counts begin anew.
#[derive(Debug)]
struct Rates {
    per_key: (u32, Arc<RateLimiter>),
    per_ip: (u32, Arc<RateLimiter>),
}

#[derive(Debug, Default)]
struct Running {
    streams: HashMap<PublicKey, Stream>,
    /// How many there ever were.
    begun: u64,
}

#[derive(Debug)]
struct Stream {
    number: u64,
    address: Option<Client>,
    /// By the monotonic clock.
    since: Duration,
    /// Ends it.
    _give_way: oneshot::Sender<()>,
}

/// A stream's place, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    running: Arc<Mutex<Running>>,
    key: PublicKey,
    number: u64,
    is_given_away: oneshot::Receiver<()>,
}

impl OwnEventsGate {
    /// With nobody in it.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let limiter = |max| (max, Arc::new(RateLimiter::new(max, HOUR, clock.clone())));
        let table = OwnEvents::default();
        OwnEventsGate {
            seen: ReplayGuard::starting(clock.now_s()),
            rates: Mutex::new(Rates {
                per_key: limiter(table.max_per_hour),
                per_ip: limiter(table.max_per_hour_per_ip),
            }),
            running: Arc::default(),
            clock,
        }
    }

    /// Counts a request, before anything dear is done for it.
    pub fn knock(&self, table: &OwnEvents, ip: IpAddr) -> Result<(), NotNow> {
        let Some(Client::Address(address)) = counted(ip) else {
            return Ok(());
        };
        let (_, per_ip) = self.rates(table);
        take(&per_ip, &address.to_string())
    }

    /// A place for the owner of a key; that of another where all are taken and one has had its time.
    pub fn enter(&self, table: &OwnEvents, ip: IpAddr, key: PublicKey) -> Result<Place, NotNow> {
        let address = counted(ip);
        let now = self.clock.monotonic();
        let (per_key, _) = self.rates(table);
        let mut running = lock(&self.running);
        if running.streams.contains_key(&key) {
            return Err(NotNow::Running);
        }
        let gives_way = running.who_gives_way(table, address, now)?;
        take(&per_key, &key.to_hex())?;
        if let Some(other) = gives_way {
            running.streams.remove(&other);
        }
        running.begun += 1;
        let number = running.begun;
        let (give_way, is_given_away) = oneshot::channel();
        let stream = Stream {
            number,
            address,
            since: now,
            _give_way: give_way,
        };
        running.streams.insert(key, stream);
        Ok(Place {
            running: self.running.clone(),
            key,
            number,
            is_given_away,
        })
    }

    fn rates(&self, table: &OwnEvents) -> (Arc<RateLimiter>, Arc<RateLimiter>) {
        let mut rates = lock(&self.rates);
        let keep_up = |of: &mut (u32, Arc<RateLimiter>), max| {
            if of.0 != max {
                *of = (
                    max,
                    Arc::new(RateLimiter::new(max, HOUR, self.clock.clone())),
                );
            }
        };
        keep_up(&mut rates.per_key, table.max_per_hour);
        keep_up(&mut rates.per_ip, table.max_per_hour_per_ip);
        (rates.per_key.1.clone(), rates.per_ip.1.clone())
    }
}

impl Running {
    /// Whose place a newcomer from an address gets; nobody's where there is room.
    fn who_gives_way(
        &self,
        table: &OwnEvents,
        address: Option<Client>,
        now: Duration,
    ) -> Result<Option<PublicKey>, NotNow> {
        let is_from_there = |stream: &Stream| address.is_some() && stream.address == address;
        let from_there = self.streams.values().filter(|it| is_from_there(it)).count();
        let share_is_used = from_there >= (table.max_at_a_time / 4).max(1) as usize;
        if !share_is_used && self.streams.len() < table.max_at_a_time as usize {
            return Ok(None);
        }
        let others = self.streams.iter();
        let oldest = others
            .filter(|(_, stream)| !share_is_used || is_from_there(stream))
            .min_by_key(|(_, stream)| stream.number);
        let (key, since) = oldest.map_or((None, now), |(key, it)| (Some(*key), it.since));
        let had = now.saturating_sub(since);
        match table.min_time.duration().saturating_sub(had) {
            Duration::ZERO => Ok(key),
            // Others may come to their end before.
            left => Err(NotNow::Full {
                retry_after: left.min(MINUTE),
            }),
        }
    }
}

impl Place {
    /// Ends when somebody else has got the place.
    pub(crate) async fn given_away(&mut self) {
        // The gate drops its end, and says nothing.
        let _ = (&mut self.is_given_away).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut running = lock(&self.running);
        let stream = running.streams.get(&self.key);
        // The key may have come again after its place was given away.
        if stream.is_some_and(|stream| stream.number == self.number) {
            running.streams.remove(&self.key);
        }
    }
}

/// Whom an address counts for; behind a proxy that is not trusted everybody seems to come from this machine.
fn counted(ip: IpAddr) -> Option<Client> {
    (!ip.to_canonical().is_loopback()).then(|| Client::from_address(ip))
}

fn take(limiter: &RateLimiter, key: &str) -> Result<(), NotNow> {
    let taken = limiter.try_take(key);
    taken.map_err(|retry_after| NotNow::TooOften { retry_after })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::clock::FakeClock;

    const FULL: NotNow = NotNow::Full {
        retry_after: MINUTE,
    };

    fn key(byte: u8) -> PublicKey {
        PublicKey::from_byte_array([byte; 32])
    }

    fn ip(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    fn gate() -> (Arc<FakeClock>, OwnEventsGate) {
        let clock = Arc::new(FakeClock::at_s(1_700_000_000));
        (clock.clone(), OwnEventsGate::new(clock))
    }

    #[test]
    fn c29_a_key_has_one_stream_and_an_address_a_quarter_of_the_places() {
        let table = OwnEvents {
            max_at_a_time: 8,
            ..OwnEvents::default()
        };
        let (_, gate) = gate();
        let first = gate.enter(&table, ip(1), key(1)).unwrap();
        let enter = |last, byte| gate.enter(&table, ip(last), key(byte));
        assert_eq!(enter(2, 1).unwrap_err(), NotNow::Running);
        let second = enter(1, 2).unwrap();
        assert_eq!(enter(1, 3).unwrap_err(), FULL);
        drop(first);
        let third = enter(1, 3).unwrap();
        let others: Vec<Place> = (4..10).map(|it| enter(it, it).unwrap()).collect();
        assert_eq!(enter(99, 99).unwrap_err(), FULL);
        drop((second, third, others));
        assert!(lock(&gate.running).streams.is_empty());
    }

    #[test]
    fn c29_strangers_do_not_hold_all_places_of_own_events() {
        let table = OwnEvents {
            max_at_a_time: 4,
            ..OwnEvents::default()
        };
        let (clock, gate) = gate();
        let enter = |last, byte| gate.enter(&table, ip(last), key(byte));
        let mut strangers: Vec<Place> = (1..5).map(|it| enter(it, it).unwrap()).collect();
        let is_given_away = |place: &mut Place| {
            !matches!(
                place.is_given_away.try_recv(),
                Err(oneshot::error::TryRecvError::Empty)
            )
        };
        assert_eq!(enter(9, 9).unwrap_err(), FULL);
        clock.advance(table.min_time.duration() - Duration::from_secs(7));
        let soon = NotNow::Full {
            retry_after: Duration::from_secs(7),
        };
        assert_eq!(enter(9, 9).unwrap_err(), soon);
        clock.advance(Duration::from_secs(7));
        let first = enter(9, 9).unwrap();
        let given: Vec<bool> = strangers.iter_mut().map(is_given_away).collect();
        assert_eq!(given, [true, false, false, false]);
        // Another of the same address takes that one's place.
        let second = enter(3, 33).unwrap();
        let given: Vec<bool> = strangers.iter_mut().map(is_given_away).collect();
        assert_eq!(given, [true, false, true, false]);
        assert_eq!(enter(9, 99).unwrap_err(), FULL, "its share");
        // Who comes again keeps the place when the old stream ends.
        let again = enter(1, 1).unwrap();
        drop(strangers);
        assert_eq!(enter(1, 1).unwrap_err(), NotNow::Running);
        assert_eq!(lock(&gate.running).streams.len(), 3);
        drop((first, second, again));
        assert!(lock(&gate.running).streams.is_empty());
    }

    #[test]
    fn c29_own_events_are_streamed_so_often_in_an_hour() {
        let mut table = OwnEvents {
            max_per_hour: 2,
            max_per_hour_per_ip: 3,
            ..OwnEvents::default()
        };
        let (clock, gate) = gate();
        let come = |table: &OwnEvents| gate.enter(table, ip(1), key(1)).map(drop);
        assert_eq!((come(&table), come(&table)), (Ok(()), Ok(())));
        assert!(matches!(come(&table), Err(NotNow::TooOften { .. })));
        clock.advance(HOUR * 2);
        assert_eq!(come(&table), Ok(()));
        let knocks: Vec<_> = (0..4).map(|_| gate.knock(&table, ip(1)).is_ok()).collect();
        assert_eq!(knocks, [true, true, true, false]);
        assert!(gate.knock(&table, ip(2)).is_ok());
        let local = IpAddr::from([127, 0, 0, 1]);
        assert!((0..9).all(|_| gate.knock(&table, local).is_ok()));
        table.max_per_hour_per_ip = 4;
        assert!(gate.knock(&table, ip(1)).is_ok(), "another number");
    }
}
