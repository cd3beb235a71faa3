//! The extension in a whole relay: what members and others are told, and what they see.

use members_only::MembersOnly;
use std::time::Duration;
use trellis_relay::testing::{Author, TestRelay, conformance, json};

fn config(members: &[&Author]) -> String {
    let members: Vec<_> = members.iter().map(|it| it.pubkey().to_hex()).collect();
    format!("[extensions.members_only]\nmembers = {members:?}\nprivate = [445]\nmessage = 'ask us'")
}

async fn relay_of(member: &Author) -> TestRelay {
    let config = config(&[member]);
    TestRelay::of::<MembersOnly>().config(&config).start().await
}

#[tokio::test]
async fn only_members_publish() {
    let (member, other) = (Author::new(1), Author::new(2));
    let relay = relay_of(&member).await;
    let mut client = relay.connect_as(&member).await;
    client.store(&member.note("hello")).await;
    // Who sends it counts, not who wrote it.
    client.store(&other.note("carried by a member")).await;

    let mut client = relay.connect().await;
    let note = other.note("from outside");
    let refused = client.publish(&note).await;
    refused.assert_refused("auth-required: ask us");
    client.login(&other).await;
    let refused = client.publish(&note).await;
    refused.assert_refused("restricted: ask us");
}

#[tokio::test]
async fn only_members_see_private_kinds() {
    let member = Author::new(1);
    let relay = relay_of(&member).await;
    let (mut inside, mut outside) = (relay.connect_as(&member).await, relay.connect().await);
    for client in [&mut inside, &mut outside] {
        assert_eq!(client.subscribe("live", [json!({})]).await, Ok(vec![]));
    }
    let private = member.draft(445).sign();
    let public = member.draft(1).ago(Duration::from_secs(1)).sign();
    for event in [&private, &public] {
        inside.store(event).await;
        assert_eq!(inside.next_event("live").await, *event);
    }
    assert_eq!(outside.next_event("live").await, public);
    outside.assert_no_event("live").await;

    for all in [json!({}), json!({"kinds": [1, 445]})] {
        let both = vec![private.clone(), public.clone()];
        assert_eq!(inside.query(all.clone()).await, Ok(both));
        assert_eq!(outside.query(all.clone()).await, Ok(vec![public.clone()]));
        assert_eq!(outside.count(all).await, Ok(1));
    }
    let closed = outside.query(json!({"kinds": [445]})).await;
    assert_eq!(closed, Err("auth-required: ask us".to_owned()));
}

#[tokio::test]
async fn members_come_and_go_while_they_are_connected() {
    let (member, joins) = (Author::new(1), Author::new(2));
    let mut relay = relay_of(&member).await;
    let mut client = relay.connect_as(&joins).await;
    let note = joins.note("hello");
    let refused = client.publish(&note).await;
    refused.assert_refused("restricted: ask us");
    relay.reconfigure(&config(&[&joins])).await.expect("right");
    client.store(&note).await;
}

#[tokio::test]
async fn it_survives_what_every_extension_should() {
    conformance::<MembersOnly>("members = []\nprivate = [445, [30000, 30010]]\nmessage = 'no'")
        .await;
}
