//! What profiles and other sources of membership change.

use super::ground::{GROUP, Ground, OPEN_GROUP, in_group, key};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trellis_relay::testing::json;

const MEMBER: u64 = 2;
const OTHER: u64 = 3;

#[tokio::test]
async fn m4_m21_the_strict_profile_wants_auth_for_everything_and_rosters_for_groups() {
    let ground = Ground::start("profile = 'strict'").await;
    ground.found(GROUP, &[MEMBER]).await;
    let mut nobody = ground.relay.connect().await;
    let addressable = ground.author(MEMBER).draft(30443).tag(["d", "x"]);
    let addressable = addressable.content("0a").sign();
    for event in [
        ground.message(GROUP, "hello"),
        ground.letter(1059, MEMBER, OTHER, "sealed"),
        addressable.clone(),
    ] {
        let verdict = nobody.publish(&event).await;
        verdict.assert_refused("auth-required: log in to publish this (NIP-42)");
    }
    for filter in [
        in_group(445, OPEN_GROUP),
        in_group(445, GROUP),
        json!({"kinds": [30443]}),
    ] {
        let closed = nobody.query(filter.clone()).await.unwrap_err();
        assert!(closed.starts_with("auth-required: "), "{filter}: {closed}");
    }
    let mut member = ground.client(MEMBER).await;
    let verdict = member.publish(&addressable).await;
    assert!(
        verdict.reason().starts_with("invalid: there is no "),
        "{}",
        verdict.reason()
    );
    let unmanaged = ground.message(OPEN_GROUP, "hello");
    member
        .publish(&unmanaged)
        .await
        .assert_refused("restricted: unknown group");
    let closed = member.query(in_group(445, OPEN_GROUP)).await.unwrap_err();
    assert_eq!(
        closed,
        "restricted: this is for members and recipients only"
    );
    let message = ground.message(GROUP, "hello");
    member.store(&message).await;
    assert_eq!(member.query(in_group(445, GROUP)).await, Ok(vec![message]));
}

/// Says who is a member as the test says, and 503 where it says nothing.
async fn acl_server(members: Arc<Mutex<Option<Vec<String>>>>) -> String {
    let answer = move |request: HttpRequest| {
        let members = members.lock().unwrap().clone();
        async move {
            let token = request
                .headers()
                .get("authorization")
                .map(|it| it.as_bytes());
            assert_eq!(token, Some(&b"Bearer of good news"[..]));
            match members {
                Some(members) if request.path().contains(GROUP) => {
                    HttpResponse::Ok().json(json!({"members": members}))
                }
                Some(_) => HttpResponse::NotFound().finish(),
                None => HttpResponse::ServiceUnavailable().finish(),
            }
        }
    };
    let app = move || App::new().default_service(web::to(answer.clone()));
    let server = HttpServer::new(app).workers(1).disable_signals();
    let server = server.bind("127.0.0.1:0").unwrap();
    let address = server.addrs()[0];
    tokio::spawn(server.run());
    format!("http://{address}")
}

#[tokio::test]
async fn m35_a_server_of_the_operators_says_who_is_a_member() {
    let members = Arc::new(Mutex::new(Some(vec![key(MEMBER)])));
    let url = acl_server(members.clone()).await;
    let table = format!(
        "membership_source = 'acl'\nacl_url = '{url}'\nacl_token = 'of good news'\n\n[outbound]\nallow_private = ['127.0.0.1/32']"
    );
    let ground = Ground::start(&table).await;
    let (mut member, mut other) = (ground.client(MEMBER).await, ground.client(OTHER).await);
    let message = ground.message(GROUP, "hello");
    member.store(&message).await;
    assert_eq!(
        member.query(in_group(445, GROUP)).await,
        Ok(vec![message.clone()])
    );
    assert_eq!(other.query(in_group(445, GROUP)).await, Ok(vec![]));

    *members.lock().unwrap() = Some(vec![key(OTHER)]);
    ground.relay.clock().advance(Duration::from_secs(61));
    assert_eq!(member.query(in_group(445, GROUP)).await, Ok(vec![]));
    assert_eq!(other.query(in_group(445, GROUP)).await, Ok(vec![message]));

    *members.lock().unwrap() = None;
    ground.relay.clock().advance(Duration::from_secs(61));
    let closed = other.query(in_group(445, GROUP)).await.unwrap_err();
    assert!(closed.starts_with("error: "), "{closed}");
}
