//! Who may ask and how the answer is written: extractor and answer of every route.
//!
//! Invariant: with service tokens in the table, nobody asks without one. A list has the same cells as JSON and as CSV.

use super::csv::{self, Row};
use crate::QubeCoordination;
use actix_web::body::BoxBody;
use actix_web::dev::Payload;
use actix_web::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{FromRequest, HttpRequest, HttpResponse, Responder};
use serde_json::json;
use std::future::{Ready, ready};
use trellis_relay::extension::http::{Describe, Inputs};
use trellis_relay::extension::prelude::*;
use url::form_urlencoded;

/// Somebody who may read, and the format that they want.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader {
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
}

/// A page of a list, in the format that was asked for.
pub(crate) struct Listing<T> {
    format: Format,
    page: PageOf<T>,
}

impl Reader {
    /// The answer with these items, and where the list goes on.
    pub(crate) fn list<T>(self, items: Vec<T>, next: Option<String>) -> Listing<T> {
        Listing {
            format: self.format,
            page: PageOf { items, next },
        }
    }

    /// Whether lists are wanted as CSV.
    pub(super) fn wants_csv(self) -> bool {
        self.format == Format::Csv
    }

    fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let mut payload = Payload::None;
        let me = now(Current::<QubeCoordination>::from_request(
            request,
            &mut payload,
        ))?;
        if !me.settings.service_tokens.is_empty() {
            now(ServiceToken::from_request(request, &mut payload))?;
        }
        let ip = now(ClientIp::from_request(request, &mut payload))?;
        me.requests.check_http(&ip.rate_key())?;
        Ok(Reader {
            format: format(request)?,
        })
    }
}

/// What is there already.
fn now<T>(ready: Ready<Result<T, ApiError>>) -> Result<T, ApiError> {
    ready.into_inner()
}

fn format(request: &HttpRequest) -> Result<Format, ApiError> {
    let asked = form_urlencoded::parse(request.query_string().as_bytes())
        .find_map(|(name, value)| (name == "format").then(|| value.into_owned()));
    match asked.as_deref() {
        Some("json") => return Ok(Format::Json),
        Some("csv") => return Ok(Format::Csv),
        Some(_) => return Err(ApiError::bad_request("format must be json or csv")),
        None => {}
    }
    let accept = request.headers().get(ACCEPT);
    let accept = accept.and_then(|it| it.to_str().ok()).unwrap_or_default();
    let place = |name: &str| accept.find(name).unwrap_or(usize::MAX);
    match place("text/csv") < place("application/json") {
        true => Ok(Format::Csv),
        false => Ok(Format::Json),
    }
}

impl FromRequest for Reader {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

impl Describe for Reader {
    fn describe(inputs: &mut Inputs<'_>) {
        inputs.query_parameter(
            "format",
            "How lists are written; without it, as `Accept` says.",
            json!({ "type": "string", "enum": ["json", "csv"], "default": "json" }),
        );
    }
}

impl<T: Serialize + Row> Responder for Listing<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut answer = HttpResponse::Ok();
        answer.insert_header((CACHE_CONTROL, "no-cache"));
        if let Some(next) = &self.page.next {
            answer.insert_header(("x-next-cursor", next.as_str()));
        }
        match self.format {
            Format::Json => answer.json(self.page),
            Format::Csv => answer
                .insert_header((CONTENT_TYPE, csv::MEDIA_TYPE))
                .body(csv::write(&self.page.items)),
        }
    }
}
