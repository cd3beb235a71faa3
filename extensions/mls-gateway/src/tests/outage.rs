//! A database that is away: nothing leaks, and it is told apart from a refusal.

use super::ground::{GROUP, Ground, in_group};
use crate::MlsGateway;
use futures_util::future::join_all;
use std::time::Duration;
use trellis_relay::testing::{Conformance, json, until};

const MEMBER: u64 = 2;
const INTERNAL: &str = "error: the relay could not do this now; try again later";

#[tokio::test]
async fn m22_where_membership_cannot_be_read_nothing_is_delivered() {
    let ground = Ground::start("group_cache_ttl = 2").await;
    ground.found(GROUP, &[MEMBER]).await;
    let mut member = ground.client(MEMBER).await;
    let message = ground.message(GROUP, "hello");
    member.store(&message).await;
    assert_eq!(
        member.subscribe("live", [in_group(445, GROUP)]).await,
        Ok(vec![message.clone()])
    );

    // Relays of one process count together.
    let before = counted(&ground).await;
    ground
        .sql("ALTER TABLE rosters RENAME TO rosters_away")
        .await;
    // What is in memory is good for a while and no longer.
    ground.relay.clock().advance(Duration::from_secs(3));
    let read = member.query(in_group(445, GROUP)).await;
    assert_eq!(read, Err(INTERNAL.to_owned()));
    let refused = member.publish(&ground.message(GROUP, "lost")).await;
    refused.assert_refused(INTERNAL);
    let by_id = json!({"ids": [message.id().to_hex()]});
    assert_eq!(member.query(by_id.clone()).await, Ok(vec![]));
    let refused = member
        .publish(&ground.roster(MEMBER, GROUP, 9, "add", &[3]))
        .await;
    refused.assert_refused(INTERNAL);
    assert!(counted(&ground).await > before);
    // Others are not in the way.
    member.store(&ground.author(MEMBER).note("public")).await;

    ground
        .sql("ALTER TABLE rosters_away RENAME TO rosters")
        .await;
    until("the group is there again", async || {
        member.query(in_group(445, GROUP)).await == Ok(vec![message.clone()])
    })
    .await;
    assert_eq!(member.query(by_id).await, Ok(vec![message]));
}

#[tokio::test]
async fn m22_a_server_that_hangs_closes_what_is_for_members_alone() {
    // It takes connections, and never a request.
    let acl = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ground = Ground::start(&format!(
        "membership_source = 'acl'\nacl_url = 'http://{}'\n[outbound]\nallow_private = ['127.0.0.1/32']",
        acl.local_addr().unwrap()
    ))
    .await;
    let mut member = ground.client(MEMBER).await;
    let note = ground.author(MEMBER).draft(1).tag(["h", GROUP]).sign();
    member.store(&note).await;
    // More than it takes for a hook at fault to be skipped.
    let asked = (0..6).map(async |_| {
        let mut member = ground.client(MEMBER).await;
        member.query(in_group(445, GROUP)).await
    });
    for read in join_all(asked).await {
        assert_eq!(read, Err(INTERNAL.to_owned()));
    }
    let all = json!({"#h": [GROUP]});
    assert_eq!(member.query(all).await, Ok(vec![note.clone()]));
    let mixed = json!({"kinds": [1, 445], "#h": [GROUP]});
    assert_eq!(member.query(mixed).await, Ok(vec![note]));
    assert_eq!(ground.relay.status("mls_gateway").faults, 0);
}

/// How often membership could not be read.
async fn counted(ground: &Ground) -> f64 {
    let failures = [("stage", "membership")];
    let name = "mls_gateway_errors_by_stage_total";
    ground.relay.metric(name, &failures).await
}

#[tokio::test]
async fn e6_the_gateway_survives_what_every_extension_should() {
    let table = "allow_open_bootstrap = true";
    let conformance = Conformance::of::<MlsGateway>(table);
    let changed = conformance.changed("author_can_read_own = true");
    changed.run().await.assert_passed();
}
