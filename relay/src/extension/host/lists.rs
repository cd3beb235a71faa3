//! The operator's lists of who may read and write, for what extensions do over other ways than WebSockets.

use super::Host;
use crate::event::PublicKey;
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
}
