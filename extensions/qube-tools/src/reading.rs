//! What the relays have, as a ledger: nothing is believed that is not signed.

use crate::out::progress;
use crate::rest::Routes;
use crate::settings::{Settings, misuse};
use crate::span::now_s;
use crate::table::harmless;
use anyhow::bail;
use nostr::event::Event;
use nostr::key::Keys;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use trellis_qube_client::Relays;
use trellis_qube_protocol::{
    ADDRESS, Ack, ActionKey, ActionKind, Fields, KIND_ACK, KIND_SIGNAL, Ledger, NetworkId,
    NetworkState, Pubkey, Signal, Version, verified,
};
use url::Url;

/// Begins to connect to the relays; with keys, AUTH is answered.
pub(crate) async fn connect(settings: &Settings, keys: Option<&Keys>) -> anyhow::Result<Relays> {
    if settings.relays.is_empty() {
        return Err(misuse(
            "no relay: --relay wss://HOST, or `relays` in the configuration",
        ));
    }
    Ok(Relays::connect(&settings.relays, keys).await?)
}

/// The networks that are asked for, as the relays tell of them.
pub(crate) async fn networks(settings: &Settings) -> anyhow::Result<Vec<NetworkState>> {
    let wanted = settings.wanted()?;
    let ledger = ledger_now(settings).await?;
    let states = wanted
        .iter()
        .filter_map(|network| state(&ledger, &network.id));
    Ok(states.collect())
}

/// The directives and the reports of the networks that are known.
pub(crate) fn filters(settings: &Settings) -> [Value; 2] {
    let developers: BTreeSet<Pubkey> = settings
        .networks
        .iter()
        .flat_map(|network| network.developers.iter().copied())
        .collect();
    let authors: Vec<String> = developers.iter().map(ToString::to_string).collect();
    let addresses: Vec<String> = authors
        .iter()
        .map(|author| format!("{KIND_SIGNAL}:{author}:{ADDRESS}"))
        .collect();
    [
        json!({"kinds": [KIND_SIGNAL], "authors": authors, "#d": [ADDRESS]}),
        json!({"kinds": [KIND_ACK], "#a": addresses}),
    ]
}

/// All that relays and routes have now, for who asks once.
pub(crate) async fn ledger_now(settings: &Settings) -> anyhow::Result<Ledger> {
    let relays = connect(settings, settings.reader.as_ref()).await?;
    let ledger = ledger(settings, &relays).await?;
    relays.shut_down().await;
    Ok(ledger)
}

/// All that relays and routes have; at least one relay has to answer.
pub(crate) async fn ledger(settings: &Settings, relays: &Relays) -> anyhow::Result<Ledger> {
    let mut ledger = Ledger::new(settings.networks.clone(), settings.scope);
    // Who does not tell the one does not cost the time for the other as well.
    let mut relays = relays.clone();
    for filter in filters(settings) {
        // Anybody may sign reports: what counts is kept, and nothing else.
        let keep = |event: Event| {
            take(&mut ledger, &event);
        };
        let fetched = relays.fetch_each(&filter, settings.patience, keep).await;
        for (url, problem) in &fetched.failed {
            tell(settings, url, problem);
        }
        if fetched.answered.is_empty() {
            bail!("no relay answered");
        }
        let failed: Vec<Url> = fetched.failed.into_iter().map(|(url, _)| url).collect();
        relays = relays.without(&failed);
    }
    for event in retained(settings).await {
        take(&mut ledger, &event);
    }
    Ok(ledger)
}

/// Why a relay told nothing, or not all.
pub(crate) fn tell(settings: &Settings, url: &Url, problem: &str) {
    let problem = harmless(problem);
    match problem.starts_with("auth-required:") && settings.reader.is_none() {
        true => progress(format_args!("{url}: {problem}; --key FILE logs in")),
        false => progress(format_args!("{url}: {problem}")),
    }
}

/// What was replaced, as the routes have it. One that does not answer is said and left out.
async fn retained(settings: &Settings) -> Vec<Event> {
    let mut events = Vec::new();
    for api in &settings.apis {
        let exported = match Routes::new(api, settings) {
            Ok(routes) => routes.export(&["log", "adopted"]).await,
            Err(error) => Err(error),
        };
        match exported {
            Ok(items) => events.extend(items.iter().filter_map(|item| verified(&item.event).ok())),
            Err(error) => progress(format_args!("{api}: {}", harmless(&format!("{error:#}")))),
        }
    }
    events
}

/// Takes an event in, of either kind; whether it was new and counts.
pub(crate) fn take(ledger: &mut Ledger, event: &Event) -> bool {
    let fields = Fields::of(event);
    match fields.kind {
        KIND_SIGNAL => Signal::parse(&fields).is_ok_and(|signal| ledger.insert_signal(signal)),
        KIND_ACK => Ack::parse(&fields).is_ok_and(|ack| ledger.insert_ack(ack)),
        _ => false,
    }
}

/// A network now, as nodes and relays see it: what is dated ahead counts when its time has come.
pub(crate) fn state(ledger: &Ledger, id: &NetworkId) -> Option<NetworkState> {
    ledger.network(id, now_s())
}

/// A directive that is dated ahead.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Ahead {
    pub(crate) developer: Pubkey,
    pub(crate) key: ActionKey,
    pub(crate) action: ActionKind,
    pub(crate) version: Version,
    /// From when on it counts. Unix seconds.
    pub(crate) counts_from: u64,
}

impl Ahead {
    /// For people.
    pub(crate) fn words(&self, now_s: u64) -> String {
        let (developer, key) = (self.developer.to_string(), self.key.short());
        let (kind, version) = (self.action, self.version.tagged());
        format!(
            "{}'s vote for {key} ({kind} {version}) is {}",
            &developer[..8],
            dated_ahead(self.counts_from, now_s)
        )
    }
}

/// What is signed for a network and dated ahead, newest first.
pub(crate) fn ahead(ledger: &Ledger, id: &NetworkId, now_s: u64) -> Vec<Ahead> {
    let signals = ledger.signals(id).into_iter();
    let ahead = signals.filter(|signal| signal.created_at > now_s);
    ahead
        .map(|signal| Ahead {
            developer: signal.developer,
            key: signal.key(),
            action: signal.directive.action.kind(),
            version: signal.directive.version.clone(),
            counts_from: signal.created_at,
        })
        .collect()
}

/// The same words wherever a date ahead is told.
pub(crate) fn dated_ahead(at_s: u64, now_s: u64) -> String {
    let ahead_s = at_s.saturating_sub(now_s);
    let ahead = match ahead_s {
        0..120 => format!("{ahead_s} s"),
        _ => format!("{} min", ahead_s / 60),
    };
    format!("dated {ahead} ahead, counts from {at_s}")
}
