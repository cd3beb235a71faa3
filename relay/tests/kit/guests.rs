//! The extension under test: admins invite guests over HTTP, guests publish, and every note is counted for good.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use trellis_relay::extension::prelude::*;

pub(crate) struct Guests {
    config: Config,
    host: Host,
    invited: Mutex<HashSet<PublicKey>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Who may invite.
    admins: Pubkeys,
    /// What everybody else is told.
    #[serde(default = "words")]
    message: String,
    /// Notes of one guest in a minute.
    #[serde(default = "ten")]
    per_minute: u32,
}

fn words() -> String {
    "ask for an invitation".to_owned()
}

fn ten() -> u32 {
    10
}

const COUNT: &[u8] = b"count";

impl Extension for Guests {
    const NAME: &'static str = "guests";
    type Config = Config;

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        let rows = host.kv_scan(b"guest/", None, 1_000).await;
        let rows = rows.map_err(|error| BuildError(error.to_string()))?;
        let invited = rows
            .iter()
            .filter_map(|(key, _)| PublicKey::from_slice(key.strip_prefix(b"guest/")?).ok())
            .collect();
        Ok(Guests {
            config,
            host,
            invited: Mutex::new(invited),
        })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        let limiter = self
            .host
            .rate_limiter(self.config.per_minute, Duration::from_secs(60));
        hooks
            .admit(1, move |me, event, _viewer| {
                let is_admin = me.config.admins.contains(event.pubkey());
                if !is_admin && !me.invited().contains(event.pubkey()) {
                    return Ok(Reason::blocked(me.config.message.clone()).into());
                }
                match is_admin || limiter.try_take(&event.pubkey().to_hex()).is_ok() {
                    true => Ok(Admit::Accept),
                    false => Ok(Reason::rate_limited("that is enough for now").into()),
                }
            })
            .deliver(4, |_me, event, viewer| {
                let to = event.first_tag_value("p");
                let to = to.and_then(|to| PublicKey::from_hex(&to).ok());
                Ok(to.is_some_and(|to| viewer.is(&to)))
            })
            .stored(1, StartAt::Beginning, async |me, page| {
                let notes = page.iter().filter(|it| matches!(it, Change::Stored(_)));
                let so_far = me.count().await?;
                let count = so_far + notes.count() as u64;
                let value = Some(count.to_be_bytes().to_vec());
                me.host.kv_put(COUNT, value).await?;
                Ok(())
            })
            .http(Mount::prefix("/api/guests"), |config| {
                config
                    .route("", web::post().to(invite))
                    .route("", web::get().to(list));
            });
    }
}

impl Guests {
    fn invited(&self) -> MutexGuard<'_, HashSet<PublicKey>> {
        self.invited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn count(&self) -> Result<u64, HookError> {
        let row = self.host.kv_get(COUNT).await?;
        let bytes = row.and_then(|row| row.try_into().ok());
        Ok(bytes.map_or(0, u64::from_be_bytes))
    }
}

/// The body is a public key in hex.
async fn invite(request: HttpRequest, body: web::Bytes, me: Current<Guests>) -> HttpResponse {
    let header = request.headers().get("authorization");
    let header = header.and_then(|it| it.to_str().ok()).unwrap_or_default();
    let host = request
        .headers()
        .get("host")
        .and_then(|it| it.to_str().ok());
    let url = format!("http://{}{}", host.unwrap_or_default(), request.uri());
    let refused = |code, words: String| HttpResponse::build(code).json(json!({"error": words}));
    let signer = me.host.check_nip98(header, "POST", &url, Some(&body));
    match signer {
        Ok(signer) if me.config.admins.contains(&signer) => {}
        Ok(_) => return refused(actix_web::http::StatusCode::FORBIDDEN, "admins only".into()),
        Err(error) => {
            return refused(actix_web::http::StatusCode::UNAUTHORIZED, error.to_string());
        }
    }
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let Ok(guest) = PublicKey::from_hex(text) else {
        return refused(actix_web::http::StatusCode::BAD_REQUEST, "no key".into());
    };
    let key = [b"guest/", guest.as_bytes().as_slice()].concat();
    if me.host.kv_put(&key, Some(Vec::new())).await.is_err() {
        return refused(
            actix_web::http::StatusCode::SERVICE_UNAVAILABLE,
            "try again later".into(),
        );
    }
    me.invited().insert(guest);
    me.host
        .metrics()
        .counter("guests_invited_total")
        .increment(1);
    HttpResponse::Created().json(json!({"invited": guest.to_hex()}))
}

async fn list(me: Current<Guests>) -> HttpResponse {
    let Ok(notes) = me.count().await else {
        return HttpResponse::ServiceUnavailable().finish();
    };
    let guests = me.invited().len();
    HttpResponse::Ok().json(json!({"guests": guests, "notes": notes}))
}
