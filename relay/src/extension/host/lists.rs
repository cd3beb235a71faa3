//! Who may read and write, for what extensions do over other ways than WebSockets: the operator's lists, and what
//! extensions hide.

use super::Host;
use crate::event::{Event, PublicKey};
use crate::extension::Viewer;
use crate::reason::Reason;
use std::net::IpAddr;

impl Host {
    /// Whether whoever has this key and comes from this address might send a REQ: the lists of `[auth]` and of the
    /// management API, as they are in force. What a route answers to a key that signed is to be no more.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// async fn mine(me: Current<Notes>, signer: Nip98, ip: ClientIp) -> Result<String, ApiError> {
    ///     me.host.may_read(ip.0, &signer.pubkey)?;
    ///     Ok("yours".to_owned())
    /// }
    /// # struct Notes { host: Host }
    /// ```
    pub fn may_read(&self, ip: IpAddr, pubkey: &PublicKey) -> Result<(), Reason> {
        self.inner.core.may_read(ip, pubkey)
    }

    /// The same for publishing an event of one's own that mentions nobody.
    pub fn may_publish(&self, ip: IpAddr, pubkey: &PublicKey) -> Result<(), Reason> {
        self.inner.core.may_publish(ip, pubkey)
    }

    /// Whether a connection from this address that has authenticated as this key would be shown the event: protected
    /// kinds, expiration, and the `deliver` hooks of all extensions, this one's too. For events that a route hands out.
    ///
    /// ```
    /// use trellis_relay::extension::prelude::*;
    /// fn theirs(host: &Host, kept: Vec<Event>, reader: &PublicKey, ip: ClientIp) -> Vec<Event> {
    ///     kept.into_iter().filter(|event| host.shows(event, ip.0, reader)).collect()
    /// }
    /// ```
    pub fn shows(&self, event: &Event, ip: IpAddr, reader: &PublicKey) -> bool {
        let viewer = Viewer::new(0, ip).with_pubkey(*reader);
        self.inner.core.shows(event, &viewer)
    }
}
