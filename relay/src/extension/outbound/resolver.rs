//! Names to addresses, private ones left out.
//!
//! Invariant: what is checked here is what is connected to; nobody asks the name server a second time. A name that is being
//! looked up holds its place until the system has answered, whoever has given up meanwhile: it holds a thread as long.

use super::address::is_allowed;
use super::error::OutboundError;
use crate::config::IpRange;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::error::Error;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Cheap to clone; clones share their places.
#[derive(Clone)]
pub(super) struct PublicOnly {
    allow_private: Arc<[IpRange]>,
    lookups: Lookups,
    /// One private address condemns the name.
    is_strict: bool,
}

impl PublicOnly {
    /// Looks up so many names at a time.
    pub(super) fn new(allow_private: Vec<IpRange>, max_concurrent: usize) -> Self {
        PublicOnly {
            allow_private: allow_private.into(),
            lookups: Lookups::new(max_concurrent),
            is_strict: false,
        }
    }

    /// The same, for names that strangers choose: one that leads to any private address leads nowhere.
    pub(super) fn strict(&self) -> Self {
        PublicOnly {
            is_strict: true,
            ..self.clone()
        }
    }

    /// Where the name leads, as far as extensions may go there. Never empty.
    pub(super) async fn look_up(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
        let name = host.to_owned();
        let found = self.lookups.run(move || (name, port).to_socket_addrs());
        Ok(self.choose(host, found.await??)?)
    }

    /// Those of the addresses of a name where extensions may go. Never empty.
    fn choose(
        &self,
        host: &str,
        found: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, OutboundError> {
        let (allowed, refused): (Vec<_>, Vec<_>) =
            found.partition(|it| is_allowed(it.ip(), &self.allow_private));
        match refused.first() {
            Some(address) if allowed.is_empty() || self.is_strict => Err(OutboundError::Private {
                host: host.to_owned(),
                address: address.ip(),
            }),
            None if allowed.is_empty() => Err(OutboundError::Failed {
                what: "no connection",
                cause: "the name has no address".to_owned(),
                source: io::Error::from(io::ErrorKind::NotFound).into(),
            }),
            _ => Ok(allowed),
        }
    }
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let names = self.clone();
        Box::pin(async move {
            // The port of the URL takes the place of 0.
            let allowed = names.look_up(name.as_str(), 0).await?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The system's calls that block, so many at a time.
#[derive(Clone)]
struct Lookups(Arc<Semaphore>);

impl Lookups {
    fn new(max_concurrent: usize) -> Self {
        Lookups(Arc::new(Semaphore::new(max_concurrent)))
    }

    async fn run<T: Send + 'static>(
        &self,
        lookup: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let place = self.0.clone().acquire_owned().await;
        let place = place.map_err(io::Error::other)?;
        let looked_up = spawn_blocking(move || {
            let _place = place;
            lookup()
        });
        looked_up.await.map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::sync::mpsc::channel;

    #[test]
    fn e1_outbound_strict_names_lead_to_public_addresses_alone() {
        let names = PublicOnly::new(vec!["127.0.0.1".parse().expect("a range")], 1);
        let choose = |names: &PublicOnly, found: &[&str]| {
            let found = found.iter().map(|it| it.parse().expect("an address"));
            names.choose("name.example", found).map(|it| it.len()).ok()
        };
        for private in [
            "10.0.0.1:0",
            "127.0.0.2:0",
            "169.254.169.254:0",
            "[::1]:0",
            "[::ffff:10.0.0.1]:0",
            "[64:ff9b::a00:1]:0",
            "[fe80::1]:0",
            "[fd00::1]:0",
        ] {
            let mixed = ["1.1.1.1:0", private, "9.9.9.9:0"];
            assert_eq!(choose(&names, &mixed), Some(2), "{private}");
            assert_eq!(choose(&names.strict(), &mixed), None, "{private}");
            assert_eq!(choose(&names, &[private]), None, "{private}");
        }
        let allowed = ["1.1.1.1:0", "127.0.0.1:0", "[2606:4700::1111]:0"];
        assert_eq!(choose(&names.strict(), &allowed), Some(3));
        assert_eq!(choose(&names, &[]), None);
    }

    #[tokio::test]
    async fn e1_outbound_lookups_that_nobody_waits_for_hold_their_places() {
        let lookups = Lookups::new(1);
        let (release, released) = channel::<()>();
        let hanging = lookups.run(move || released.recv());
        // Begun, and given up as by a timeout.
        assert!(hanging.now_or_never().is_none());
        assert_eq!(lookups.0.available_permits(), 0);
        let next = lookups.run(|| "an address");
        release.send(()).expect("it hangs still");
        assert_eq!(next.await.expect("a place"), "an address");
    }
}
