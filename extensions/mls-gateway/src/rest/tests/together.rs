//! The routes and the WebSocket side by side: what one does the other knows.

use super::ground::{As, Ground, expect, hex};
use crate::MlsGateway;
use trellis_relay::extension::prelude::*;
use trellis_relay::testing::{Author, TestRelay, Value, json, until};

fn ids(answer: &Value) -> Vec<&str> {
    let events = answer["events"].as_array().unwrap().iter();
    events.map(|event| event["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn m26_a_group_that_was_founded_over_http_is_one() {
    let ground = Ground::start("").await;
    let (alice, bob) = (ground.relay.author(1), ground.relay.author(2));
    let mut client = ground.relay.connect_as(&alice).await;
    let message = |text| alice.draft(445).tag(["h", "team"]).content(text).sign();
    let refused = client.publish(&message("q83v")).await;
    refused.assert_refused("restricted: unknown group");
    let body = json!({"group_id": "team", "owner_pubkey": hex(&alice)});
    expect(ground.post("/groups", As::Service, body).await, 200);
    client.store(&message("q83v")).await;

    // Its owner goes on by roster events.
    let add = alice.draft(450).tag(["h", "team"]).tag(["seq", "1"]);
    let add = add.tag(["op", "add"]).tag(["p", &hex(&bob)]).sign();
    client.store(&add).await;
    let shown = expect(ground.get("/groups/team", As::Key(&bob)).await, 200);
    assert_eq!(shown["member_count"], 2);
}

#[tokio::test]
async fn m27_what_was_published_is_archived_for_members_until_it_is_deleted() {
    let ground = Ground::start("").await;
    let [alice, bob, carol] = [1, 2, 3].map(|number| ground.relay.author(number));
    let body = json!({"group_id": "team", "owner_pubkey": hex(&alice)});
    expect(ground.post("/groups", As::Service, body).await, 200);
    let mut client = ground.relay.connect_as(&alice).await;
    let change = |seq: &str, op: &str| {
        let draft = alice.draft(450).tag(["h", "team"]).tag(["seq", seq]);
        draft.tag(["op", op]).tag(["p", &hex(&bob)]).sign()
    };
    client.store(&change("1", "add")).await;
    let message = alice.draft(445).tag(["h", "team"]).tag(["k", "7"]);
    let message = message.content("q83v").sign();
    let direct = alice
        .draft(446)
        .tag(["p", &hex(&bob)])
        .content("q83v")
        .sign();
    client.store(&message).await;
    client.store(&direct).await;

    let missed = async |who: &Author| {
        expect(
            ground
                .post("/messages/missed", As::Key(who), json!({}))
                .await,
            200,
        )
    };
    let wanted = [message.id().to_hex(), direct.id().to_hex()];
    until("both are archived", async || {
        ids(&missed(&bob).await) == wanted
    })
    .await;
    assert_eq!(ids(&missed(&carol).await), [""; 0]);
    until("the epoch is known", async || {
        let shown = ground.get("/groups/team", As::Key(&bob)).await;
        expect(shown, 200)["last_epoch"] == 7
    })
    .await;

    // At once, since this relay removed him.
    client.store(&change("2", "remove")).await;
    assert_eq!(ids(&missed(&bob).await), [&wanted[1]]);
    let group = json!({"group_id": "team"});
    expect(
        ground.post("/messages/group", As::Key(&bob), group).await,
        404,
    );

    client.store(&alice.deletion([&direct])).await;
    until("nothing is left", async || {
        missed(&bob).await["events"] == json!([])
    })
    .await;
}

#[tokio::test]
async fn m24_a_published_key_package_is_listed_and_taken_out_of_stock() {
    let ground = Ground::start("").await;
    let (alice, bob) = (ground.relay.author(1), ground.relay.author(2));
    let package = bob.draft(443).tag(["kpr", "kpr_1"]).tag(["cs", "0x0001"]);
    let package = package.content("q83v").sign();
    ground.relay.connect_as(&bob).await.store(&package).await;
    let path = format!("/keypackages?owner={}", hex(&bob));
    let list = async || expect(ground.get(&path, As::Key(&alice)).await, 200);
    let wanted = json!({"keypackages": [{
        "owner": hex(&bob),
        "key_reference": "kpr_1",
        "ciphersuite": "0x0001",
        "expires_at": "2023-11-21T22:13:20Z",
    }]});
    assert_eq!(list().await, wanted);

    let ack = format!("/keypackages/{}/ack", package.id().to_hex());
    expect(ground.post(&ack, As::Key(&bob), json!({})).await, 200);
    assert_eq!(list().await, json!({"keypackages": []}));
    // Repeated, it is answered as before; it is still nobody else's.
    let again = expect(ground.post(&ack, As::Key(&bob), json!({})).await, 200);
    assert_eq!(again, json!({"ok": true}));
    expect(ground.post(&ack, As::Key(&alice), json!({})).await, 404);
    let mut client = ground.relay.connect_as(&alice).await;
    let filter = json!({"kinds": [443], "authors": [hex(&bob)]});
    assert_eq!(client.query(filter).await, Ok(vec![]));
}

/// Hides from everybody what has the tag `["secret"]`.
struct Blinds;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoKeys {}

impl Extension for Blinds {
    const NAME: &'static str = "blinds";
    type Config = NoKeys;

    async fn build(_config: NoKeys, _host: Host) -> Result<Self, BuildError> {
        Ok(Blinds)
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks.deliver(446, |_me, event, _viewer| {
            Ok(event.first_tag_value("secret").is_none())
        });
    }
}

#[tokio::test]
async fn m18_what_another_extension_hides_does_not_come_out_of_the_archive() {
    let setup = TestRelay::of::<MlsGateway>().extension::<Blinds>();
    let ground = Ground::start_with(setup.config("[extensions.blinds]"), "").await;
    let (alice, bob) = (ground.relay.author(1), ground.relay.author(2));
    let mut client = ground.relay.connect_as(&alice).await;
    let direct = |tag: [&str; 2]| {
        let draft = alice.draft(446).tag(["p", &hex(&bob)]).tag(tag);
        draft.content("q83v").sign()
    };
    let (hidden, shown) = (direct(["secret", "yes"]), direct(["open", "yes"]));
    client.store(&hidden).await;
    client.store(&shown).await;
    until("what came last is archived", async || {
        let missed = ground.post("/messages/missed", As::Key(&bob), json!({}));
        ids(&expect(missed.await, 200)) == [shown.id().to_hex()]
    })
    .await;
}
