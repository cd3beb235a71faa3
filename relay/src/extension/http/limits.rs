//! How large a body may be, and what is said where a body, a query or a path is not what the handler wants.
//!
//! Not bounded are bodies that a handler reads as a stream.

use super::error::ApiError;
use actix_web::error::{JsonPayloadError, PathError, QueryPayloadError, UrlencodedError};
use actix_web::http::StatusCode;
use actix_web::web::{
    FormConfig, JsonConfig, PathConfig, PayloadConfig, QueryConfig, ServiceConfig,
};
use actix_web::{HttpRequest, Resource};
use serde::de::DeserializeOwned;

/// Bodies may have so many bytes where an extension says nothing else.
pub(super) const DEFAULT_BODY_BYTES: usize = 256 << 10;

/// How long a body may be, for our own extractors.
struct BodyLimit(usize);

/// For a scope and all its routes.
pub(super) fn set(config: &mut ServiceConfig, max_body_bytes: usize) {
    let query = QueryConfig::default().error_handler(|error, _| {
        let problem = match error {
            QueryPayloadError::Deserialize(error) => error.to_string(),
            error => error.to_string(),
        };
        ApiError::bad_request(format!("the query is not what is wanted: {problem}")).into()
    });
    let path = PathConfig::default().error_handler(|error, _| {
        let problem = match error {
            PathError::Deserialize(error) => error.to_string(),
            error => error.to_string(),
        };
        ApiError::bad_request(format!("the path is not what is wanted: {problem}")).into()
    });
    config
        .app_data(query)
        .app_data(path)
        .app_data(BodyLimit(max_body_bytes))
        .app_data(PayloadConfig::new(max_body_bytes))
        .app_data(json(max_body_bytes))
        .app_data(form(max_body_bytes));
}

/// For one route.
pub(super) fn set_for(resource: Resource, max_body_bytes: usize) -> Resource {
    resource
        .app_data(BodyLimit(max_body_bytes))
        .app_data(PayloadConfig::new(max_body_bytes))
        .app_data(json(max_body_bytes))
        .app_data(form(max_body_bytes))
}

/// What a body of JSON says.
pub(super) fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("the body is not what is wanted: {error}")))
}

/// How long the body of a request may be.
pub(super) fn max_body_bytes(request: &HttpRequest) -> usize {
    let limit = request.app_data::<BodyLimit>();
    limit.map_or(DEFAULT_BODY_BYTES, |BodyLimit(max_bytes)| *max_bytes)
}

fn json(max_bytes: usize) -> JsonConfig {
    let explain = move |error: JsonPayloadError| match error {
        JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => {
            ApiError::too_large(max_bytes)
        }
        JsonPayloadError::ContentType => ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must be JSON, with Content-Type: application/json",
        ),
        JsonPayloadError::Deserialize(error) => {
            ApiError::bad_request(format!("the body is not what is wanted: {error}"))
        }
        _ => ApiError::bad_request("the body cannot be read"),
    };
    JsonConfig::default()
        .limit(max_bytes)
        .error_handler(move |error, _| explain(error).into())
}

fn form(max_bytes: usize) -> FormConfig {
    let explain = move |error: UrlencodedError| match error {
        UrlencodedError::Overflow { .. } => ApiError::too_large(max_bytes),
        error => ApiError::bad_request(format!("the form: {error}")),
    };
    FormConfig::default()
        .limit(max_bytes)
        .error_handler(move |error, _| explain(error).into())
}
