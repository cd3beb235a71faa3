//! What users have asked for: to join, to leave, to be told that they have founded a group.
//!
//! Invariant: of each user the last request alone waits. Its row has the request in its key, so that whoever is done with a
//! request drops that one and never a newer one, without a transaction. That a request was the last is remembered after it
//! is answered.

use super::{LAST_REQUEST, REQUEST, Refusal, State, key, parts};
use trellis_relay::event::{EventId, PublicKey};

/// Bytes of a user's key.
const PUBKEY_BYTES: usize = 32;

impl State<'_> {
    /// The request of a user that the relay has not answered yet.
    pub(crate) fn request(&self, id: &str, user: &PublicKey) -> Result<Option<EventId>, Refusal> {
        let Some(last) = self.last_request(id, user)? else {
            return Ok(None);
        };
        let row = self.rows.get(&request_key(id, user, &last))?;
        Ok(row.map(|_| last))
    }

    /// The request takes the place of an older one, answered or not.
    pub(crate) fn set_request(
        &mut self,
        id: &str,
        user: &PublicKey,
        request: Option<&EventId>,
    ) -> Result<(), Refusal> {
        let last = key(LAST_REQUEST, id, user.as_bytes());
        if let Some(before) = self.last_request(id, user)? {
            self.rows.set(&request_key(id, user, &before), None)?;
            self.rows.set(&last, None)?;
        }
        if let Some(request) = request {
            self.rows.set(&last, Some(request.as_bytes().to_vec()))?;
            let row = request_key(id, user, request);
            self.rows.set(&row, Some(Vec::new()))?;
        }
        Ok(())
    }

    fn last_request(&self, id: &str, user: &PublicKey) -> Result<Option<EventId>, Refusal> {
        let row = self.rows.get(&key(LAST_REQUEST, id, user.as_bytes()))?;
        Ok(row.and_then(|row| EventId::from_slice(&row).ok()))
    }
}

/// The key of a request that waits for an answer.
pub(crate) fn request_key(id: &str, user: &PublicKey, request: &EventId) -> Vec<u8> {
    let rest = [&user.as_bytes()[..], request.as_bytes()].concat();
    key(REQUEST, id, &rest)
}

/// What [`request_key`] was made of.
pub(crate) fn request_of(key: &[u8]) -> Option<(&str, PublicKey, EventId)> {
    let (id, rest) = parts(key)?;
    let (user, request) = rest.split_at_checked(PUBKEY_BYTES)?;
    let user = PublicKey::from_slice(user).ok()?;
    Some((id, user, EventId::from_slice(request).ok()?))
}
