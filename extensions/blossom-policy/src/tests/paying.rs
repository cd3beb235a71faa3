//! Uploads that have to be paid for (BUD-07), with a service that says so.

use super::ground::*;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use trellis_relay::testing::{Author, TestRelay};

type Asked = Arc<Mutex<Vec<Value>>>;

/// A service that takes the proof `paid` and no other, and what it was asked.
fn service() -> (SocketAddr, Asked) {
    let asked = Asked::default();
    let told = asked.clone();
    let answer = move |request: HttpRequest, body: web::Json<Value>| {
        let told = told.clone();
        async move {
            let token = request.headers().get("authorization");
            assert_eq!(token.unwrap(), "Bearer of-the-service");
            let proof = body["proofs"]["x-cashu"].as_str().map(str::to_owned);
            told.lock().unwrap().push(body.into_inner());
            match proof.as_deref() {
                Some("paid") => HttpResponse::NoContent().finish(),
                Some(_) => HttpResponse::BadRequest()
                    .insert_header(("x-reason", "this token was spent"))
                    .finish(),
                None => HttpResponse::PaymentRequired()
                    .insert_header(("x-cashu", "creqAexample"))
                    .insert_header(("x-other", "not passed on"))
                    .finish(),
            }
        }
    };
    let app = move || App::new().default_service(web::to(answer.clone()));
    let server = HttpServer::new(app).workers(1).disable_signals();
    let server = server.bind("127.0.0.1:0").unwrap();
    let address = server.addrs()[0];
    tokio::spawn(server.run());
    (address, asked)
}

async fn paid_relay(address: SocketAddr) -> TestRelay {
    let config = format!(
        "outbound.allow_private = ['127.0.0.1/32']\n[extensions.blossom_policy.payment]\n\
         url = 'http://{address}/'\ntoken = 'of-the-service'"
    );
    let relay = TestRelay::of::<crate::BlossomPolicy>();
    relay.config(&config).start().await
}

#[tokio::test]
async fn b12_an_upload_that_costs_something_says_how_to_pay() {
    let (address, asked) = service();
    let relay = paid_relay(address).await;
    let (alice, bytes) = (Author::new(1), pdf(1));
    let length = bytes.len().to_string();
    let head = relay
        .request("HEAD", "/upload")
        .header("Authorization", &token(&alice, "upload", &[hash(&bytes)]))
        .header("X-Content-Type", "application/pdf")
        .header("X-Content-Length", &length)
        .header("X-SHA-256", &hash(&bytes).to_string());
    // Nobody pays by HEAD.
    let price = head.header("X-Cashu", "paid").await;
    assert_refused(&price, 402, "paid for first");
    assert_eq!(price.header("x-cashu"), Some("creqAexample"));
    assert_eq!(price.header("x-other"), None);
    let question = asked.lock().unwrap().pop();
    let wanted = json!({
        "pubkey": alice.pubkey().to_hex(),
        "route": "upload",
        "size": bytes.len(),
        "type": "application/pdf",
        "proofs": {},
    });
    assert_eq!(question, Some(wanted), "nothing of the hash");

    let put = || upload(&relay, &alice, "application/pdf", &bytes);
    assert_refused(&put().await, 402, "paid for first");
    let spent = put().header("X-Cashu", "spent").await;
    assert_refused(&spent, 400, "this token was spent");
    assert_eq!(put().header("X-Cashu", "paid").await.status, 201);
}

#[tokio::test]
async fn b12_nothing_is_stored_while_nobody_can_say_what_it_costs() {
    // Nobody listens there, and nobody who asks for any port is given it.
    let relay = paid_relay(([127, 0, 0, 1], 1).into()).await;
    let bytes = pdf(1);
    let refused = upload(&relay, &Author::new(1), "application/pdf", &bytes).await;
    assert_refused(&refused, 503, "paid for");
    assert!(refused.header("retry-after").is_some());
}
