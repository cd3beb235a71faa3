//! The server that is asked who belongs to a group.

use super::ground::{hex, host, settings};
use crate::acl::AclClient;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trellis_relay::extension::Host;
use trellis_relay::testing::{Author, HookHarness, json};

/// What the server says next, and what it was asked.
#[derive(Default)]
struct Acl {
    answer: Mutex<(u16, String)>,
    /// Path and authorization of each request.
    asked: Mutex<Vec<(String, String)>>,
}

impl Acl {
    fn says(&self, status: u16, body: &str) {
        *self.answer.lock().unwrap() = (status, body.to_owned());
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

async fn answer(request: HttpRequest, acl: web::Data<Acl>) -> HttpResponse {
    let authorization = request.headers().get("authorization");
    let authorization = authorization.and_then(|it| it.to_str().ok()).unwrap_or("");
    let asked = (request.uri().to_string(), authorization.to_owned());
    acl.asked.lock().unwrap().push(asked);
    let (status, body) = acl.answer.lock().unwrap().clone();
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).body(body)
}

fn serve(acl: Arc<Acl>) -> SocketAddr {
    let acl = web::Data::from(acl);
    let app = move || {
        App::new()
            .app_data(acl.clone())
            .default_service(web::to(answer))
    };
    let server = HttpServer::new(app).workers(1).disable_signals();
    let server = server.bind("127.0.0.1:0").unwrap();
    let address = server.addrs()[0];
    tokio::spawn(server.run());
    address
}

async fn client(acl: &Arc<Acl>) -> (AclClient, Host, HookHarness) {
    let address = serve(acl.clone());
    let (host, harness) = host().await;
    let loopback = "127.0.0.1/32".parse().unwrap();
    harness.core.outbound.lock().unwrap().allow_private = vec![loopback];
    let table = format!(
        "membership_source = 'acl'\nacl_url = 'http://{address}/acl/'\nacl_token = 'secret'\ngroup_cache_ttl = 60"
    );
    let client = AclClient::new(&host, &settings(&table)).unwrap();
    (client, host, harness)
}

#[tokio::test]
async fn m35_members_are_asked_for_once_in_a_while_with_the_token() {
    let acl = Arc::new(Acl::default());
    let (client, _host, harness) = client(&acl).await;
    let (alice, bob) = (Author::new(1).pubkey(), Author::new(2).pubkey());
    acl.says(200, &json!({"members": [hex(1)]}).to_string());
    assert_eq!(client.known("grp/1"), None);
    let (first, second) = tokio::join!(client.members("grp/1"), client.members("grp/1"));
    let roster = first.unwrap();
    assert_eq!(second.unwrap(), roster);
    assert!(roster.has_any(&[alice]) && !roster.has_any(&[bob]));
    assert_eq!(client.known("grp/1"), Some(roster));
    let asked = acl.asked.lock().unwrap().clone();
    let wanted = (
        "/acl/groups/grp%2F1/members".to_owned(),
        "Bearer secret".to_owned(),
    );
    assert_eq!(asked, [wanted], "both were answered by one request");

    acl.says(200, &json!([hex(2)]).to_string());
    harness.clock.advance(Duration::from_secs(59));
    assert!(client.members("grp/1").await.unwrap().has_any(&[alice]));
    harness.clock.advance(Duration::from_secs(1));
    let roster = client.members("grp/1").await.unwrap();
    assert!(roster.has_any(&[bob]) && !roster.has_any(&[alice]));
    assert_eq!(acl.asked(), 2);
    acl.says(404, "");
    let nobody = client.members("other").await.unwrap();
    assert!(nobody.members.is_empty());
    assert_eq!(
        client.known("other"),
        Some(nobody),
        "that there is none is remembered"
    );
    harness.host.shutdown().await;
}

#[tokio::test]
async fn m35_a_server_that_fails_is_an_error_and_never_an_empty_group() {
    let acl = Arc::new(Acl::default());
    let (client, _host, harness) = client(&acl).await;
    for (status, body) in [
        (503, "[]"),
        (401, "[]"),
        (204, ""),
        (200, "{}"),
        (200, "<html>members</html>"),
        (200, "[\"alice\"]"),
    ] {
        acl.says(status, body);
        let error = client.members("g").await.unwrap_err().to_string();
        for secret in ["secret", "alice", "html", "/g/"] {
            assert!(!error.contains(secret), "{error}");
        }
        assert_eq!(client.known("g"), None, "{status} {body} is not remembered");
    }
    harness.core.outbound.lock().unwrap().allow_private = Vec::new();
    assert!(client.members("g").await.is_err(), "a private address");
    harness.host.shutdown().await;
}

#[tokio::test]
async fn m35_nobody_waits_for_a_server_that_did_not_answer_a_moment_ago() {
    // It takes connections, and never a request.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (host, harness) = host().await;
    let loopback = "127.0.0.1/32".parse().unwrap();
    harness.core.outbound.lock().unwrap().allow_private = vec![loopback];
    let address = silent.local_addr().unwrap();
    let table = format!("membership_source = 'acl'\nacl_url = 'http://{address}'");
    let client = AclClient::new(&host, &settings(&table)).unwrap();
    let said = async |group: &str| client.members(group).await.unwrap_err().to_string();
    let in_vain = said("one").await;
    assert!(in_vain.contains("no whole answer"), "{in_vain}");
    for group in ["one", "another"] {
        assert_eq!(said(group).await, "acl_url: no answer a moment ago");
    }
    harness.clock.advance(Duration::from_secs(2));
    assert_eq!(said("one").await, in_vain, "it is asked again");
    harness.host.shutdown().await;
}
