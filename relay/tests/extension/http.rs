//! E7 and E11: routes come and go with their extension, and a handler that panics harms nobody else.

use crate::support::*;
use actix_web::dev::ServiceResponse;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, HttpRequest, web};
use trellis_relay::extension::{Health, http};

async fn text(response: ServiceResponse) -> (u16, String) {
    let status = response.status().as_u16();
    let body = read_body(response).await;
    (status, String::from_utf8(body.to_vec()).unwrap())
}

macro_rules! get {
    ($app:expr, $path:expr) => {
        text(call_service(&$app, TestRequest::get().uri($path).to_request()).await).await
    };
}

macro_rules! app {
    ($relay:expr) => {
        init_service(
            App::new()
                .configure(http::configure(&$relay.handle))
                .route("/", web::get().to(async || "core"))
                .route("/core.txt", web::get().to(async || "core")),
        )
        .await
    };
}

const NOT_FOUND: &str = r#"{"code":404,"error":"there is nothing here"}"#;

#[actix_web::test]
async fn e11_routes_are_found_by_prefix_by_host_and_at_the_root() {
    let relay = start(GATE).await;
    let app = app!(relay);
    assert_eq!(get!(app, "/api/gate/room"), (200, "g".to_owned()));
    assert_eq!(get!(app, "/note.txt"), (200, "note of g".to_owned()));
    assert_eq!(get!(app, "/core.txt"), (200, "core".to_owned()));
    assert_eq!(get!(app, "/"), (200, "core".to_owned()));
    for nothing in [
        "/api/gate",
        "/api/gate/",
        "/api/gatekeeper/room",
        "/nothing",
    ] {
        assert_eq!(get!(app, nothing), (404, NOT_FOUND.to_owned()), "{nothing}");
    }
    let at_host = TestRequest::get()
        .uri("/")
        .insert_header(("host", "Gate.example:8080"));
    let answer = text(call_service(&app, at_host.to_request()).await).await;
    assert_eq!(answer, (200, "at the gate".to_owned()));
    relay.host.shutdown().await;
}

#[actix_web::test]
async fn e11_a_body_arrives() {
    let relay = start(GATE).await;
    let app = app!(relay);
    let post = TestRequest::post()
        .uri("/api/gate/echo")
        .set_payload("words");
    let answer = text(call_service(&app, post.to_request()).await).await;
    assert_eq!(answer, (200, "words".to_owned()));
    relay.host.shutdown().await;
}

#[actix_web::test]
async fn e7_routes_of_an_extension_that_is_off_answer_404() {
    let mut relay = start("").await;
    let app = app!(relay);
    assert_eq!(get!(app, "/api/gate/room"), (404, NOT_FOUND.to_owned()));
    relay.apply(GATE).await.unwrap();
    assert_eq!(get!(app, "/api/gate/room"), (200, "g".to_owned()));

    relay.apply(&GATE.replace("'g'", "'h'")).await.unwrap();
    assert_eq!(get!(app, "/api/gate/room"), (200, "h".to_owned()));
    let moved = format!("{GATE}prefix = '/elsewhere'");
    relay.apply(&moved).await.unwrap();
    assert_eq!(get!(app, "/api/gate/room").0, 404);
    assert_eq!(get!(app, "/elsewhere/room"), (200, "g".to_owned()));

    relay
        .apply(&format!("{GATE}enabled = false"))
        .await
        .unwrap();
    assert_eq!(get!(app, "/elsewhere/room").0, 404);
    relay.host.shutdown().await;
}

#[actix_web::test]
async fn e6_a_handler_that_panics_answers_500_and_the_next_request_is_served() {
    let relay = start(GATE).await;
    let app = app!(relay);
    for _ in 0..10 {
        let (status, body) = get!(app, "/api/gate/panic");
        assert_eq!(status, 500);
        assert!(!body.contains("secret"), "{body}");
    }
    assert_eq!(relay.status("gate").faults, 10);
    // Nothing is skipped, and nothing says so.
    assert_eq!(relay.status("gate").health, Some(Health::Ok));
    assert_eq!(get!(app, "/api/gate/room"), (200, "g".to_owned()));
    relay.host.shutdown().await;
}

#[actix_web::test]
async fn e11_what_the_core_noted_about_a_request_is_there_afterwards() {
    use actix_web::HttpMessage as _;
    let relay = start(GATE).await;
    let app = app!(relay);
    let request = TestRequest::get().uri("/api/gate/room").to_request();
    request.extensions_mut().insert(7u8);
    let response = call_service(&app, request).await;
    let outer: &HttpRequest = response.request();
    assert_eq!(outer.extensions().get::<u8>(), Some(&7));
    relay.host.shutdown().await;
}
