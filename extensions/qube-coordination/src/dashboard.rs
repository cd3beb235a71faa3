//! The page of the fleet, for people with a browser: networks, quorum, nodes, alerts, history; up to date by itself.
//!
//! Invariant: everything on it comes from strangers and is text there (`text`); nothing is loaded from elsewhere, and nothing
//! runs but the one script within it. The page is public, as the events are that it shows: of other servers it tells no
//! address and no cause. What is drawn anew counts as a request; what lies on the shelf is free.

mod choosing;
mod history;
mod live;
mod moment;
mod network;
mod nodes;
mod notices;
mod page;
#[cfg(test)]
mod tests;
mod text;
mod view;

pub(crate) use live::{Live, declare as declare_live};

use crate::QubeCoordination;
use crate::alerts::{Alert, Kind, News, Open};
use actix_web::http::header;
use actix_web::web::Query;
use actix_web::{HttpResponse, http::Method};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use choosing::{Asked, choose};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use trellis_relay::extension::prelude::*;
use view::{AlertView, FleetView, Places, Show, Tally};

/// Pages that are kept for the next who asks for them.
const SHELF_MAX: usize = 32;
/// A page is drawn anew after so long: it tells how long ago things were.
const FRESH_S: u64 = 10;

/// Mounts the page.
pub(crate) fn register(path: &str, hooks: &mut Registrar<QubeCoordination>) {
    hooks.api(Mount::prefix(path), |api| {
        api.about("The fleet as a page.");
        api.route(Method::GET, "/", show)
            .summary("Networks, quorum, nodes, alerts and history, for people")
            .answers_with(200, "text/html");
    });
}

/// One revision of all that the page shows.
fn revision(fleet: u64, alerts: u64) -> String {
    format!("{fleet}.{alerts}")
}

/// The query of the page.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wish {
    network: Option<String>,
    q: String,
    show: String,
    page: String,
}

async fn show(
    me: Current<QubeCoordination>,
    ip: ClientIp,
    wish: Query<Wish>,
) -> Result<HttpResponse, ApiError> {
    let wish = wish.into_inner();
    let asked = wish
        .network
        .filter(|it| !it.is_empty())
        .map(|network| Asked {
            network: Some(network),
            search: wish.q.trim().chars().take(128).collect(),
            show: Show::of(&wish.show).name().to_owned(),
            page: wish.page.parse().unwrap_or(1),
        });
    let asked = asked.unwrap_or_default();
    let page = page_of(&me, &ip, asked)?;
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY.as_str()))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(page))
}

/// Pages as they were drawn last.
#[derive(Default)]
pub(crate) struct Shelf {
    pages: Mutex<BTreeMap<Asked, (Stamp, Bytes)>>,
}

/// What a page was drawn of.
#[derive(Clone, PartialEq, Eq)]
struct Stamp {
    revision: String,
    tens_of_s: u64,
}

impl Shelf {
    fn get(&self, asked: &Asked, stamp: &Stamp) -> Option<Bytes> {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let (drawn, page) = pages.get(asked)?;
        (drawn == stamp).then(|| page.clone())
    }

    fn put(&self, asked: Asked, stamp: Stamp, page: Bytes) {
        // Of searches there are as many as anybody likes to make up.
        if !asked.search.is_empty() {
            return;
        }
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.len() >= SHELF_MAX {
            pages.retain(|_, (drawn, _)| *drawn == stamp);
        }
        let is_first = asked.page <= 1;
        if pages.len() >= SHELF_MAX && is_first {
            let further = pages.keys().find(|it| it.page > 1).cloned();
            further.map(|it| pages.remove(&it));
        }
        if pages.len() < SHELF_MAX {
            pages.insert(asked, (stamp, page));
        }
    }
}

fn page_of(me: &QubeCoordination, ip: &ClientIp, asked: Asked) -> Result<Bytes, ApiError> {
    let now_s = me.host.clock().now_s();
    // Before the state, so that a change between the two is asked for again.
    let revision = revision(*me.holdings.changes().borrow(), *me.alerts.heard().borrow());
    let stamp = Stamp {
        revision: revision.clone(),
        tens_of_s: now_s / FRESH_S,
    };
    if let Some(page) = me.shelf.get(&asked, &stamp) {
        return Ok(page);
    }
    me.requests.check_http(&ip.rate_key())?;
    let mut view = FleetView {
        relay: me.host.relay_pubkey().to_hex(),
        now_s,
        revision,
        places: Places {
            page: me.settings.dashboard_path.clone().unwrap_or_default(),
            api: me.settings.api_prefix.clone(),
        },
        tally: Tally::default(),
        networks: Vec::new(),
        chosen: None,
        open_alerts: Vec::new(),
        past_alerts: Vec::new(),
    };
    choose(&mut view, &me.holdings.state(), &asked)
        .ok_or_else(|| ApiError::not_found("there is no such network"))?;
    notice(&mut view, me, asked.network.as_deref());
    let page = Bytes::from(page::page(&view));
    me.shelf.put(asked, stamp, page.clone());
    Ok(page)
}

/// The alerts of a network, and those that are about none.
fn notice(view: &mut FleetView, me: &QubeCoordination, network: Option<&str>) {
    let is_meant =
        |of: &Option<String>| network.is_none() || of.is_none() || of.as_deref() == network;
    let open = |open: Open| AlertView {
        kind: open.alert.kind.words(),
        summary: summary(me, &open.alert),
        network: open.alert.network,
        since_s: open.since,
        until_s: None,
    };
    let past = |news: &News| AlertView {
        kind: news.alert.kind.words(),
        network: news.alert.network.clone(),
        summary: summary(me, &news.alert),
        since_s: news.since,
        until_s: Some(news.at),
    };
    let all = me.alerts.open().into_iter();
    view.open_alerts = all
        .filter(|it| is_meant(&it.alert.network))
        .map(open)
        .collect();
    let all = me.alerts.past();
    let meant = all.iter().filter(|it| is_meant(&it.alert.network));
    view.past_alerts = meant.map(|it| past(it)).collect();
}

/// What is told of an alert to everybody. Where another server is, and what came of asking it, is its operators' affair: webhooks,
/// log and health tell.
fn summary(me: &QubeCoordination, alert: &Alert) -> String {
    match alert.kind {
        Kind::PeerDown => {}
        Kind::DatabaseDown => {
            return "the database of the mirror does not answer as it should".to_owned();
        }
        _ => return alert.summary.clone(),
    }
    let mut peers = me.settings.peers.iter();
    match peers.position(|peer| peer.as_str() == alert.subject) {
        Some(place) => format!("peer {} does not answer as it should", place + 1),
        None => "a peer does not answer as it should".to_owned(),
    }
}

/// What the page may do: what stands in it.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'",
        hash(page::STYLE),
        hash(page::SCRIPT)
    )
});
