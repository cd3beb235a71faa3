//! Who is at the other end of a connection, as extensions may know it.

use crate::event::PublicKey;
use smallvec::SmallVec;
use std::net::{IpAddr, Ipv6Addr};

/// A connection: its number, its address and the keys that have authenticated on it (NIP-42).
///
/// Sessions hold it in an `Arc` and make a new one when a key authenticates, so what a hook was given never changes
/// under it. Keys are only ever added while the connection lives.
///
/// ```
/// use trellis_relay::event::PublicKey;
/// use trellis_relay::extension::Viewer;
/// let alice = PublicKey::from_byte_array([1; 32]);
/// let stranger = Viewer::new(7, [192, 0, 2, 1].into());
/// assert!(!stranger.is_authenticated());
/// assert!(stranger.with_pubkey(alice).is(&alice));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    session: u64,
    ip: IpAddr,
    /// Sorted.
    pubkeys: SmallVec<[PublicKey; 1]>,
    is_relay: bool,
}

impl Viewer {
    /// A fresh connection: its number, unique while the process runs, and the client's address.
    pub fn new(session: u64, ip: IpAddr) -> Self {
        Viewer {
            session,
            ip,
            pubkeys: SmallVec::new(),
            is_relay: false,
        }
    }

    /// The relay itself, for events that extensions publish. It is authenticated as `pubkey` and in session 0.
    pub fn relay(pubkey: PublicKey) -> Self {
        Viewer {
            is_relay: true,
            ..Viewer::new(0, Ipv6Addr::LOCALHOST.into()).with_pubkey(pubkey)
        }
    }

    /// The same connection after one more key has authenticated.
    #[must_use]
    pub fn with_pubkey(&self, pubkey: PublicKey) -> Self {
        let mut viewer = self.clone();
        if let Err(at) = viewer.pubkeys.binary_search(&pubkey) {
            viewer.pubkeys.insert(at, pubkey);
        }
        viewer
    }

    /// The number of the connection; opaque, and never 0 for a client.
    pub fn session(&self) -> u64 {
        self.session
    }

    /// The client's address, proxies taken off as configured.
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// The authenticated keys, sorted.
    pub fn pubkeys(&self) -> &[PublicKey] {
        &self.pubkeys
    }

    /// Whether any key has authenticated.
    pub fn is_authenticated(&self) -> bool {
        !self.pubkeys.is_empty()
    }

    /// Whether this key has authenticated.
    pub fn is(&self, pubkey: &PublicKey) -> bool {
        self.pubkeys.binary_search(pubkey).is_ok()
    }

    /// Whether this is the relay itself, publishing for an extension.
    pub fn is_relay(&self) -> bool {
        self.is_relay
    }
}
