//! What becomes of the answer of an extension's handler on its way out: errors are JSON, and failures are logged.

use super::error::{ApiError, UNABLE};
use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use serde_json::json;

/// An error that is plain text or nothing becomes `{error, code}`; other bodies are the author's affair. What a 5xx says
/// of itself goes to the log alone.
pub(super) fn finish(
    extension: &'static str,
    reason_header: Option<&HeaderName>,
    response: HttpResponse,
) -> HttpResponse {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    if status.is_server_error() {
        log(extension, &response);
    }
    let is_empty = matches!(response.body().size(), BodySize::None | BodySize::Sized(0));
    let is_bare = is_empty || (response.error().is_some() && is_text(response.headers()));
    if !is_bare {
        let text = match response.error() {
            Some(error) if status.is_client_error() => Some(error.to_string()),
            Some(_) => Some(UNABLE.to_owned()),
            None => None,
        };
        let mut response = response;
        if let Some(text) = text {
            tell_reason(&mut response, reason_header, &text);
        }
        return response;
    }
    let text = match (response.error(), status) {
        (_, StatusCode::PAYLOAD_TOO_LARGE) => "the body is too large".to_owned(),
        (Some(error), _) if status.is_client_error() => error.to_string(),
        (_, StatusCode::NOT_FOUND) => NOTHING.to_owned(),
        (_, status) if status.is_server_error() => UNABLE.to_owned(),
        _ => status
            .canonical_reason()
            .unwrap_or("refused")
            .to_lowercase(),
    };
    let mut finished = error(status, &text);
    tell_reason(&mut finished, reason_header, &text);
    // What the author or actix set beside, such as `Allow`.
    for (name, value) in response.headers() {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            finished.headers_mut().append(name.clone(), value.clone());
        }
    }
    finished
}

/// Says why in a header as well, unless the author has said it there.
pub(super) fn tell_reason(response: &mut HttpResponse, name: Option<&HeaderName>, text: &str) {
    let Some(name) = name.filter(|name| !response.headers().contains_key(*name)) else {
        return;
    };
    let visible = |char: char| match char {
        ' '..='~' => char,
        _ => '?',
    };
    let text: String = text.chars().take(REASON_CHARS_MAX).map(visible).collect();
    if let Ok(text) = HeaderValue::from_str(&text) {
        response.headers_mut().insert(name.clone(), text);
    }
}

/// A header that says why has so many characters.
const REASON_CHARS_MAX: usize = 300;

/// What is said where no route is.
pub(super) const NOTHING: &str = "there is nothing here";

/// `{error, code}`, as all errors over HTTP are.
pub(crate) fn error(status: StatusCode, text: &str) -> HttpResponse {
    HttpResponse::build(status).json(json!({ "error": text, "code": status.as_u16() }))
}

/// For a path that is there, asked with a method that it has not; GET is answered as HEAD, too.
pub(crate) fn refuse_method(method: &Method, has: &[&Method]) -> HttpResponse {
    let mut names: Vec<&str> = Vec::new();
    for name in has.iter().map(|method| method.as_str()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.contains(&"GET") && !names.contains(&"HEAD") {
        names.push("HEAD");
    }
    if !names.contains(&"OPTIONS") {
        names.push("OPTIONS");
    }
    let mut response = match *method {
        Method::OPTIONS => HttpResponse::NoContent().finish(),
        _ => error(StatusCode::METHOD_NOT_ALLOWED, &no_method(method)),
    };
    if let Ok(allow) = HeaderValue::from_str(&names.join(", ")) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// What is said where a path is, and this method is not.
pub(super) fn no_method(method: &Method) -> String {
    format!("{method} is not to be had here")
}

fn log(extension: &'static str, response: &HttpResponse) {
    let Some(error) = response.error() else {
        return;
    };
    let code = response.status().as_u16();
    match error.as_error::<ApiError>() {
        Some(error) => match error.cause() {
            Some(cause) => tracing::error!(extension, code, "a route failed: {cause}"),
            None => tracing::warn!(extension, code, "a route failed: {error}"),
        },
        None => tracing::error!(extension, code, "a route failed: {error}"),
    }
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"))
}
