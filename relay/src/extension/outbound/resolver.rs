//! Names to addresses, private ones left out.
//!
//! Invariant: what is checked here is what is connected to; nobody asks the name server a second time. A name that is being
//! looked up holds its place until the system has answered, whoever has given up meanwhile: it holds a thread as long.

use super::address::is_allowed;
use super::error::OutboundError;
use crate::config::IpRange;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

pub(super) struct PublicOnly {
    allow_private: Arc<[IpRange]>,
    lookups: Lookups,
}

impl PublicOnly {
    /// Looks up so many names at a time.
    pub(super) fn new(allow_private: Vec<IpRange>, max_concurrent: usize) -> Self {
        PublicOnly {
            allow_private: allow_private.into(),
            lookups: Lookups::new(max_concurrent),
        }
    }
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let (allow_private, lookups) = (self.allow_private.clone(), self.lookups.clone());
        Box::pin(async move {
            let host = name.as_str().to_owned();
            // The port of the URL takes the place of 0.
            let found = lookups.run(move || (host, 0).to_socket_addrs()).await??;
            let (allowed, refused): (Vec<SocketAddr>, Vec<_>) =
                found.partition(|it| is_allowed(it.ip(), &allow_private));
            match refused.first() {
                Some(address) if allowed.is_empty() => Err(OutboundError::Private {
                    host: name.as_str().to_owned(),
                    address: address.ip(),
                }
                .into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
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
