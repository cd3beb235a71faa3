//! What the probe has seen, over HTTP, for tests to read.

use crate::Probe;
use crate::action::Action;
use actix_web::web::{self, Bytes, Json};
use actix_web::{HttpResponse, Responder};
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use trellis_relay::config::Mode;
use trellis_relay::extension::prelude::*;

const PAGE_ROWS: usize = 1_000;

pub(crate) fn register(hooks: &mut Registrar<Probe>) {
    hooks.http(Mount::prefix("/probe"), |routes| {
        routes
            .route("/calls", web::get().to(calls))
            .route("/changes", web::get().to(changes))
            .route("/notes", web::get().to(notes))
            .route("/rows", web::get().to(rows))
            .route("/told", web::get().to(told))
            .route("/mode", web::get().to(mode))
            .route("/release", web::post().to(release))
            .route("/remove/{id}/{cause}", web::post().to(remove))
            .route("/fetch", web::post().to(fetch))
            .route("/panic", web::get().to(fall_over))
            .route("/block", web::get().to(block))
            .route("/endless", web::get().to(endless))
            .route("/stream-panic", web::get().to(stream_and_fall_over))
            .route("/nonsense", web::get().to(answer_nonsense));
    });
}

/// `{"admit": 3, ...}`
async fn calls(me: Current<Probe>) -> Json<Value> {
    Json(json!(me.seen().calls))
}

/// What the relay takes, as an extension is told: the mode, what it hears of new groups, and the time to drain.
async fn mode(me: Current<Probe>) -> Json<Value> {
    let new_group = me
        .host
        .refuse_during(&[Mode::NoNewGroups, Mode::Maintenance]);
    Json(json!({
        "mode": me.host.mode(),
        "new_group": new_group.map_or_else(|reason| reason.to_string(), |()| "fine".to_owned()),
        "drain_secs": me.host.drain_timeout().as_secs(),
    }))
}

async fn changes(me: Current<Probe>) -> Json<Value> {
    Json(json!(me.seen().changes))
}

async fn notes(me: Current<Probe>) -> Json<Value> {
    Json(json!(me.seen().notes))
}

/// `{"<event id>": "<content>", ...}` of all events that `commit` hooks saw.
async fn rows(me: Current<Probe>) -> HttpResponse {
    all_rows(&me, b"e").await
}

/// `{"<event id>": "", ...}` of all events that `stored` hooks were told of.
async fn told(me: Current<Probe>) -> HttpResponse {
    all_rows(&me, b"s").await
}

async fn all_rows(me: &Probe, prefix: &[u8]) -> HttpResponse {
    let mut all = BTreeMap::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = me.host.kv_scan(prefix, after.as_deref(), PAGE_ROWS).await;
        let Ok(page) = page else {
            return HttpResponse::InternalServerError().finish();
        };
        let Some((last, _)) = page.last() else {
            return HttpResponse::Ok().json(all);
        };
        after = Some(last.clone());
        all.extend(page.into_iter().map(|(key, value)| {
            let id = const_hex::encode(&key[1..]);
            (id, String::from_utf8_lossy(&value).into_owned())
        }));
    }
}

/// Lets everything go that waits, now and later.
async fn release() -> impl Responder {
    crate::RELEASED.send_replace(true);
    HttpResponse::NoContent()
}

/// Removes an event: `true` where it is gone.
async fn remove(me: Current<Probe>, path: web::Path<(String, String)>) -> HttpResponse {
    let (id, cause) = path.into_inner();
    let cause = match cause.as_str() {
        "expiry" => Cause::Expiry,
        "retention" => Cause::Retention,
        _ => Cause::Admin,
    };
    let Ok(id) = EventId::from_hex(&id) else {
        return HttpResponse::BadRequest().finish();
    };
    match me.host.remove(id, cause).await {
        Ok(gone) => HttpResponse::Ok().json(gone),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

/// Asks for the URL in the body: the status of the answer, or why there is none.
async fn fetch(me: Current<Probe>, url: String) -> String {
    match me.host.http_client().get(&url).send().await {
        Ok(answer) => answer.status().to_string(),
        Err(error) => error.to_string(),
    }
}

async fn fall_over(_me: Current<Probe>) -> HttpResponse {
    panic!("as asked")
}

/// Holds the worker's thread.
async fn block(me: Current<Probe>) -> HttpResponse {
    match me.sync("http", Some(Action::Block)) {
        Ok(_) => HttpResponse::NoContent().finish(),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

/// A body that never ends.
async fn endless(_me: Current<Probe>) -> HttpResponse {
    let chunks = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 1024])));
    HttpResponse::Ok().streaming(chunks)
}

/// A body that panics after its first chunk.
async fn stream_and_fall_over(_me: Current<Probe>) -> HttpResponse {
    let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"so far"))]);
    let chunks = first.chain(stream::once(async {
        // What is there is sent meanwhile.
        tokio::task::yield_now().await;
        panic!("as asked")
    }));
    HttpResponse::Ok().streaming(chunks)
}

/// A status and headers that contradict one another.
async fn answer_nonsense(_me: Current<Probe>) -> HttpResponse {
    HttpResponse::SwitchingProtocols()
        .insert_header(("upgrade", "nonsense"))
        .insert_header(("connection", "close, upgrade"))
        .insert_header(("content-length", "-1"))
        .insert_header(("x-long", "x".repeat(100_000)))
        .body("no")
}
