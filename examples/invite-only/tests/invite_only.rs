//! Invites, from the request of an admin to what a new member may publish.

use invite_only::InviteOnly;
use trellis_relay::event::Event;
use trellis_relay::extension::Compiled;
use trellis_relay::testing::{Author, Client, TestRelay, Value, conformance, json, until};

const UNKNOWN: &str = "restricted: this invite is unknown or used up; ask for another";
const FOR_MEMBERS: &str =
    "restricted: this relay is for members; send a join request (kind 9021) with an invite code";

fn table(admin: &Author) -> String {
    format!(
        "[extensions.invite_only]\nadmins = [\"{}\"]\n",
        admin.pubkey()
    )
}

/// A relay and its admin.
async fn start() -> (TestRelay, Author) {
    let admin = Author::new(1);
    let setup = TestRelay::of::<InviteOnly>().config(&table(&admin));
    (setup.start().await, admin)
}

async fn invite(relay: &TestRelay, admin: &Author, uses: u32) -> String {
    let call = relay.post("/api/invites").json(&json!({ "uses": uses }));
    let answer = call.nip98(admin).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let invite: Value = answer.json();
    assert_eq!(invite["uses"], uses);
    invite["code"].as_str().expect("a code").to_owned()
}

fn request(author: &Author, code: &str) -> Event {
    author.draft(9021).tag(["code", code]).sign()
}

/// Publishes until it works: members follow the commits.
async fn store_soon(client: &mut Client, note: &Event) {
    until("the new member may publish", async || {
        client.publish(note).await.is_accepted()
    })
    .await;
}

#[tokio::test]
async fn e9_an_invite_makes_a_member_once() {
    let (relay, admin) = start().await;
    let (alice, bob) = (Author::new(2), Author::new(3));
    let mut client = relay.connect().await;
    let note = alice.note("hello");
    client.publish(&note).await.assert_refused(FOR_MEMBERS);

    let code = invite(&relay, &admin, 1).await;
    client.store(&request(&alice, &code)).await;
    store_soon(&mut client, &note).await;
    let again = alice.draft(9021).content("again").tag(["code", &code]);
    let verdict = client.publish(&again.sign()).await;
    verdict.assert_refused("blocked: you are a member already");
    let verdict = client.publish(&request(&bob, &code)).await;
    verdict.assert_refused(UNKNOWN);

    let about = &relay.information().await["invite_only"];
    assert_eq!(*about, json!({ "join_kind": 9021, "members": 1 }));
    assert!(relay.metric("invite_only_redemptions_total", &[]).await >= 1.0);
    relay.stop().await;
}

#[tokio::test]
async fn e3_of_many_at_once_as_many_join_as_the_invite_says() {
    let (relay, admin) = start().await;
    let code = invite(&relay, &admin, 3).await;
    let requests: Vec<Event> = (10..30)
        .map(|number| request(&Author::new(number), &code))
        .collect();
    let mut client = relay.connect().await;
    for request in &requests {
        client.send_event(request).await;
    }
    let mut joined = 0;
    for request in &requests {
        let verdict = client.verdict(request).await;
        match verdict.is_accepted() {
            true => joined += 1,
            false => verdict.assert_refused(UNKNOWN),
        }
    }
    assert_eq!(joined, 3);
    relay.stop().await;
}

#[tokio::test]
async fn e4_members_are_known_after_a_crash_and_leave_with_their_request() {
    let (relay, admin) = start().await;
    let alice = Author::new(2);
    let code = invite(&relay, &admin, 2).await;
    let joining = request(&alice, &code);
    relay.connect().await.store(&joining).await;

    let relay = relay.kill_and_restart().await;
    let mut client = relay.connect().await;
    store_soon(&mut client, &alice.note("still here")).await;
    client.store(&alice.deletion([&joining])).await;
    until("she is no member any more", async || {
        let count = relay.information().await["invite_only"]["members"].clone();
        count == json!(0)
    })
    .await;
    let verdict = client.publish(&alice.note("gone")).await;
    verdict.assert_refused(FOR_MEMBERS);
    let anew = alice.draft(9021).content("again").tag(["code", &code]);
    client.store(&anew.sign()).await;
    store_soon(&mut client, &alice.note("back")).await;
    relay.stop().await;
}

#[tokio::test]
async fn e11_admins_alone_make_list_and_withdraw_invites() {
    let (relay, admin) = start().await;
    let stranger = Author::new(2);
    let wanted = json!({ "uses": 1 });
    let unsigned = relay.post("/api/invites").json(&wanted).await;
    assert_eq!(unsigned.status, 401);
    let refused = relay
        .post("/api/invites")
        .json(&wanted)
        .nip98(&stranger)
        .await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    let too_many = json!({ "uses": 10_001 });
    let refused = relay
        .post("/api/invites")
        .json(&too_many)
        .nip98(&admin)
        .await;
    assert_eq!(refused.status, 400, "{}", refused.text());

    let code = invite(&relay, &admin, 5).await;
    let listed: Value = relay.get("/api/invites").nip98(&admin).await.json();
    assert_eq!(listed, json!({ "items": [{ "code": code, "uses": 5 }] }));
    let path = format!("/api/invites/{code}");
    assert_eq!(relay.delete(&path).nip98(&admin).await.status, 204);
    assert_eq!(relay.delete(&path).nip98(&admin).await.status, 404);
    let verdict = relay
        .connect()
        .await
        .publish(&request(&stranger, &code))
        .await;
    verdict.assert_refused(UNKNOWN);
    relay.stop().await;
}

#[tokio::test]
async fn c10_the_operator_makes_invites_through_the_management_api() {
    let operator = Author::new(1);
    let information = format!("[information]\npubkey = \"{}\"\n", operator.pubkey());
    let setup = TestRelay::of::<InviteOnly>().config(&information);
    let relay = setup.config(&table(&operator)).start().await;
    let code = relay.manage(&operator, "createinvite", json!([2])).await;
    let code = code.expect("a code");
    let alice = Author::new(2);
    let mut client = relay.connect().await;
    let code = code.as_str().expect("text");
    client.store(&request(&alice, code)).await;
    for wrong in [json!([0]), json!(["many"]), json!([1, 2])] {
        let answer = relay.manage(&operator, "createinvite", wrong).await;
        let error = "createinvite takes [uses], 1 to 10000".to_owned();
        assert_eq!(answer, Err(error));
    }
    relay.stop().await;
}

#[tokio::test]
async fn e10_it_passes_what_every_extension_should() {
    let admin = Author::new(1).pubkey();
    conformance::<InviteOnly>(&format!("admins = [\"{admin}\"]")).await;
}

#[tokio::test]
async fn e9_a_request_from_before_the_extension_was_on_makes_no_member() {
    const EXTENSIONS: &[Compiled] = &[Compiled::of::<InviteOnly>()];
    let (admin, alice, bob) = (Author::new(1), Author::new(2), Author::new(3));
    let mut relay = TestRelay::setup().extensions(EXTENSIONS).start().await;
    let mut client = relay.connect().await;
    client.store(&request(&alice, "made up")).await;
    relay.reconfigure(&table(&admin)).await.expect("it is on");
    // Once Bob is a member the older request has been looked at.
    let code = invite(&relay, &admin, 1).await;
    client.store(&request(&bob, &code)).await;
    store_soon(&mut client, &bob.note("hello")).await;
    let verdict = client.publish(&alice.note("hello")).await;
    verdict.assert_refused(FOR_MEMBERS);
    relay.stop().await;
}
