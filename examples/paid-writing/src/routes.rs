//! What the service that takes the money says: who has paid, and until when.

use crate::PaidWriting;
use actix_web::HttpResponse;
use actix_web::web::{Json, Path};
use trellis_relay::extension::prelude::*;

pub(crate) fn declare(api: &mut Api) {
    api.about("Who may publish, for the service that takes the money.");
    api.put("/{pubkey}", note)
        .summary("Note until when somebody has paid; a time that has passed ends it")
        .answers_nothing(204);
}

/// What was paid for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Paid {
    /// Seconds since 1970.
    until: u64,
}

async fn note(
    me: Current<PaidWriting>,
    _service: ServiceToken,
    pubkey: Path<String>,
    paid: Json<Paid>,
) -> Result<HttpResponse, ApiError> {
    let pubkey: Pubkey = pubkey.parse().map_err(ApiError::bad_request)?;
    me.note(*pubkey.key(), paid.until).await?;
    Ok(HttpResponse::NoContent().finish())
}
