//! CORS for every page, preflight and errors included (`network.allowed_origins`).

use crate::extension::http::{self as extensions, OpenToAll};
use crate::own_host::named_host;
use crate::relay::Relay;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, web};
use std::sync::Arc;

/// Middleware: answers preflight requests itself and marks every response with the origins that may read it.
pub async fn allow_origins<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let allowed = request
        .app_data::<web::Data<Arc<Relay>>>()
        .map(|relay| relay.config().network.allowed_origins.clone())
        .unwrap_or_default();
    let origin = request.headers().get(header::ORIGIN).cloned();
    let preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let (mut response, is_open) = if preflight {
        let is_open = will_be_open(&request);
        let response = request.into_response(HttpResponse::NoContent().finish());
        (response.map_into_right_body(), is_open)
    } else {
        let response = next.call(request).await?.map_into_left_body();
        let notes = response.request().extensions();
        let is_open = notes.contains::<OpenToAll>();
        drop(notes);
        (response, is_open)
    };
    let answer = answer_for(origin.as_ref(), &allowed)
        .or_else(|| is_open.then(|| HeaderValue::from_static("*")));
    let headers = response.headers_mut();
    if let Some(origin) = answer {
        let mut set = |name: HeaderName, value: &'static str| {
            headers.insert(name, HeaderValue::from_static(value));
        };
        set(header::ACCESS_CONTROL_ALLOW_HEADERS, "*, Authorization");
        set(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        );
        set(header::ACCESS_CONTROL_MAX_AGE, "86400");
        // For what extensions say in headers of their own.
        set(header::ACCESS_CONTROL_EXPOSE_HEADERS, "*");
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    Ok(response)
}

/// Whether the routes that a page wants to call are open to pages of all origins.
fn will_be_open(request: &ServiceRequest) -> bool {
    let Some(relay) = request.app_data::<web::Data<Arc<Relay>>>() else {
        return false;
    };
    let wanted = request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD);
    let wanted = wanted.and_then(|method| Method::from_bytes(method.as_bytes()).ok());
    let asked = (
        &wanted.unwrap_or(Method::GET),
        named_host(request.head()),
        request.match_info().as_str(),
    );
    extensions::is_open_to_all(&relay.hooks.load(), asked, &super::own_paths())
}

/// `*` where everybody may, the origin itself where it is listed, nothing where it is not.
fn answer_for(origin: Option<&HeaderValue>, allowed: &[String]) -> Option<HeaderValue> {
    if allowed.iter().any(|allowed| allowed == "*") {
        return Some(HeaderValue::from_static("*"));
    }
    let origin = origin?;
    allowed
        .iter()
        .any(|allowed| origin.as_bytes().eq_ignore_ascii_case(allowed.as_bytes()))
        .then(|| origin.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c13_only_allowed_origins_are_answered() {
        let origin = HeaderValue::from_static("https://app.example.com");
        let other = HeaderValue::from_static("https://evil.example.com");
        let listed = ["https://app.example.com".to_owned()];
        assert_eq!(
            answer_for(Some(&origin), &["*".to_owned()]),
            Some(HeaderValue::from_static("*"))
        );
        assert_eq!(answer_for(Some(&origin), &listed), Some(origin));
        assert_eq!(answer_for(Some(&other), &listed), None);
        assert_eq!(answer_for(None, &listed), None);
    }
}
