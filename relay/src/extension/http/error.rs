//! What a handler answers where it cannot do what it was asked for: JSON `{error, code}`, as all errors over HTTP are.
//!
//! Invariant: what went wrong inside goes to the log, with the extension's name, and never to the client.

use super::answer;
use crate::nips::nip98::Nip98Error;
use crate::reason::{Prefix, Reason};
use crate::store::StoreError;
use actix_web::http::header::HeaderValue;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// An error of a route: a status, and one sentence for whoever asked.
///
/// ```
/// use actix_web::web::{Json, Path};
/// use trellis_relay::extension::prelude::*;
/// async fn row(me: Current<Notes>, name: Path<String>) -> Result<Json<String>, ApiError> {
///     if name.len() > 64 {
///         return Err(ApiError::bad_request("a name has at most 64 characters"));
///     }
///     let row = me.host.kv_get(name.as_bytes()).await?;
///     let row = row.ok_or_else(|| ApiError::not_found("there is no such note"))?;
///     Ok(Json(String::from_utf8(row).map_err(ApiError::internal)?))
/// }
/// # struct Notes { host: Host }
/// # #[derive(Deserialize, JsonSchema)]
/// # #[serde(deny_unknown_fields)]
/// # struct Nothing {}
/// # impl Extension for Notes {
/// #     const NAME: &'static str = "notes";
/// #     type Config = Nothing;
/// #     async fn build(_: Nothing, host: Host) -> Result<Self, BuildError> { Ok(Notes { host }) }
/// #     fn register(&self, hooks: &mut Registrar<Self>) {
/// #         hooks.api(Mount::prefix("/notes"), |api| { api.get("/{name}", row); });
/// #     }
/// # }
/// ```
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    text: Cow<'static, str>,
    retry_after_s: Option<u64>,
    challenge: Option<&'static str>,
    source: Option<Box<dyn Error + Send + Sync>>,
    /// Boxed, since errors are passed on by value.
    nip98: Option<Box<Nip98Error>>,
}

impl ApiError {
    /// Any status that is an error.
    pub fn new(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        ApiError {
            status,
            text: text.into(),
            retry_after_s: None,
            challenge: None,
            source: None,
            nip98: None,
        }
    }

    /// 400: what the client sent is wrong; say what would be right.
    pub fn bad_request(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// 401: the client must say who it is. `scheme` goes into `WWW-Authenticate`: `Nostr`, `Bearer`, ...
    pub fn unauthorized(scheme: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        ApiError {
            challenge: Some(scheme),
            ..Self::new(StatusCode::UNAUTHORIZED, text)
        }
    }

    /// 403: known or not, this client may not.
    pub fn forbidden(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, text)
    }

    /// 404
    pub fn not_found(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    /// 409: it does not fit what is there.
    pub fn conflict(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, text)
    }

    /// 413, with how much it may be.
    pub fn too_large(max_bytes: usize) -> Self {
        let text = format!("the body is too large: at most {max_bytes} bytes are allowed");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    }

    /// 429, with `Retry-After`.
    pub fn too_many(retry_after: Duration) -> Self {
        let text = "too many requests; try again later";
        ApiError {
            retry_after_s: Some(retry_after.as_millis().div_ceil(1_000).max(1) as u64),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, text)
        }
    }

    /// 503: not now; trying again may help.
    pub fn unavailable(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
    }

    /// 500. The cause is logged; the client learns nothing of it.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        ApiError {
            source: Some(cause.into()),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, UNABLE)
        }
    }

    /// What it is answered with.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong with the signature (NIP-98), where that is what this is about: for a handler that takes
    /// `Result<Nip98Bytes, ApiError>` and words its own errors.
    pub fn into_nip98(self) -> Option<Nip98Error> {
        self.nip98.map(|error| *error)
    }

    /// What went wrong inside, for the log.
    pub(super) fn cause(&self) -> Option<&(dyn Error + Send + Sync)> {
        self.source.as_deref()
    }
}

/// All that clients hear of what fails inside.
pub(super) const UNABLE: &str = "the relay could not do this now; try again later";

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = answer::error(self.status, &self.text);
        if let Some(seconds) = self.retry_after_s {
            let seconds = HeaderValue::from(seconds);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        if let Some(scheme) = self.challenge {
            let scheme = HeaderValue::from_static(scheme);
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// The reasons that clients hear over a WebSocket, with the status that says the same.
impl From<Reason> for ApiError {
    fn from(reason: Reason) -> Self {
        let status = match reason.prefix {
            Prefix::Invalid | Prefix::Pow | Prefix::Unsupported => StatusCode::BAD_REQUEST,
            Prefix::AuthRequired => return Self::unauthorized("Nostr", reason.text),
            Prefix::Restricted | Prefix::Blocked => StatusCode::FORBIDDEN,
            Prefix::Duplicate | Prefix::Closed => StatusCode::CONFLICT,
            Prefix::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Prefix::Error => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, reason.text)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let (status, text) = match &error {
            StoreError::Full(_) => (
                StatusCode::INSUFFICIENT_STORAGE,
                "the relay's store is full",
            ),
            StoreError::Unavailable(_) | StoreError::Stopped => {
                (StatusCode::SERVICE_UNAVAILABLE, UNABLE)
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, UNABLE),
        };
        ApiError {
            source: Some(error.into()),
            ..Self::new(status, text)
        }
    }
}

impl From<Nip98Error> for ApiError {
    fn from(error: Nip98Error) -> Self {
        let text = error.to_string();
        let answer = match &error {
            Nip98Error::Banned => Self::forbidden(text),
            Nip98Error::Busy => ApiError {
                retry_after_s: Some(60),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, text)
            },
            _ => Self::unauthorized("Nostr", text),
        };
        ApiError {
            nip98: Some(Box::new(error)),
            ..answer
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn e11_what_failed_inside_is_not_told() {
        let secret = "postgresql://user:pass@host";
        for error in [
            ApiError::internal(secret),
            StoreError::Unavailable(secret.to_owned()).into(),
            StoreError::Corrupt(secret.to_owned()).into(),
            StoreError::Full(secret.to_owned()).into(),
        ] {
            assert!(!error.to_string().contains("postgresql"), "{error}");
            assert!(error.cause().unwrap().to_string().contains(secret));
            assert!(error.status().is_server_error());
        }
    }

    #[test]
    fn e11_errors_have_the_headers_of_their_status() {
        let header = |error: ApiError, name| {
            let response = error.error_response();
            let value = response.headers().get(name);
            value.map(|value| value.to_str().unwrap().to_owned())
        };
        let late = ApiError::too_many(Duration::from_millis(1_001));
        assert_eq!(header(late, header::RETRY_AFTER).as_deref(), Some("2"));
        let busy = ApiError::from(Nip98Error::Busy);
        assert_eq!(header(busy, header::RETRY_AFTER).as_deref(), Some("60"));
        let unsigned = ApiError::from(Reason::auth_required("log in"));
        let challenge = header(unsigned, header::WWW_AUTHENTICATE);
        assert_eq!(challenge.as_deref(), Some("Nostr"));
    }
}
