//! HTTP routes. They describe themselves in `/openapi.json`.

use crate::{NewExtension, count_key, read_count};
use actix_web::web::{Json, Path};
use trellis_relay::extension::prelude::*;

/// The instance in force.
type Me = Current<NewExtension>;

pub(crate) fn declare(api: &mut Api) {
    api.about("How many notes people have published.");
    api.get("/notes/{author}", notes)
        .summary("Of one author, by public key as hex")
        .answers::<Notes>(200);
}

/// What somebody has published.
#[derive(Debug, Serialize, JsonSchema)]
struct Notes {
    /// How many notes.
    count: u64,
}

async fn notes(me: Me, author: Path<String>) -> Result<Json<Notes>, ApiError> {
    let author = PublicKey::from_hex(&author);
    let author = author.map_err(|_| ApiError::bad_request("a public key has 64 hex digits"))?;
    let row = me.host.kv_get(&count_key(&author)).await?;
    let count = read_count(row);
    Ok(Json(Notes { count }))
}
