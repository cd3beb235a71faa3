//! `/audit`: the entries of both logs, as what they are about.

use super::csv::{Row, cell};
use super::export::{Section, cursor};
use super::{Listing, Reader, bad_cursor};
use crate::QubeCoordination;
use crate::fields;
use crate::log::Chain;
use actix_web::web::Query;
use trellis_qube_protocol::chain::Entry;
use trellis_relay::extension::http::Api;
use trellis_relay::extension::prelude::*;

/// An entry of a log.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct AuditEntry {
    /// Which log: "log" (what was replaced here) or "adopted" (what came from peers).
    chain: String,
    /// Its number in that log, from 1 on.
    seq: u64,
    /// When it was written. Unix seconds.
    at_s: u64,
    /// "replaced" or "adopted".
    kind: String,
    /// The event's id.
    id: Option<String>,
    /// Who signed it.
    developer: Option<String>,
    /// When it was signed. Unix seconds.
    created_at: Option<u64>,
    /// What its tags say.
    network: Option<String>,
    /// What its tags say.
    action: Option<String>,
    /// What its tags say.
    version: Option<String>,
    /// The hash of the entry before: 64 hex digits.
    previous: String,
    /// Its own hash.
    hash: String,
}

/// Which entries.
#[derive(Debug, Deserialize, JsonSchema)]
struct Which {
    /// Of one log alone: "log" or "adopted".
    section: Option<Section>,
}

pub(super) fn declare(api: &mut Api) {
    api.get("/audit", list)
        .summary("What was replaced here and adopted from peers, oldest first, first the one and then the other")
        .answers::<PageOf<AuditEntry>>(200);
}

async fn list(
    me: Current<QubeCoordination>,
    reader: Reader,
    which: Query<Which>,
    page: Page<100, 1_000>,
) -> Result<Listing<AuditEntry>, ApiError> {
    let chains: &[Chain] = match which.section {
        None => &[Chain::Log, Chain::Adopted],
        Some(Section::Log) => &[Chain::Log],
        Some(Section::Adopted) => &[Chain::Adopted],
        Some(_) => return Err(ApiError::bad_request("section must be log or adopted")),
    };
    let after: Option<String> = page.after_as()?;
    let (begun, mut seq) = match &after {
        None => (0, 0),
        Some(after) => place(chains, after).ok_or_else(bad_cursor)?,
    };
    let mut items = Vec::new();
    let mut next = None;
    for chain in &chains[begun..] {
        let wanted = page.fetch() - items.len();
        let mut entries = chain.after(&me.host, seq, wanted).await?;
        let goes_on = entries.len() == wanted;
        if goes_on {
            entries.pop();
        }
        items.extend(entries.iter().map(|entry| AuditEntry::of(*chain, entry)));
        if goes_on {
            let last = entries.last().map_or(seq, |it| it.seq);
            next = Some(cursor(&format!("{}/{last}", chain.name())));
            break;
        }
        seq = 0;
    }
    Ok(reader.list(items, next))
}

/// Which of the logs a cursor names, and the number of the last entry that was read of it.
fn place(chains: &[Chain], cursor: &str) -> Option<(usize, u64)> {
    let (name, seq) = cursor.split_once('/')?;
    let chain = chains.iter().position(|it| it.name() == name)?;
    Some((chain, seq.parse().ok()?))
}

impl AuditEntry {
    fn of(chain: Chain, entry: &Entry) -> Self {
        let event = Event::parse(entry.event.as_bytes()).ok();
        let tag = |name: &str| {
            let value = event.as_ref()?.first_tag_value(name)?;
            Some(value.into_owned())
        };
        AuditEntry {
            chain: chain.name().to_owned(),
            seq: entry.seq,
            at_s: entry.at_s,
            kind: entry.kind.as_str().to_owned(),
            id: event.as_ref().map(|it| fields::id(it).to_string()),
            developer: event.as_ref().map(|it| fields::author(it).to_string()),
            created_at: event.as_ref().map(Event::created_at),
            network: tag("network"),
            action: tag("action"),
            version: tag("version"),
            previous: entry.previous.to_string(),
            hash: entry.hash.to_string(),
        }
    }
}

impl Row for AuditEntry {
    const COLUMNS: &'static [&'static str] = &[
        "chain",
        "seq",
        "at_s",
        "kind",
        "id",
        "developer",
        "created_at",
        "network",
        "action",
        "version",
        "previous",
        "hash",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.chain.clone(),
            self.seq.to_string(),
            self.at_s.to_string(),
            self.kind.clone(),
            cell(&self.id),
            cell(&self.developer),
            cell(&self.created_at),
            cell(&self.network),
            cell(&self.action),
            cell(&self.version),
            self.previous.clone(),
            self.hash.clone(),
        ]
    }
}
