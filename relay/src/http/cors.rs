//! CORS for every page, preflight and errors included (`network.allowed_origins`).

use crate::extension::http as extensions;
use crate::relay::Relay;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};
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
    let answer = answer_for(origin.as_ref(), &allowed)
        .or_else(|| is_open_to_all(&request).then(|| HeaderValue::from_static("*")));
    let preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight {
        request
            .into_response(HttpResponse::NoContent().finish())
            .map_into_right_body()
    } else {
        next.call(request).await?.map_into_left_body()
    };
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

/// Whether an extension has opened its routes to pages of all origins.
fn is_open_to_all(request: &ServiceRequest) -> bool {
    let Some(relay) = request.app_data::<web::Data<Arc<Relay>>>() else {
        return false;
    };
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    extensions::is_open_to_all(&relay.hooks.load(), host, request.path())
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
