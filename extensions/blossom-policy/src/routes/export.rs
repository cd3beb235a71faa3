//! `GET /export`: whoever has uploaded blobs takes them along, as one archive, once the operator has said `mode = "export"`.
//!
//! Invariant: an address has one archive at a time, and all together a few, since each reads all that somebody has. Whoever
//! takes nothing for a while loses the place.

use crate::BlossomPolicy;
use crate::archive::{self, Archive, Part};
use crate::auth::{self, Verb};
use crate::config::ServingMode;
use crate::rates;
use crate::refusal::Refusal;
use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use std::time::Duration;
use tokio::sync::mpsc;
use trellis_relay::extension::prelude::*;

/// Parts of an archive that wait for a slow reader.
const PARTS_WAITING: usize = 4;
/// For how long a reader may take nothing.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn declare(api: &mut Api) {
    api.route(Method::GET, "/export", export)
        .summary("All that a key has uploaded, as one tar")
        .description("Signed by that key, with a token whose `t` is `list`, or by NIP-98. Open while the operator says so.")
        .answers_with(200, "application/x-tar")
        .fails(401, "A token is missing or not good for this.")
        .fails(404, "This server is not in the mode `export`.");
}

async fn export(request: HttpRequest, me: Current<BlossomPolicy>) -> Result<HttpResponse, Refusal> {
    if me.config().mode != ServingMode::Export {
        return Err(Refusal::Off);
    }
    let signer = auth::signer(&me, &request, Verb::List)?;
    let place = me.exports.take(&rates::address(&request)?)?;
    let (writer, reader) = mpsc::channel::<Part>(PARTS_WAITING);
    let archive = Archive {
        holdings: me.holdings.clone(),
        lists: me.block_lists.clone(),
        owner: signer.pubkey,
        patience: PATIENCE,
    };
    me.host.spawn(async move {
        // The place is the writer's: an answer that nobody reads is not dropped.
        let _place = place;
        archive.write(writer).await;
    });
    Ok(HttpResponse::Ok()
        .insert_header(("content-type", "application/x-tar"))
        .insert_header(("content-disposition", "attachment; filename=\"blobs.tar\""))
        .insert_header(("cache-control", "no-store"))
        .streaming(archive::read(reader)))
}
