//! All that a client can be refused with: one list, and one function that says the status and the headers.
//!
//! Invariant: what is told has the form of all errors over HTTP, JSON `{"error", "code"}`, and the same sentence in
//! `X-Reason` (BUD-01), since HEAD has no body. What failed inside goes to the log and is never told; neither says who asked
//! for which blob.

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CONTENT_RANGE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;
use std::borrow::Cow;
use std::time::Duration;
use trellis_relay::extension::prelude::*;

const REASON: HeaderName = HeaderName::from_static("x-reason");
/// A reason in a header has so many characters at most.
const REASON_CHARS_MAX: usize = 300;
/// A quota is freed by nothing but deleting: asking again sooner makes no sense.
const QUOTA_RETRY_S: u64 = 3600;

type Text = Cow<'static, str>;

/// Why a client does not get what it asked for. Texts are for people and say what would be right.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// 400: what was sent cannot be read.
    #[error("{0}")]
    BadRequest(Text),
    /// 401: there is no `Authorization` header.
    #[error(
        "sign this request: the Authorization header must be Nostr, a space, and a base64url event of kind 24242 (BUD-11)"
    )]
    Unsigned,
    /// 401: a token (BUD-11) that is not good for this.
    #[error("{0}")]
    Token(Text),
    /// 403: a signature (NIP-98) that is not good for this.
    #[error("{0}")]
    Signature(Text),
    /// 402, with what there is to pay, by the header's name.
    #[error("{text}")]
    Payment {
        text: Text,
        /// `X-Cashu`, `X-Lightning` and others, with what they say.
        offers: Vec<(HeaderName, HeaderValue)>,
    },
    /// 403: the operator's rules do not allow it.
    #[error("{0}")]
    Forbidden(Text),
    /// 403: the hash is on a list of what is not stored. Which one is nobody's business.
    #[error("this blob is not stored here")]
    Blocked,
    /// 404
    #[error("there is no such blob")]
    NoBlob,
    /// 404: the index knows it, and the storage does not have it. That is the operator's business alone.
    #[error("there is no such blob")]
    Lost,
    /// 404: something else that is not there.
    #[error("{0}")]
    Nothing(&'static str),
    /// 404: the route is switched off.
    #[error("this server does not offer this")]
    Off,
    /// 408: the body stands still.
    #[error("the body did not come in time")]
    Late,
    /// 409: other bytes than were announced.
    #[error("{0}")]
    OtherHash(Text),
    /// 411: of an upload, or of what `HEAD /upload` asks about.
    #[error("{0} is needed: the size in bytes")]
    NoLength(&'static str),
    /// 413
    #[error("the blob is too large: at most {max_bytes} bytes are stored")]
    TooLarge { max_bytes: u64 },
    /// 415
    #[error("{0}")]
    Type(Text),
    /// 416, with how long the blob is.
    #[error("the range is outside of the blob, which has {size_bytes} bytes")]
    Range { size_bytes: u64 },
    /// 422: right as it is, but it cannot be worked on.
    #[error("{0}")]
    Unprocessable(Text),
    /// 429, with when to ask again.
    #[error("too many requests; try again in {} s", seconds(.0))]
    TooMany(Duration),
    /// 429: the key has used up what it may store.
    #[error("{0}")]
    Quota(Text),
    /// 451: what was here is blocked.
    #[error("this blob may not be shown")]
    Unlawful,
    /// 502: the server that it should come from.
    #[error("{0}")]
    Origin(Text),
    /// 503, with when to ask again.
    #[error("{text}")]
    Unavailable { text: Text, retry_after_s: u64 },
    /// 503: so many reports wait that no more are taken before an operator has looked at some.
    #[error("as many reports as may be wait for review; send yours again later")]
    ReportsFull,
    /// 507: nobody can store anything.
    #[error("this server is full")]
    Full,
    /// 500. The cause is for the log.
    #[error("this could not be done; try again later")]
    Inside(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Refusal {
    /// 500 with a cause that goes to the log.
    pub(crate) fn inside(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Refusal::Inside(cause.into())
    }

    /// 400 with what is wrong.
    pub(crate) fn bad_request(text: impl Into<Text>) -> Self {
        Refusal::BadRequest(text.into())
    }

    /// 403 by the operator's rules.
    pub(crate) fn forbidden(text: impl Into<Text>) -> Self {
        Refusal::Forbidden(text.into())
    }

    /// 503 for a moment.
    pub(crate) fn busy(text: impl Into<Text>) -> Self {
        Refusal::Unavailable {
            text: text.into(),
            retry_after_s: 5,
        }
    }

    /// For the operator, who may know what failed inside.
    pub(crate) fn in_full(&self) -> String {
        match self {
            Refusal::Inside(cause) => format!("{self}: {cause}"),
            refusal => refusal.to_string(),
        }
    }

    /// The status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Refusal::BadRequest(_) => StatusCode::BAD_REQUEST,
            Refusal::Unsigned | Refusal::Token(_) => StatusCode::UNAUTHORIZED,
            Refusal::Payment { .. } => StatusCode::PAYMENT_REQUIRED,
            Refusal::Signature(_) | Refusal::Forbidden(_) | Refusal::Blocked => {
                StatusCode::FORBIDDEN
            }
            Refusal::NoBlob | Refusal::Lost | Refusal::Nothing(_) | Refusal::Off => {
                StatusCode::NOT_FOUND
            }
            Refusal::Late => StatusCode::REQUEST_TIMEOUT,
            Refusal::OtherHash(_) => StatusCode::CONFLICT,
            Refusal::NoLength(_) => StatusCode::LENGTH_REQUIRED,
            Refusal::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Type(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Range { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Refusal::Unprocessable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::TooMany(_) | Refusal::Quota(_) => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Unlawful => StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS,
            Refusal::Inside(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Refusal::Origin(_) => StatusCode::BAD_GATEWAY,
            Refusal::Unavailable { .. } | Refusal::ReportsFull => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Full => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    /// What metrics call it.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Refusal::BadRequest(_) | Refusal::NoLength(_) => "bad_request",
            Refusal::Unsigned | Refusal::Token(_) | Refusal::Signature(_) => "unauthorized",
            Refusal::Payment { .. } => "payment_required",
            Refusal::Forbidden(_) => "forbidden",
            Refusal::Blocked | Refusal::Unlawful => "blocked",
            Refusal::NoBlob | Refusal::Nothing(_) | Refusal::Off => "not_found",
            Refusal::Lost => "lost",
            Refusal::Late => "late",
            Refusal::OtherHash(_) => "other_hash",
            Refusal::TooLarge { .. } => "too_large",
            Refusal::Type(_) => "unsupported_type",
            Refusal::Range { .. } => "bad_range",
            Refusal::Unprocessable(_) => "unprocessable",
            Refusal::TooMany(_) => "rate_limited",
            Refusal::Quota(_) => "quota",
            Refusal::Origin(_) => "origin_failed",
            Refusal::Unavailable { .. } | Refusal::ReportsFull => "unavailable",
            Refusal::Full => "full",
            Refusal::Inside(_) => "failed",
        }
    }

    /// The headers that belong to the status.
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        match self {
            Refusal::Unsigned | Refusal::Token(_) => {
                vec![(WWW_AUTHENTICATE, HeaderValue::from_static("Nostr"))]
            }
            Refusal::Payment { offers, .. } => offers.clone(),
            Refusal::Range { size_bytes } => {
                HeaderValue::from_str(&format!("bytes */{size_bytes}"))
                    .map(|value| vec![(CONTENT_RANGE, value)])
                    .unwrap_or_default()
            }
            Refusal::TooMany(wait) => vec![(RETRY_AFTER, HeaderValue::from(seconds(wait)))],
            Refusal::Quota(_) | Refusal::ReportsFull => {
                vec![(RETRY_AFTER, HeaderValue::from(QUOTA_RETRY_S))]
            }
            Refusal::Unavailable { retry_after_s, .. } => {
                vec![(RETRY_AFTER, HeaderValue::from(*retry_after_s))]
            }
            _ => Vec::new(),
        }
    }
}

/// Whole seconds, at least one.
fn seconds(wait: &Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).max(1) as u64
}

/// Text as a header can have it: one line of visible ASCII.
fn reason(text: &str) -> HeaderValue {
    let fit = |char: char| match char {
        ' '..='~' => char,
        _ => '?',
    };
    let text: String = text.chars().take(REASON_CHARS_MAX).map(fit).collect();
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("refused"))
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        let text = self.to_string();
        let mut response = HttpResponse::build(self.status());
        for header in self.headers() {
            response.append_header(header);
        }
        response.insert_header((REASON, reason(&text)));
        if let Refusal::Inside(cause) = self {
            tracing::error!("a request could not be answered: {cause}");
        }
        response.json(json!({ "error": text, "code": self.status().as_u16() }))
    }
}

impl Refusal {
    /// What the relay's own extractors say with this status.
    pub(crate) fn from_api(status: StatusCode, text: String) -> Self {
        match status {
            StatusCode::TOO_MANY_REQUESTS => Refusal::TooMany(Duration::from_secs(60)),
            StatusCode::UNAUTHORIZED => Refusal::Token(text.into()),
            StatusCode::FORBIDDEN => Refusal::Forbidden(text.into()),
            StatusCode::NOT_FOUND => Refusal::NoBlob,
            StatusCode::REQUEST_TIMEOUT => Refusal::Late,
            status if status.is_client_error() => Refusal::BadRequest(text.into()),
            StatusCode::SERVICE_UNAVAILABLE => Refusal::busy(text),
            _ => Refusal::inside(text),
        }
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Refusal::from_api(error.status(), error.to_string())
    }
}

/// What the relay's lists and modes exclude.
impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Refusal::Forbidden(reason.text)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn b1_every_refusal_says_why_in_a_header_and_what_failed_inside_is_not_told() {
        let secret = "s3://key:secret@host";
        let answer = Refusal::inside(secret).error_response();
        assert_eq!(answer.status(), 500);
        let told = answer.headers().get("x-reason").unwrap();
        assert!(!told.to_str().unwrap().contains("secret"));
        let odd = Refusal::bad_request("a\r\nb \u{1f338}").error_response();
        assert_eq!(odd.headers().get("x-reason").unwrap(), "a??b ?");
    }

    #[test]
    fn b2_statuses_have_their_headers() {
        let header = |refusal: Refusal, name: HeaderName| {
            let answer = refusal.error_response();
            let value = answer.headers().get(name);
            value.map(|value| value.to_str().unwrap().to_owned())
        };
        let late = Refusal::TooMany(Duration::from_millis(1_001));
        assert_eq!(header(late, RETRY_AFTER).as_deref(), Some("2"));
        assert_eq!(
            header(Refusal::Unsigned, WWW_AUTHENTICATE).as_deref(),
            Some("Nostr")
        );
        let range = Refusal::Range { size_bytes: 7 };
        assert_eq!(header(range, CONTENT_RANGE).as_deref(), Some("bytes */7"));
        assert_eq!(Refusal::Full.status(), 507);
    }
}
