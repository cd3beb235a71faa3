//! One page of a peer's history.
//!
//! Invariant: an answer is bounded in bytes and time before a byte of it is read, and nothing of it is believed here.

use super::reading::Problem;
use crate::QubeCoordination;
use crate::log::{Chain, Head};
use serde::Deserialize;
use std::time::Duration;
use trellis_qube_protocol::chain::{Entry, EntryKind};
use trellis_qube_protocol::{Digest, MAX_EVENT_BYTES};
use url::Url;

/// Entries of a page, where as many of the longest fit into an answer.
const PAGE: usize = 200;
/// Bytes of a page, if the operator does not allow less.
const BODY_BYTES_MAX: usize = 8 << 20;
/// Bytes of an entry at most: the event as a text in JSON, each byte perhaps escaped, and what stands around it.
const ENTRY_BYTES_MAX: usize = 2 * MAX_EVENT_BYTES + 512;
/// Time for a page.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What `/audit/export` answers.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    pub(super) items: Vec<Item>,
    #[serde(default)]
    pub(super) next: Option<String>,
    #[serde(default)]
    pub(super) heads: Heads,
    /// How many were asked for: fewer are the last ones.
    #[serde(skip)]
    pub(super) asked: usize,
}

/// Where its logs end.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Heads {
    log: Option<Place>,
    adopted: Option<Place>,
}

/// A place in a log.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Place {
    seq: u64,
    #[serde(default)]
    hash: Option<Digest>,
}

/// One event, in a log the entry that holds it.
#[derive(Debug, Deserialize)]
pub(super) struct Item {
    seq: Option<u64>,
    at_s: Option<u64>,
    kind: Option<EntryKind>,
    previous: Option<Digest>,
    hash: Option<Digest>,
    pub(super) event: String,
}

impl Heads {
    /// The number of the last entry.
    pub(super) fn seq(&self, chain: Chain) -> u64 {
        self.place(chain).map_or(0, |it| it.seq)
    }

    /// Whether a log ends with the entry that was read last, and says another hash of it.
    pub(super) fn is_other(&self, chain: Chain, read: Head) -> bool {
        let told = self.place(chain);
        let told = told.and_then(|it| Some((it.seq, it.hash?)));
        read.zip(told)
            .is_some_and(|(read, told)| read.0 == told.0 && read.1 != told.1)
    }

    fn place(&self, chain: Chain) -> Option<Place> {
        match chain {
            Chain::Log => self.log,
            Chain::Adopted => self.adopted,
        }
    }
}

impl Item {
    /// As an entry of a log, if it is one.
    pub(super) fn entry(self) -> Option<Entry> {
        Some(Entry {
            seq: self.seq?,
            at_s: self.at_s?,
            kind: self.kind?,
            event: self.event,
            previous: self.previous?,
            hash: self.hash?,
        })
    }
}

/// Entries of a log after a number.
pub(super) async fn entries(
    me: &QubeCoordination,
    peer: &Url,
    chain: Chain,
    after: u64,
) -> Result<Answer, Problem> {
    let query = [
        ("section", chain.name().to_owned()),
        ("after", after.to_string()),
    ];
    page(me, peer, &query).await
}

/// Directives that stand there.
pub(super) async fn signals(
    me: &QubeCoordination,
    peer: &Url,
    cursor: Option<&str>,
) -> Result<Answer, Problem> {
    let mut query = vec![("section", "signals".to_owned())];
    query.extend(cursor.map(|cursor| ("cursor", cursor.to_owned())));
    page(me, peer, &query).await
}

async fn page(
    me: &QubeCoordination,
    peer: &Url,
    query: &[(&str, String)],
) -> Result<Answer, Problem> {
    let client = me.host.http_client();
    let body_bytes_max = BODY_BYTES_MAX.min(client.max_body_bytes());
    let asked = (body_bytes_max / ENTRY_BYTES_MAX).clamp(1, PAGE);
    let mut url = peer.join("audit/export").map_err(|_| Problem::Form)?;
    url.query_pairs_mut()
        .extend_pairs(query)
        .append_pair("limit", &asked.to_string());
    let mut request = client
        .get(url.as_str())
        .timeout(TIMEOUT.min(client.timeout()))
        .max_body_bytes(body_bytes_max)
        .header("accept", "application/json");
    if let Some(token) = &me.settings.peer_token {
        request = request.header("authorization", &format!("Bearer {}", token.reveal()));
    }
    let answer = request.send().await?.error_for_status()?;
    let answer: Answer = answer.json().await?;
    match answer.items.len() > asked {
        true => Err(Problem::Form),
        false => Ok(Answer { asked, ..answer }),
    }
}
