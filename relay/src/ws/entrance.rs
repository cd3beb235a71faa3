//! Who may open a WebSocket connection: not who is blocked, not too often, not too many at once.

use crate::connections::Place;
use crate::flow::limits;
use crate::worker::Worker;
use actix_web::http::StatusCode;
use std::net::IpAddr;

/// A handshake that is refused.
pub(super) struct Refused {
    /// What is answered.
    pub(super) status: StatusCode,
    /// Why.
    pub(super) text: String,
    /// Seconds after which it may be tried again.
    pub(super) retry_after_s: Option<u64>,
}

impl Refused {
    pub(super) fn new(status: StatusCode, text: String) -> Self {
        Refused {
            status,
            text,
            retry_after_s: None,
        }
    }
}

/// Takes a place among the open connections. Only who gets in counts against the rate of new connections.
pub(super) fn enter(worker: &Worker, ip: IpAddr) -> Result<Place, Refused> {
    if worker.moderation().blocked_addresses.contains(ip) {
        count("blocked");
        let text = crate::http::BLOCKED.to_owned();
        return Err(Refused::new(StatusCode::FORBIDDEN, text));
    }
    let relay = &worker.relay;
    let network = &worker.config().network;
    let place = relay.connections.enter(
        ip,
        network.max_connections as usize,
        network.max_connections_per_ip as usize,
    );
    let place = place
        .map_err(|crowded| Refused::new(StatusCode::SERVICE_UNAVAILABLE, crowded.to_string()))?;
    // Last, since whoever passes is counted; a place that is not taken up is given back.
    limits::check_connection(relay, ip).map_err(|(reason, seconds)| {
        count("rate_limited");
        Refused {
            retry_after_s: Some(seconds),
            ..Refused::new(StatusCode::TOO_MANY_REQUESTS, reason.to_string())
        }
    })?;
    Ok(place)
}

fn count(reason: &'static str) {
    metrics::counter!("trellis_connections_refused_total", "reason" => reason).increment(1);
}
