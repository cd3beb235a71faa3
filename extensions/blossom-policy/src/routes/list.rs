//! `GET /list/<pubkey>` (BUD-12): what a key has uploaded, newest first.
//!
//! Invariant: for that key and the admins alone, unless the operator opens it to all.

use crate::BlossomPolicy;
use crate::auth::{self, Verb};
use crate::blob::{BlobHash, Descriptor};
use crate::config::ListBy;
use crate::index::ListPage;
use crate::intake::descriptor;
use crate::refusal::Refusal;
use crate::showing;
use actix_web::http::Method;
use actix_web::web::Query;
use actix_web::{HttpRequest, HttpResponse};
use trellis_relay::extension::prelude::*;

/// Blobs on a page, unless fewer are asked for.
const PAGE_MAX: usize = 1_000;
const PAGE: usize = 100;

/// The query, as text: what is wrong with it is told by this route.
#[derive(Deserialize, JsonSchema)]
struct Asked {
    /// The sha256 of the last blob of the page before, which must not have been deleted since.
    cursor: Option<String>,
    /// Blobs on the page: 1 to 1000. Default: 100.
    limit: Option<String>,
    /// Uploaded then or later, in seconds since 1970.
    since: Option<String>,
    /// Uploaded then or before, in seconds since 1970.
    until: Option<String>,
}

pub(super) fn declare(api: &mut Api) {
    api.route(Method::GET, "/list/{pubkey}", list)
        .summary("What a key has uploaded, newest first")
        .description("Signed by that key, with a token whose `t` is `list`, or by NIP-98.")
        .takes(|inputs| inputs.query::<Asked>())
        .answers::<Vec<Descriptor>>(200)
        .fails(401, "A token is missing or not good for this.")
        .fails(403, "The list is somebody else's.");
}

async fn list(request: HttpRequest, me: Current<BlossomPolicy>) -> Result<HttpResponse, Refusal> {
    let owner = request.match_info().get("pubkey").unwrap_or_default();
    let owner = PublicKey::from_hex(owner)
        .map_err(|_| Refusal::bad_request("a list is of a public key: 64 hex digits"))?;
    let config = me.config();
    if config.list_by == ListBy::Owner {
        let signer = auth::signer(&me, &request, Verb::List)?;
        if signer.pubkey != owner && !config.admins.contains(&signer.pubkey) {
            return Err(Refusal::forbidden("this list is for its owner alone"));
        }
    } else {
        me.rates.take_request(&request)?;
    }
    let (mut page, cursor) = page(&request)?;
    if let Some(cursor) = cursor {
        let claimed_ms = me.holdings.index().claimed_ms(&owner, &cursor).await?;
        let claimed_ms = claimed_ms.ok_or_else(|| {
            Refusal::bad_request(
                "cursor must be the sha256 of a blob of this list; begin anew without it where that was deleted",
            )
        })?;
        page.after = Some((claimed_ms, cursor));
    }
    let listed = showing::list(&me.holdings, &me.block_lists, &owner, &page).await?;
    let told: Vec<Descriptor> = listed
        .iter()
        .map(|it| descriptor(&request, &it.blob, it.claimed_ms))
        .collect();
    Ok(HttpResponse::Ok()
        .insert_header(("cache-control", "no-store"))
        .json(told))
}

/// The page that is asked for, and the blob that it begins behind.
fn page(request: &HttpRequest) -> Result<(ListPage, Option<BlobHash>), Refusal> {
    let asked = Query::<Asked>::from_query(request.query_string());
    let Query(asked) = asked
        .map_err(|error| Refusal::bad_request(format!("the query cannot be read: {error}")))?;
    let cursor = asked.cursor.as_deref().map(|cursor| {
        cursor.parse::<BlobHash>().map_err(|_| {
            Refusal::bad_request("cursor must be the sha256 of the last blob of the page before")
        })
    });
    let max = match asked.limit.as_deref().map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(limit)) if limit > 0 => limit.min(PAGE_MAX),
        Some(_) => {
            return Err(Refusal::bad_request(format!(
                "limit must be a number from 1 to {PAGE_MAX}"
            )));
        }
    };
    let page = ListPage {
        after: None,
        since_ms: time_ms("since", asked.since.as_deref())?,
        // To the end of that second.
        until_ms: time_ms("until", asked.until.as_deref())?.map(|it| it.saturating_add(999)),
        max,
    };
    Ok((page, cursor.transpose()?))
}

fn time_ms(name: &str, found: Option<&str>) -> Result<Option<u64>, Refusal> {
    let seconds = found.map(str::parse::<u64>).transpose();
    let seconds =
        seconds.map_err(|_| Refusal::bad_request(format!("{name} must be seconds since 1970")))?;
    Ok(seconds.map(|it| it.saturating_mul(1_000)))
}
