//! Routes of the probe that describe themselves: one for each thing that routes share, under `/probe/api`.

use crate::Probe;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Json, Path, Query};
use actix_web::{HttpResponse, Responder};
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};
use trellis_relay::extension::prelude::*;

/// Bodies of one route may have so many bytes, those of the others so many.
const SHORT_BYTES: usize = 100;
const BODY_BYTES: usize = 10_000;

/// A note in a request.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Note {
    /// What it says.
    text: String,
    /// Notes below it.
    #[serde(default)]
    answers: Vec<Note>,
}

/// What of an item is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
struct Wanted {
    /// How often it shall be repeated.
    times: u8,
    /// What stands before it.
    before: Option<String>,
}

impl Probe {
    pub(crate) fn register_api(&self, hooks: &mut Registrar<Self>) {
        hooks.api(Mount::prefix("/probe/api"), |api| {
            api.about("What the extractors of `trellis_relay` tell a handler.")
                .service_tokens(&self.service_tokens)
                .max_body_bytes(BODY_BYTES);
            api.get("/whoami", async |signer: Nip98| signer.pubkey.to_hex())
                .summary("Who signed the request")
                .answers_with(200, "text/plain");
            api.post("/notes", note)
                .summary("Takes a signed note")
                .answers::<Note>(201)
                .fails(409, "The note is `twice`.");
            api.post("/bytes", async |it: Nip98Bytes| it.body.len().to_string())
                .answers_with(200, "text/plain");
            api.put("/stream", stream).answers_with(200, "text/plain");
            api.get("/service", async |service: ServiceToken| service.name)
                .summary("Which service asks")
                .answers_with(200, "text/plain");
            api.get(
                "/both",
                async |_signer: Nip98, _service: ServiceToken| "both",
            );
            api.get("/caller", async |caller: Caller| named(&caller))
                .summary("Who asks, with a key or with a token")
                .answers_with(200, "text/plain");
            api.post("/caller", async |it: CallerJson<Note>| {
                format!("{}: {}", named(&it.caller), it.body.text)
            })
            .answers_with(200, "text/plain");
            api.get("/numbers", numbers)
                .summary("The numbers up to 25")
                .answers::<PageOf<u64>>(200);
            api.get("/ip", async |ip: ClientIp| ip.to_string())
                .answers_with(200, "text/plain");
            api.get("/limited", limited).answers_with(200, "text/plain");
            api.post("/short", async |note: Json<Note>| note)
                .max_body_bytes(SHORT_BYTES)
                .answers::<Note>(200);
            api.post("/webhook", async |body: Bytes| body)
                .answers_with(200, "application/octet-stream");
            api.get("/items/{id}", item)
                .summary("An item")
                .answers_with(200, "text/plain");
            api.get("/items/first", async || "the first")
                .answers_with(200, "text/plain");
            api.delete("/items/{id}", async |_id: Path<u32>| {
                HttpResponse::NoContent().finish()
            })
            .answers_nothing(204);
            api.get("/fail", async || -> Result<&'static str, ApiError> {
                Err(ApiError::internal("a secret of the database"))
            });
            api.get("/panic", async || -> HttpResponse { panic!("as asked") });
        });
        for mount in &self.mounts {
            let place = match mount.strip_prefix("//") {
                Some(host) => Mount::host(host.trim_end_matches('/')),
                None if mount == "/" => Mount::root(),
                None => Mount::prefix(mount),
            };
            let (answer, at_all) = (mount.clone(), self.any_origin || mount.starts_with("//"));
            let known_as = self.known_as.clone();
            hooks.api(place, |api| {
                let where_am_i = move || std::future::ready(answer.clone());
                api.get("/where", where_am_i)
                    .summary("Which mount answers")
                    .answers_with(200, "text/plain");
                api.get("/signer", async |signer: Nip98| signer.pubkey.to_hex());
                if at_all {
                    api.any_origin();
                }
                if let Some(url) = known_as {
                    api.known_as(url);
                }
            });
        }
    }
}

fn named(caller: &Caller) -> String {
    match caller {
        Caller::Key(pubkey) => format!("key {}", pubkey.to_hex()),
        Caller::Service(name) => format!("service {name}"),
    }
}

async fn note(note: Nip98Json<Note>) -> Result<impl Responder, ApiError> {
    match note.body.text.as_str() {
        "twice" => Err(ApiError::conflict("it is there already")),
        "blocked" => Err(Reason::blocked("not this one").into()),
        _ => Ok((Json(note.body), StatusCode::CREATED)),
    }
}

/// Reads what comes bit by bit: how much it was, if it was what was signed for.
async fn stream(mut it: Nip98Stream) -> Result<String, ApiError> {
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    while let Some(chunk) = it.body.next().await {
        let chunk = chunk.map_err(|_| ApiError::bad_request("the body broke off"))?;
        bytes += chunk.len();
        hash.update(&chunk);
    }
    it.covers(&hash.finalize().into())?;
    Ok(bytes.to_string())
}

async fn numbers(page: Page<10, 20>) -> Result<Json<PageOf<u64>>, ApiError> {
    let after: u64 = page.after_as()?.unwrap_or(0);
    let found = (after + 1..=25).take(page.fetch()).collect();
    Ok(Json(page.of(found, u64::to_string)))
}

async fn limited(me: Current<Probe>, ip: ClientIp) -> Result<&'static str, ApiError> {
    me.limiter.check_http(&ip.rate_key())?;
    Ok("once more")
}

async fn item(id: Path<u32>, wanted: Query<Wanted>) -> String {
    let before = wanted.before.clone().unwrap_or_default();
    format!("{before}{id}").repeat(wanted.times.into())
}
