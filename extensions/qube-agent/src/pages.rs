//! `/health` and `/metrics`, for the operator's monitoring.

use crate::delivery::Shared;
use crate::upkeep::Histories;
use crate::watch::{Answer, Standing, Watch};
use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use trellis_qube_client::Relays;
use trellis_qube_protocol::NetworkId;
use url::Url;

/// What the pages are made of.
#[derive(Clone)]
pub(crate) struct Pages {
    pub(crate) watch: Watch,
    pub(crate) relays: Relays,
    pub(crate) histories: Histories,
    pub(crate) dry_run: bool,
}

#[derive(Serialize)]
struct Health {
    /// `ok` with a relay that has told what is signed, `unanswered` where none that is connected has, `disconnected` without any,
    /// `stopped` where a network is.
    status: &'static str,
    version: &'static str,
    dry_run: bool,
    /// Whether each is connected.
    relays: BTreeMap<Url, bool>,
    /// Relays that are connected and have not told what is signed, with what they say.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    silent: BTreeMap<Url, String>,
    networks: BTreeMap<NetworkId, NetworkHealth>,
}

#[derive(Serialize)]
struct NetworkHealth {
    #[serde(flatten)]
    standing: Standing,
    version: Option<String>,
    undelivered_reports: usize,
}

impl Pages {
    /// Serves them in the background.
    pub(crate) fn serve(self, address: SocketAddr) -> io::Result<(SocketAddr, ServerHandle)> {
        let pages = web::Data::new(self);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(pages.clone())
                .route("/health", web::get().to(health))
                .route("/metrics", web::get().to(metrics))
        })
        .workers(1)
        .disable_signals()
        .bind(address)?;
        let bound = server.addrs().first().copied().unwrap_or(address);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok((bound, handle))
    }

    fn refresh(&self) -> BTreeMap<Url, bool> {
        let relays: BTreeMap<Url, bool> = self.relays.connected().into_iter().collect();
        let connected = relays.values().filter(|connected| **connected).count();
        self.watch.relays(relays.len(), connected);
        for (network, history) in self.histories.all() {
            self.watch.undelivered(&network, self.waiting(&history));
        }
        relays
    }

    fn waiting(&self, history: &Shared) -> usize {
        let urls: Vec<Url> = self.relays.urls().cloned().collect();
        history.lock().undelivered(&urls).len()
    }

    fn health(&self) -> Health {
        let relays = self.refresh();
        let is_connected = relays.values().any(|connected| *connected);
        let silent = silent(&relays, &self.watch.all_answers());
        let connected = relays.values().filter(|connected| **connected).count();
        let histories = self.histories.all();
        let standings = self.watch.standings();
        let is_stopped = standings.values().any(|it| it.stopped.is_some());
        let of = |(network, standing): (NetworkId, Standing)| {
            let history = histories.get(&network);
            let version = history.and_then(|it| it.lock().version().map(ToString::to_string));
            let health = NetworkHealth {
                standing,
                version,
                undelivered_reports: history.map_or(0, |it| self.waiting(it)),
            };
            (network, health)
        };
        Health {
            status: match (is_connected, is_stopped) {
                (_, true) => "stopped",
                (false, _) => "disconnected",
                (true, _) if silent.len() == connected => "unanswered",
                (true, _) => "ok",
            },
            version: env!("CARGO_PKG_VERSION"),
            dry_run: self.dry_run,
            relays,
            silent,
            networks: standings.into_iter().map(of).collect(),
        }
    }
}

/// The relays that are connected and have not told what is signed, with what they say.
fn silent(relays: &BTreeMap<Url, bool>, answers: &BTreeMap<Url, Answer>) -> BTreeMap<Url, String> {
    let connected = relays.iter().filter(|(_, connected)| **connected);
    let silent = connected.filter_map(|(relay, _)| {
        let says = match answers.get(relay) {
            Some(Answer::Told) => return None,
            Some(Answer::Refused(message)) => message.clone(),
            None => "no answer yet".to_owned(),
        };
        Some((relay.clone(), says))
    });
    silent.collect()
}

async fn health(pages: web::Data<Pages>) -> HttpResponse {
    let health = pages.health();
    let code = match health.status {
        "ok" => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    HttpResponse::build(code).json(health)
}

async fn metrics(pages: web::Data<Pages>) -> HttpResponse {
    pages.refresh();
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(pages.watch.page())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a1_a_relay_that_is_connected_and_tells_nothing_is_named() {
        let [told, refuses, mute, gone] = ["told", "refuses", "mute", "gone"]
            .map(|name| Url::parse(&format!("wss://{name}.example")).expect("a URL"));
        let relays = [
            (&told, true),
            (&refuses, true),
            (&mute, true),
            (&gone, false),
        ];
        let relays = relays.map(|(url, connected)| (url.clone(), connected));
        let refused = Answer::Refused("auth-required: who are you".to_owned());
        let answers = BTreeMap::from([(told, Answer::Told), (refuses.clone(), refused)]);
        let silent = silent(&BTreeMap::from(relays), &answers);
        assert_eq!(silent[&refuses], "auth-required: who are you");
        assert_eq!(silent[&mute], "no answer yet");
        assert_eq!(silent.len(), 2);
    }
}
