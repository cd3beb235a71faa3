//! A server of the operator's that says who belongs to a group (`membership_source = "acl"`).
//!
//! Invariant: an answer that cannot be had or read is an error and never an empty group; a group that the server does not
//! know is one without members, and nobody's for whom its id would be enough; an answer is believed for
//! `group_cache_ttl` and no longer. Memory is bounded by entries. Not here: what an error means for who asked.

mod answer;
mod memory;

use crate::config::Settings;
use crate::roster::Roster;
use futures_util::future::join_all;
use memory::Memory;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::Mutex;
use trellis_relay::config::Secret;
use trellis_relay::extension::OutboundError;
use trellis_relay::extension::prelude::*;

/// Asks the server, and remembers what it said.
pub(crate) struct AclClient {
    host: Host,
    url: String,
    token: Option<Secret>,
    memory: Memory,
    /// Who asks for a group first asks for all that ask for it meanwhile; groups share some few turns.
    turns: [Mutex<()>; TURNS],
    /// Until when nobody waits for the server, on the monotonic clock.
    hanging_until_ms: AtomicU64,
}

const TURNS: usize = 16;
/// A server that takes longer says nothing.
const PATIENCE: Duration = Duration::from_secs(2);
/// After a wait in vain nobody waits for so long: who does takes up a place that others need.
const HANGING_MS: u64 = 2_000;
/// Questions of one request that are asked at a time.
const AT_ONCE: usize = 8;

/// Why it is not known who belongs to a group. The text names no group and no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AclError {
    /// It did not answer a moment ago.
    #[error("acl_url: no answer a moment ago")]
    Hanging,
    /// There was no answer, or none with status 200 or 404.
    #[error("acl_url: {0}")]
    Asked(#[from] OutboundError),
    /// The answer is not of the form that is asked for.
    #[error("acl_url answered {0}")]
    Answer(&'static str),
}

impl AclClient {
    /// For the server that the settings name, if they do.
    pub(crate) fn new(host: &Host, settings: &Settings) -> Option<Self> {
        let acl = settings.acl.as_ref()?;
        let ttl = Duration::from_secs(settings.group_cache_ttl_s);
        Some(AclClient {
            host: host.clone(),
            url: acl.url.clone(),
            token: acl.token.clone(),
            memory: Memory::new(ttl, settings.max_cached_groups),
            turns: Default::default(),
            hanging_until_ms: AtomicU64::new(0),
        })
    }

    /// Who belongs to a group; nobody if the server knows no such group. The roster has sequence 0 and no event; it has no
    /// owner, and an empty one is a group without members.
    pub(crate) async fn members(&self, group_id: &str) -> Result<Arc<Roster>, AclError> {
        if let Some(known) = self.known(group_id) {
            return Ok(known);
        }
        let turn = group_id.bytes().fold(0_usize, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(usize::from(byte))
        });
        let _turn = self.turns[turn % TURNS].lock().await;
        if let Some(known) = self.known(group_id) {
            return Ok(known);
        }
        let asked_at = self.host.clock().monotonic();
        if self.is_hanging() {
            return Err(AclError::Hanging);
        }
        let asked = self.ask(group_id).await;
        if let Err(AclError::Asked(OutboundError::Timeout(_))) = &asked {
            let now_ms = self.host.clock().monotonic().as_millis() as u64;
            self.hanging_until_ms.store(now_ms + HANGING_MS, Relaxed);
        }
        let members = Arc::new(asked?);
        self.memory.keep(group_id, members.clone(), asked_at);
        Ok(members)
    }

    /// Asks for those of these groups that are not known, some at a time.
    pub(crate) async fn load(&self, group_ids: &[&String]) -> Result<(), AclError> {
        for some in group_ids.chunks(AT_ONCE) {
            let answers = some.iter().map(|group_id| self.members(group_id));
            for answer in join_all(answers).await {
                answer?;
            }
        }
        Ok(())
    }

    fn is_hanging(&self) -> bool {
        let now_ms = self.host.clock().monotonic().as_millis() as u64;
        now_ms < self.hanging_until_ms.load(Relaxed)
    }

    /// What the server said of a group not longer ago than `group_cache_ttl`, without asking.
    pub(crate) fn known(&self, group_id: &str) -> Option<Arc<Roster>> {
        let now = self.host.clock().monotonic();
        self.memory.get(group_id, now)
    }

    async fn ask(&self, group_id: &str) -> Result<Roster, AclError> {
        let url = format!("{}/groups/{}/members", self.url, escape(group_id));
        let mut request = self.host.http_client().get(&url).timeout(PATIENCE);
        request = request.header("accept", "application/json");
        if let Some(token) = &self.token {
            request = request.header("authorization", &format!("Bearer {}", token.reveal()));
        }
        let answer = request.send().await?;
        match answer.status() {
            404 => Ok(answer::nobody()),
            200 => answer::read(&answer.bytes().await?),
            status => Err(OutboundError::Status(status).into()),
        }
    }
}

impl std::fmt::Debug for AclClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AclClient").finish_non_exhaustive()
    }
}

/// A group's id as a part of a path.
fn escape(group_id: &str) -> String {
    let mut escaped = String::with_capacity(group_id.len());
    for byte in group_id.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            // A dot too: `..` would be another path.
            _ => {
                // Writing to a String cannot fail.
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m35_an_id_cannot_leave_its_place_in_the_path() {
        assert_eq!(escape("grp_abc-1~"), "grp_abc-1~");
        assert_eq!(
            escape("../admin?x#y z/ä"),
            "%2E%2E%2Fadmin%3Fx%23y%20z%2F%C3%A4"
        );
    }
}
