//! `GET /list`: what is stored altogether, for whoever looks whether the server does its work.

use crate::BlossomPolicy;
use crate::refusal::Refusal;
use crate::standing;
use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use trellis_relay::extension::prelude::*;

/// What is stored. Whose it is nobody is told.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[schemars(rename = "BlossomTotals")]
struct Totals {
    blobs: u64,
    bytes: u64,
}

pub(super) fn declare(api: &mut Api) {
    api.route(Method::GET, "/list", totals)
        .summary("What is stored altogether")
        .answers::<Totals>(200);
}

async fn totals(request: HttpRequest, me: Current<BlossomPolicy>) -> Result<HttpResponse, Refusal> {
    me.rates.take_request(&request)?;
    let totals = standing::totals(&me).await;
    Ok(HttpResponse::Ok().json(Totals {
        blobs: totals.blobs.saturating_sub(totals.quarantined),
        bytes: totals.bytes,
    }))
}
