//! `/networks/{network}/signals` and `/history`: the directives that stand, and all that were ever signed.

use super::csv::{Row, cell};
use super::{Listing, Reader, find};
use crate::QubeCoordination;
use actix_web::web::Path;
use std::collections::{BTreeMap, BTreeSet};
use trellis_qube_protocol::{EventId, NetworkId, Pubkey, Signal};
use trellis_relay::extension::http::Api;
use trellis_relay::extension::prelude::*;

/// A directive.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Directive {
    /// The event's id.
    id: String,
    /// Who signed it: 64 hex digits.
    developer: String,
    /// When. Unix seconds.
    created_at: u64,
    /// On which network.
    network: String,
    /// The key of the action that it votes for.
    action_key: String,
    /// "upgrade" or "reboot".
    action: String,
    /// Without a leading v.
    version: String,
    /// SHA-256 of the binary.
    hash: String,
    /// Of a reboot.
    genesis_url: Option<String>,
    /// Of a reboot. Unix seconds.
    required_by: Option<u64>,
    /// For people.
    content: String,
    /// Whether it is the developer's vote at the moment.
    stands: bool,
    /// When the developer's next directive for this network was signed. Unix seconds.
    followed_at: Option<u64>,
}

pub(super) fn declare(api: &mut Api) {
    api.get("/networks/{network}/signals", standing)
        .summary("The directives that stand")
        .answers::<PageOf<Directive>>(200)
        .fails(404, "There is no such network.");
    api.get("/networks/{network}/history", history)
        .summary("Every directive that was signed, newest first")
        .answers::<PageOf<Directive>>(200)
        .fails(404, "There is no such network.");
}

async fn standing(
    me: Current<QubeCoordination>,
    reader: Reader,
    network: Path<String>,
    page: Page<100, 1_000>,
) -> Result<Listing<Directive>, ApiError> {
    let id = find(&me, &network)?.id;
    list(&me, reader, &id, &page, |it| it.stands)
}

async fn history(
    me: Current<QubeCoordination>,
    reader: Reader,
    network: Path<String>,
    page: Page<100, 1_000>,
) -> Result<Listing<Directive>, ApiError> {
    let id = find(&me, &network)?.id;
    list(&me, reader, &id, &page, |_| true)
}

/// A directive, and what has become of it.
#[derive(Clone, Copy)]
struct Told<'a> {
    signal: &'a Signal,
    stands: bool,
    followed_at: Option<u64>,
}

/// A page of those of a network that are meant, newest first.
fn list(
    me: &QubeCoordination,
    reader: Reader,
    network: &NetworkId,
    page: &Page<100, 1_000>,
    is_meant: impl Fn(&Told<'_>) -> bool,
) -> Result<Listing<Directive>, ApiError> {
    let now_s = me.host.clock().now_s();
    let ledger = me.holdings.ledger();
    let standing: BTreeSet<EventId> = me
        .networks
        .get(network)
        .into_iter()
        .flat_map(|it| &it.developers)
        .filter_map(|developer| ledger.valid_at(developer, network, now_s))
        .map(|signal| signal.id)
        .collect();
    let mut newer: BTreeMap<Pubkey, u64> = BTreeMap::new();
    let told = |signal| Told {
        signal,
        stands: standing.contains(&signal.id),
        followed_at: newer.insert(signal.developer, signal.created_at),
    };
    let mut all: Vec<Told<'_>> = ledger.signals(network).into_iter().map(told).collect();
    all.retain(is_meant);
    let (told, next) = super::slice(&all, page, |it| it.signal.id.to_string())?;
    Ok(reader.list(told.iter().map(Directive::of).collect(), next))
}

impl Directive {
    fn of(told: &Told<'_>) -> Self {
        let signal = told.signal;
        let directive = &signal.directive;
        Directive {
            id: signal.id.to_string(),
            developer: signal.developer.to_string(),
            created_at: signal.created_at,
            network: directive.network.to_string(),
            action_key: signal.key().to_string(),
            action: directive.action.kind().as_str().to_owned(),
            version: directive.version.to_string(),
            hash: directive.hash.to_string(),
            genesis_url: directive.action.genesis_url().map(ToString::to_string),
            required_by: directive.action.required_by(),
            content: signal.content.clone(),
            stands: told.stands,
            followed_at: told.followed_at,
        }
    }
}

impl Row for Directive {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "developer",
        "created_at",
        "network",
        "action_key",
        "action",
        "version",
        "hash",
        "genesis_url",
        "required_by",
        "content",
        "stands",
        "followed_at",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.developer.clone(),
            self.created_at.to_string(),
            self.network.clone(),
            self.action_key.clone(),
            self.action.clone(),
            self.version.clone(),
            self.hash.clone(),
            cell(&self.genesis_url),
            cell(&self.required_by),
            self.content.clone(),
            self.stands.to_string(),
            cell(&self.followed_at),
        ]
    }
}
