//! Server-sent events: that something has changed, to the pages that are open.
//!
//! Invariant: so many listen at a time, of one address a part of them; each is told once a second at most, and nothing but
//! that there is a new revision. A listener holds no part of the instance, so that a new one can take its place.

use super::revision;
use crate::QubeCoordination;
use crate::alerts::Alerts;
use crate::holdings::Holdings;
use crate::metering;
use actix_web::HttpResponse;
use actix_web::http::header;
use bytes::Bytes;
use futures_util::stream;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch::{Receiver, Sender};
use trellis_relay::extension::prelude::*;

/// Between two events for one listener.
const PAUSE: Duration = Duration::from_secs(1);
/// After so much silence a comment is sent: proxies close what seems dead, and so it is noticed who is gone.
const BEAT: Duration = Duration::from_secs(15);
/// An address may always have so many, whatever its part is.
const OF_ONE_MIN: usize = 8;

/// The places for listeners.
pub(crate) struct Live {
    places: Arc<Places>,
    ended: Sender<bool>,
}

struct Places {
    max: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    /// By address, as long as it has one.
    by_address: HashMap<String, usize>,
}

/// A place that is taken, until it is dropped.
struct Seat {
    places: Arc<Places>,
    address: String,
}

impl Live {
    pub(crate) fn new(max: usize) -> Self {
        let taken = Mutex::default();
        Live {
            places: Arc::new(Places { max, taken }),
            ended: Sender::new(false),
        }
    }

    /// Sends all listeners away: the relay stops, or another instance takes over.
    pub(crate) fn end(&self) {
        self.ended.send_replace(true);
    }

    fn seat(&self, address: String) -> Option<Seat> {
        let places = &self.places;
        let mut taken = places.taken();
        let of_one = taken.by_address.get(&address).copied().unwrap_or(0);
        if taken.all >= places.max || of_one >= (places.max / 4).max(OF_ONE_MIN) {
            return None;
        }
        taken.all += 1;
        *taken.by_address.entry(address.clone()).or_default() += 1;
        metering::listeners(taken.all);
        Some(Seat {
            places: places.clone(),
            address,
        })
    }
}

impl Places {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all = taken.all.saturating_sub(1);
        metering::listeners(taken.all);
        if let Some(of_one) = taken.by_address.get_mut(&self.address) {
            *of_one = of_one.saturating_sub(1);
            if *of_one == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

/// Declares `/live`.
pub(crate) fn declare(api: &mut Api) {
    api.get("/live", live)
        .summary("Server-sent events: that something has changed")
        .description(
            "An event `revision` at the beginning and with each change, once a second at most; its data is another word \
             each time. What has changed the other routes tell; for this one no service token is wanted.",
        )
        .answers_with(200, "text/event-stream")
        .fails(503, "Too many listen already.");
}

async fn live(me: Current<QubeCoordination>, ip: ClientIp) -> Result<HttpResponse, ApiError> {
    me.requests.check_http(&ip.rate_key())?;
    let Some(seat) = me.live.seat(ip.rate_key()) else {
        metering::listener_refused();
        return Err(ApiError::unavailable(
            "too many listen already; try again later",
        ));
    };
    let listener = Listener::new(&me.holdings, &me.alerts, me.live.ended.subscribe(), seat);
    let events = stream::unfold(listener, |mut listener| async move {
        let part = listener.next().await?;
        Some((Ok::<_, Infallible>(part), listener))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        // Proxies that gather what they pass on would gather this for ever.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(Box::pin(events)))
}

/// One page that is open somewhere.
struct Listener {
    fleet: Receiver<u64>,
    alerts: Receiver<u64>,
    ended: Receiver<bool>,
    told: Option<String>,
    _seat: Seat,
}

impl Listener {
    fn new(holdings: &Holdings, alerts: &Alerts, ended: Receiver<bool>, seat: Seat) -> Self {
        Listener {
            fleet: holdings.changes(),
            alerts: alerts.heard(),
            ended,
            told: None,
            _seat: seat,
        }
    }

    /// What is sent next; nothing at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.told.is_some() {
            tokio::select! {
                // A failure means that what it tells of is gone.
                _ = self.ended.wait_for(|ended| *ended) => return None,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
        loop {
            let now = revision(
                *self.fleet.borrow_and_update(),
                *self.alerts.borrow_and_update(),
            );
            if self.told.as_ref() != Some(&now) {
                let part = format!("event: revision\ndata: {now}\n\n");
                self.told = Some(now);
                return Some(Bytes::from(part));
            }
            tokio::select! {
                _ = self.ended.wait_for(|ended| *ended) => return None,
                changed = self.fleet.changed() => changed.ok()?,
                changed = self.alerts.changed() => changed.ok()?,
                () = tokio::time::sleep(BEAT) => return Some(Bytes::from_static(b": still here\n\n")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn q13_listeners_are_bounded_and_no_address_has_all_places() {
        let live = Live::new(40);
        let mut seats: Vec<Seat> = (0..10)
            .map(|_| live.seat("a".to_owned()).unwrap())
            .collect();
        assert!(live.seat("a".to_owned()).is_none(), "a quarter");
        for other in 0..30 {
            seats.push(live.seat(format!("b{other}")).unwrap());
        }
        assert!(live.seat("c".to_owned()).is_none(), "all");
        seats.remove(0);
        assert!(live.seat("a".to_owned()).is_some());
        seats.clear();
        let taken = live.places.taken();
        assert_eq!((taken.all, taken.by_address.len()), (0, 0));
    }
}
