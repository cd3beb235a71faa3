//! What the operator can look up: blobs, bans, reports that wait, and what was decided; and what becomes of a report.
//!
//! Invariant: pages are bounded, and go on where they ended.

use super::{operator, operator_with};
use crate::BlossomPolicy;
use crate::administration::{self, Action, Subject};
use crate::blob::BlobHash;
use crate::holdings::to_its_end;
use crate::index::{Banned, Blob, Decision, Report};
use crate::refusal::Refusal;
use actix_web::http::Method;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use serde_json::json;
use trellis_relay::extension::prelude::*;

/// A blob as the operator sees it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BlossomStoredBlob")]
struct StoredBlob {
    sha256: BlobHash,
    /// Bytes.
    size: u64,
    #[serde(rename = "type")]
    mime_type: String,
    /// In seconds since 1970.
    uploaded: u64,
    encrypted: bool,
    /// Why it is quarantined, if so. It is shown to nobody then.
    quarantined_for: Option<String>,
    /// Why its hash is banned, if so. It is shown to nobody then.
    banned_for: Option<String>,
}

/// A ban.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BlossomBan")]
struct ListedBan {
    sha256: Option<BlobHash>,
    /// Or a key, as hex.
    pubkey: Option<String>,
    reason: String,
    /// In seconds since 1970.
    since: u64,
}

/// A report that waits.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BlossomReport")]
struct WaitingReport {
    number: u64,
    sha256: BlobHash,
    reporter: String,
    /// As NIP-56 has it: `spam`, `malware`, ...
    kind: String,
    content: String,
    /// In seconds since 1970.
    received: u64,
}

/// A decision.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BlossomDecision")]
struct WrittenDecision {
    number: u64,
    /// In seconds since 1970.
    decided: u64,
    /// A key as hex, or a service's name.
    by: String,
    action: String,
    /// A hash or a key, as hex.
    subject: String,
    reason: String,
}

/// What becomes of a report.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BlossomReportOutcome")]
struct Outcome {
    outcome: OutcomeKind,
    /// Why, in one line that names nobody.
    reason: String,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "BlossomReportOutcomeKind")]
enum OutcomeKind {
    /// The blob stays.
    Dismiss,
    /// The blob is removed and banned, and all its reports are done with.
    Remove,
}

pub(super) fn declare(api: &mut Api) {
    api.route(Method::GET, "/admin/blobs", blobs)
        .summary("All blobs, in the order of their hashes")
        .takes(described)
        .answers::<PageOf<StoredBlob>>(200);
    api.route(Method::GET, "/admin/bans", bans)
        .summary("Bans of hashes and keys")
        .takes(described)
        .answers::<PageOf<ListedBan>>(200);
    api.route(Method::GET, "/admin/reports", reports)
        .summary("Reports that wait for review")
        .takes(described)
        .answers::<PageOf<WaitingReport>>(200);
    api.route(Method::POST, "/admin/reports/{number:[0-9]{1,18}}", resolve)
        .summary("Say what becomes of a report")
        .takes(|inputs| {
            inputs.either(|it| it.nip98(), |it| it.service_token());
            inputs.body::<Outcome>();
        })
        .answers_with(200, "application/json")
        .fails(404, "No such report waits.");
    api.route(Method::GET, "/admin/decisions", decisions)
        .summary("What was decided, newest first")
        .takes(described)
        .answers::<PageOf<WrittenDecision>>(200);
}

fn described(inputs: &mut trellis_relay::extension::http::Inputs<'_>) {
    use trellis_relay::extension::http::Describe as _;
    Caller::describe(inputs);
    Page::<100, 1000>::describe(inputs);
}

/// The page that is asked for, by somebody who may.
async fn page(me: &BlossomPolicy, request: &HttpRequest) -> Result<Page<100, 1000>, Refusal> {
    operator(me, request).await?;
    Ok(Page::extract(request).await?)
}

async fn blobs(request: HttpRequest, me: Current<BlossomPolicy>) -> Result<HttpResponse, Refusal> {
    let page = page(&me, &request).await?;
    let after = page.after().map(hash_of).transpose()?;
    let rows = me.holdings.index().blobs(after, page.fetch()).await?;
    let rows = page.of(rows, |blob| *blob.sha256.as_bytes());
    Ok(answer(rows, stored))
}

async fn bans(request: HttpRequest, me: Current<BlossomPolicy>) -> Result<HttpResponse, Refusal> {
    let page = page(&me, &request).await?;
    let after = page.after().map(banned_of).transpose()?;
    let rows = me.holdings.index().bans(after, page.fetch()).await?;
    let rows = page.of(rows, |ban| place_of(&ban.banned));
    Ok(answer(rows, |ban| {
        let (sha256, pubkey) = match ban.banned {
            Banned::Hash(hash) => (Some(hash), None),
            Banned::Pubkey(pubkey) => (None, Some(pubkey.to_hex())),
        };
        ListedBan {
            sha256,
            pubkey,
            reason: ban.reason,
            since: ban.banned_ms / 1_000,
        }
    }))
}

async fn reports(
    request: HttpRequest,
    me: Current<BlossomPolicy>,
) -> Result<HttpResponse, Refusal> {
    let page = page(&me, &request).await?;
    let after = page.after_as()?.unwrap_or(0_u64);
    let index = me.holdings.index();
    let rows = index.reports(true, after, page.fetch()).await?;
    let rows = page.of(rows, |report| report.number.to_string());
    Ok(answer(rows, waiting))
}

async fn decisions(
    request: HttpRequest,
    me: Current<BlossomPolicy>,
) -> Result<HttpResponse, Refusal> {
    let page = page(&me, &request).await?;
    let before = page.after_as::<u64>()?;
    let rows = me.holdings.index().decisions(before, page.fetch()).await?;
    let rows = page.of(rows, |decision| decision.number.to_string());
    Ok(answer(rows, written))
}

async fn resolve(
    request: HttpRequest,
    payload: web::Payload,
    me: Current<BlossomPolicy>,
) -> Result<HttpResponse, Refusal> {
    let (by, wanted) = operator_with::<Outcome>(&me, &request, payload).await?;
    let number = request.match_info().get("number").unwrap_or_default();
    let number: u64 = number
        .parse()
        .map_err(|_| Refusal::bad_request("a report has a number"))?;
    let index = me.holdings.index();
    let found = index.reports(true, number.saturating_sub(1), 1).await?;
    let report = found.into_iter().find(|report| report.number == number);
    let Some(Report { report, .. }) = report else {
        return Err(Refusal::Nothing("no report with this number waits"));
    };
    let subject = Subject::Blob(report.sha256);
    match wanted.outcome {
        OutcomeKind::Dismiss => {
            let reason = administration::checked(&wanted.reason)?;
            let now_ms = me.host.clock().now_ms();
            let decision = subject.decision(now_ms, &by, "dismiss", &reason);
            let index = index.clone();
            let dismiss = async move {
                if index.resolve_report(number, "dismissed").await? {
                    administration::write_down(&index, &decision).await?;
                }
                Ok(())
            };
            to_its_end(dismiss).await?;
        }
        OutcomeKind::Remove => {
            for action in [Action::Ban, Action::Remove] {
                let done = administration::carry_out(&me, &by, action, subject, &wanted.reason);
                match done.await {
                    // Its owners may have given it up since.
                    Ok(_) | Err(Refusal::NoBlob) => {}
                    Err(refusal) => return Err(refusal),
                }
            }
            index.resolve_reports_of(&report.sha256, "removed").await?;
        }
    }
    Ok(HttpResponse::Ok().json(json!({ "changed": true })))
}

fn answer<R, T: Serialize>(rows: PageOf<R>, tell: impl FnMut(R) -> T) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("cache-control", "no-store"))
        .json(PageOf {
            items: rows.items.into_iter().map(tell).collect(),
            next: rows.next,
        })
}

fn stored(blob: Blob) -> StoredBlob {
    StoredBlob {
        sha256: blob.sha256,
        size: blob.size_bytes,
        mime_type: blob.mime_type,
        uploaded: blob.uploaded_ms / 1_000,
        encrypted: blob.is_encrypted,
        quarantined_for: blob.quarantined_for,
        banned_for: blob.banned_for,
    }
}

fn waiting(report: Report) -> WaitingReport {
    let Report { number, report, .. } = report;
    WaitingReport {
        number,
        sha256: report.sha256,
        reporter: report.reporter.to_hex(),
        kind: report.kind,
        content: report.content,
        received: report.received_ms / 1_000,
    }
}

fn written(decision: Decision) -> WrittenDecision {
    let Decision { number, decision } = decision;
    WrittenDecision {
        number,
        decided: decision.decided_ms / 1_000,
        by: decision.decided_by,
        action: decision.action,
        subject: decision.subject,
        reason: decision.reason,
    }
}

fn hash_of(place: &[u8]) -> Result<BlobHash, Refusal> {
    let bytes = place.try_into().map_err(|_| no_cursor())?;
    Ok(BlobHash::from_bytes(bytes))
}

/// Hashes come before keys.
fn place_of(banned: &Banned) -> Vec<u8> {
    match banned {
        Banned::Hash(hash) => [&[0], hash.as_bytes().as_slice()].concat(),
        Banned::Pubkey(pubkey) => [&[1], pubkey.as_bytes().as_slice()].concat(),
    }
}

fn banned_of(place: &[u8]) -> Result<Banned, Refusal> {
    match place {
        [0, hash @ ..] => hash_of(hash).map(Banned::Hash),
        [1, key @ ..] => {
            let key = PublicKey::from_slice(key).map_err(|_| no_cursor())?;
            Ok(Banned::Pubkey(key))
        }
        _ => Err(no_cursor()),
    }
}

fn no_cursor() -> Refusal {
    Refusal::bad_request("cursor must be the `next` of a page before; leave it out to begin anew")
}
