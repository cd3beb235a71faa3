//! Counts open WebSocket connections, in all and by address, against `network.max_connections` and
//! `network.max_connections_per_ip`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// The counters.
#[derive(Clone, Debug, Default)]
pub struct Connections(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_ip: HashMap<IpAddr, usize>,
}

/// A place among the open connections; dropping it gives the place back.
#[derive(Debug)]
pub struct Place {
    connections: Connections,
    network: IpAddr,
}

/// One subscriber has a whole /64 of IPv6, so its addresses count as one.
pub(crate) fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

/// Why a connection is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Crowded {
    /// The relay is full.
    #[error("the relay has reached its limit of {0} connections; try again later")]
    Relay(usize),
    /// The address has too many.
    #[error("your address has reached the limit of {0} connections; close one first")]
    Address(usize),
}

impl Connections {
    /// Takes a place where both limits allow it.
    pub fn enter(&self, ip: IpAddr, max: usize, max_per_ip: usize) -> Result<Place, Crowded> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.all >= max {
            refused("relay_full");
            return Err(Crowded::Relay(max));
        }
        // Behind a proxy on this machine that names no client, everybody comes from a loopback address.
        if !ip.is_loopback() {
            let here = counts.by_ip.entry(network(ip)).or_default();
            if *here >= max_per_ip {
                refused("address_full");
                return Err(Crowded::Address(max_per_ip));
            }
            *here += 1;
        }
        counts.all += 1;
        Ok(Place {
            connections: self.clone(),
            network: network(ip),
        })
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).all
    }
}

fn refused(reason: &'static str) {
    metrics::counter!("trellis_connections_refused_total", "reason" => reason).increment(1);
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self
            .connections
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        counts.all = counts.all.saturating_sub(1);
        if let Some(here) = counts.by_ip.get_mut(&self.network) {
            *here -= 1;
            if *here == 0 {
                counts.by_ip.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c17_connections_are_counted_in_all_and_by_address() {
        let connections = Connections::default();
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let first = connections.enter(a, 3, 2);
        let _second = connections.enter(a, 3, 2);
        assert_eq!(connections.enter(a, 3, 2).err(), Some(Crowded::Address(2)));
        let _third = connections.enter(b, 3, 2);
        assert_eq!(connections.enter(b, 3, 2).err(), Some(Crowded::Relay(3)));
        drop(first);
        assert_eq!(connections.open(), 2);
        assert!(connections.enter(a, 3, 2).is_ok());
    }
}
