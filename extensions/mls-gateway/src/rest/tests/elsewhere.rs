//! M35 over HTTP: another server says who belongs to a group.

use super::ground::{As, Ground, expect, hex};
use crate::storage::Seen;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use trellis_relay::testing::{START_S, json};

/// What is said of the group `team`; other groups are not known.
type Said = Arc<Mutex<(u16, String)>>;

async fn answer(request: HttpRequest, said: web::Data<Mutex<(u16, String)>>) -> HttpResponse {
    let (status, body) = match request.path() {
        "/groups/team/members" => said.lock().unwrap().clone(),
        _ => (404, String::new()),
    };
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).body(body)
}

fn serve(said: &Said) -> SocketAddr {
    let said = web::Data::from(said.clone());
    let app = move || {
        let app = App::new().app_data(said.clone());
        app.default_service(web::to(answer))
    };
    let server = HttpServer::new(app).workers(1).disable_signals();
    let server = server.bind("127.0.0.1:0").unwrap();
    let address = server.addrs()[0];
    tokio::spawn(server.run());
    address
}

#[tokio::test]
async fn m35_members_are_those_that_the_other_server_names_over_http_too() {
    let said = Said::default();
    let address = serve(&said);
    let table = format!("membership_source = 'acl'\nacl_url = 'http://{address}'");
    let ground = Ground::start_beside(&table, "outbound.allow_private = ['127.0.0.1/32']").await;
    let (alice, bob) = (ground.relay.author(1), ground.relay.author(2));
    let say = |status, body: String| *said.lock().unwrap() = (status, body);
    let seen = ["other", "team"].map(|group_id| Seen {
        group_id: group_id.to_owned(),
        epoch: Some(4),
        created_at_s: START_S,
    });
    ground.storage.note_messages(&seen, START_S).await.unwrap();

    say(200, json!({"members": [hex(&alice)]}).to_string());
    let shown = expect(ground.get("/groups/team", As::Key(&alice)).await, 200);
    assert_eq!(
        (&shown["member_count"], &shown["last_epoch"]),
        (&json!(1), &json!(4))
    );
    expect(ground.get("/groups/team", As::Key(&bob)).await, 404);
    expect(ground.get("/groups/other", As::Key(&alice)).await, 404);
    let list = async |who| expect(ground.get("/groups", As::Key(who)).await, 200)["items"].clone();
    assert_eq!(list(&alice).await, json!([shown]));
    assert_eq!(list(&bob).await, json!([]));
    let read = async |who| {
        let body = json!({"group_id": "team"});
        ground.post("/messages/group", As::Key(who), body).await
    };
    expect(read(&alice).await, 200);
    expect(read(&bob).await, 404);
    let body = json!({"group_id": "new", "owner_pubkey": hex(&alice)});
    expect(ground.post("/groups", As::Service, body).await, 409);

    // To know the id of a group that the server does not know is no right.
    let unknown = json!({"group_id": "11".repeat(32)});
    let asked = ground.post("/messages/group", As::Key(&alice), unknown);
    expect(asked.await, 404);

    // M22: while it is not known who is a member nobody is.
    say(500, String::new());
    ground.relay.clock().advance(Duration::from_secs(61));
    expect(read(&alice).await, 503);
    expect(ground.get("/groups/team", As::Key(&alice)).await, 503);
}
