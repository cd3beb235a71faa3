//! `PUT /report` (BUD-09): somebody reports blobs with a signed event of kind 1984 (NIP-56).
//!
//! Invariant: a report is verified and waits for review; that of a trusted moderator takes the blobs away at once, to the end
//! once that has begun, and once, so that nobody who has seen it can use it again. Where that fails the report waits, and
//! does its work when it is sent again.

use crate::BlossomPolicy;
use crate::administration::{self, Action, Subject};
use crate::auth;
use crate::blob::BlobHash;
use crate::holdings::{Holdings, HoldingsError, to_its_end};
use crate::index::{Added, Banned, Change, NewReport};
use crate::refusal::Refusal;
use crate::retention::REPORTS_KEPT_MS;
use crate::watch;
use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use trellis_relay::extension::prelude::*;

/// Reports of people and what they have published (NIP-56).
const REPORT_KIND: u16 = 1984;
/// An event reports so many blobs at most.
const BLOBS_MAX: usize = 100;
/// What is kept of its words.
const CONTENT_CHARS_MAX: usize = 2_000;
const KIND_CHARS_MAX: usize = 64;
/// A clock may be fast by so much.
const FAST_CLOCK_S: u64 = 60;
/// A moderator is believed at once for so long; what is older waits for review. What has become of a report is kept for
/// longer.
const BELIEVED_S: u64 = 7 * 86_400;
const _: () = assert!(BELIEVED_S * 1_000 < REPORTS_KEPT_MS);
const BY_MODERATOR: &str = "reported by a trusted moderator";

pub(super) fn declare(api: &mut Api) {
    api.route(Method::PUT, "/report", report)
        .summary("Report blobs")
        .description(
            "The body is a signed event of kind 1984 (NIP-56) with an `x` tag for each blob.",
        )
        .takes(|inputs| inputs.body_of("application/json"))
        .answers_with(200, "application/json")
        .fails(400, "The event is not valid, or names no blob.")
        .fails(404, "None of the blobs is stored here.")
        .fails(429, "So much was reported from this address of late.")
        .fails(503, "So many reports wait that none is taken.");
}

async fn report(
    request: HttpRequest,
    payload: web::Payload,
    me: Current<BlossomPolicy>,
) -> Result<HttpResponse, Refusal> {
    let config = me.config();
    if !config.reports.enabled {
        return Err(Refusal::Off);
    }
    me.rates.take_report(&request)?;
    let body = auth::read_short(&me, &request, &mut payload.into_inner()).await?;
    let event = read(&body, me.host.clock().now_s())?;
    let ip = crate::rates::client_ip(&request)?;
    me.host.may_publish(ip.0, event.pubkey())?;
    let now_ms = me.host.clock().now_ms();
    let is_old = event.created_at().saturating_add(BELIEVED_S) < now_ms / 1_000;
    let is_trusted = !is_old
        && (config.moderators.contains(event.pubkey()) || config.admins.contains(event.pubkey()));
    let max_waiting = match is_trusted {
        true => usize::MAX,
        false => usize::try_from(config.reports.max_open).unwrap_or(usize::MAX),
    };
    let index = me.holdings.index();
    let (mut known, mut taken) = (0, 0);
    let mut condemned = Vec::new();
    for (sha256, kind) in reported(&event) {
        let before = index.report(event.id(), &sha256).await?;
        // What a moderator has reported may be gone, and its report not done with.
        let is_to_be_ended = is_trusted && before == Some(Added::Waiting);
        if index.blob(&sha256).await?.is_none() && !is_to_be_ended {
            continue;
        }
        known += 1;
        if before.is_none() && !is_trusted {
            me.rates.take_reported_blob(&request)?;
        }
        let new = NewReport {
            event_id: *event.id(),
            sha256,
            reporter: *event.pubkey(),
            kind,
            content: cut(&event.content(), CONTENT_CHARS_MAX),
            received_ms: now_ms,
        };
        match index.add_report(&new, max_waiting).await? {
            Added::New => {
                taken += 1;
                condemned.push(sha256);
            }
            Added::Waiting => condemned.push(sha256),
            Added::Done => {}
            Added::TooMany => return Err(Refusal::ReportsFull),
        }
    }
    if is_trusted {
        let (holdings, moderator) = (me.holdings.clone(), *event.pubkey());
        to_its_end(async move { take_all_away(&holdings, &moderator, condemned, now_ms).await })
            .await?;
    }
    match known {
        0 => Err(Refusal::NoBlob),
        known => Ok(HttpResponse::Ok().json(json!({ "known": known, "taken": taken }))),
    }
}

/// Takes away what a trusted moderator has reported, whatever becomes of one of them; what went wrong last.
async fn take_all_away(
    holdings: &Holdings,
    moderator: &PublicKey,
    condemned: Vec<BlobHash>,
    now_ms: u64,
) -> Result<(), HoldingsError> {
    let mut result = Ok(());
    for sha256 in condemned {
        if let Err(error) = take_away(holdings, moderator, sha256, now_ms).await {
            result = Err(error);
        }
    }
    result
}

/// Bans and removes a blob.
async fn take_away(
    holdings: &Holdings,
    moderator: &PublicKey,
    sha256: BlobHash,
    now_ms: u64,
) -> Result<(), HoldingsError> {
    let index = holdings.index();
    let (by, subject) = (moderator.to_hex(), Subject::Blob(sha256));
    let decision = |action: Action| subject.decision(now_ms, &by, action.name(), BY_MODERATOR);
    let banned = Banned::Hash(sha256);
    administration::decide(index, Change::Ban(&banned), &decision(Action::Ban)).await?;
    if holdings.remove(sha256).await?.is_some() {
        watch::removed("report");
        administration::write_down(index, &decision(Action::Remove)).await?;
    }
    index.resolve_reports_of(&sha256, "removed").await?;
    Ok(())
}

fn read(body: &[u8], now_s: u64) -> Result<Event, Refusal> {
    let invalid = |error: &dyn std::fmt::Display| {
        Refusal::bad_request(format!("the body must be a signed event: {error}"))
    };
    let event = Event::parse(body).map_err(|error| invalid(&error))?;
    if event.kind() != REPORT_KIND {
        return Err(Refusal::bad_request(format!(
            "a report is an event of kind {REPORT_KIND} (NIP-56); found kind {}",
            event.kind()
        )));
    }
    if event.created_at() > now_s.saturating_add(FAST_CLOCK_S) {
        return Err(Refusal::bad_request(
            "the report is of the future: check the clock",
        ));
    }
    let blobs = reported(&event).len();
    if blobs == 0 || blobs > BLOBS_MAX {
        return Err(Refusal::bad_request(format!(
            "a report names 1 to {BLOBS_MAX} blobs, each by its sha256 in an x tag; found {blobs}"
        )));
    }
    event.verify().map_err(|error| invalid(&error))?;
    Ok(event)
}

/// The blobs that an event reports, and what for.
fn reported(event: &Event) -> Vec<(BlobHash, String)> {
    let mut found: Vec<(BlobHash, String)> = Vec::new();
    for tag in event.tags().filter(|tag| tag.name() == "x") {
        let hash = tag.value().and_then(|value| value.parse().ok());
        let Some(hash) = hash.filter(|hash| found.iter().all(|(other, _)| other != hash)) else {
            continue;
        };
        let kind = tag.get(2).unwrap_or_default();
        found.push((hash, cut(&kind, KIND_CHARS_MAX)));
        if found.len() > BLOBS_MAX {
            break;
        }
    }
    found
}

fn cut(text: &str, max_chars: usize) -> String {
    text.chars().take(max_chars).collect()
}
