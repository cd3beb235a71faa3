//! Names to addresses, private ones left out.
//!
//! Invariant: what is checked here is what is connected to; nobody asks the name server a second time.

use super::address::is_allowed;
use super::error::OutboundError;
use crate::config::IpRange;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::SocketAddr;
use std::sync::Arc;

pub(super) struct PublicOnly {
    allow_private: Arc<[IpRange]>,
}

impl PublicOnly {
    pub(super) fn new(allow_private: Vec<IpRange>) -> Self {
        PublicOnly {
            allow_private: allow_private.into(),
        }
    }
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private.clone();
        Box::pin(async move {
            // The port of the URL takes the place of 0.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
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
