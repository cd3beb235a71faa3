//! What changes while subscriptions are open: who logs in, comes and goes.

use super::ground::{ADMIN, GROUP, Ground, OPEN_GROUP, in_group};
use trellis_relay::testing::{Reply, json, until};

const MEMBER: u64 = 2;
const NEWCOMER: u64 = 3;

#[tokio::test]
async fn m20_auth_after_req_opens_later_messages() {
    let ground = Ground::start("").await;
    ground.found(GROUP, &[MEMBER]).await;
    let mut reader = ground.relay.connect().await;
    let opened = reader.subscribe("live", [in_group(445, GROUP)]).await;
    assert_eq!(opened, Ok(vec![]));
    let mut writer = ground.client(MEMBER).await;
    writer.store(&ground.message(GROUP, "before")).await;
    reader.assert_no_event("live").await;
    reader.login(&ground.author(MEMBER)).await;
    let after = ground.message(GROUP, "after");
    writer.store(&after).await;
    assert_eq!(reader.next_event("live").await, after);
}

#[tokio::test]
async fn m20_who_is_removed_receives_nothing_from_then_on() {
    let ground = Ground::start("").await;
    ground.found(GROUP, &[MEMBER, NEWCOMER]).await;
    let mut leaver = ground.client(MEMBER).await;
    let opened = leaver.subscribe("live", [in_group(445, GROUP)]).await;
    assert_eq!(opened, Ok(vec![]));
    let mut admin = ground.client(ADMIN).await;
    let first = ground.message(GROUP, "first");
    admin.store(&first).await;
    assert_eq!(leaver.next_event("live").await, first);
    leaver
        .send(json!([
            "NEG-OPEN",
            "set",
            in_group(445, GROUP),
            "6100000200"
        ]))
        .await;
    let opened = leaver.wait_for("NEG-MSG", |reply| match reply {
        Reply::Negentropy(message) => Some(message[0].clone()),
        _ => None,
    });
    assert_eq!(opened.await, "NEG-MSG");
    admin
        .store(&ground.roster(ADMIN, GROUP, 2, "remove", &[MEMBER]))
        .await;
    admin.store(&ground.message(GROUP, "second")).await;
    leaver.assert_no_event("live").await;
    let over = leaver.wait_for("the end of the reconciliation", |reply| match reply {
        Reply::Negentropy(message) => Some(message.clone()),
        _ => None,
    });
    assert_eq!(over.await[0], "NEG-ERR");
    let refused = leaver.publish(&ground.message(GROUP, "still here?")).await;
    refused.assert_refused("restricted: only members of the group may publish into it");
}

#[tokio::test]
async fn m20_who_is_added_receives_messages_through_what_was_open() {
    let ground = Ground::start("rate_limits.max_events_per_minute = 5000\nrate_limits.max_group_messages_per_minute = 5000").await;
    ground.found(GROUP, &[MEMBER]).await;
    let mut newcomer = ground.client(NEWCOMER).await;
    for (sub, filter) in [
        ("by name", in_group(445, GROUP)),
        ("by kind", json!({"kinds": [1, 445]})),
    ] {
        assert_eq!(newcomer.subscribe(sub, [filter]).await, Ok(vec![]));
    }
    let mut admin = ground.client(ADMIN).await;
    admin
        .store(&ground.roster(ADMIN, GROUP, 2, "add", &[NEWCOMER]))
        .await;
    let mut sent = 0;
    until("messages come through both", async || {
        sent += 1;
        admin
            .store(&ground.message(GROUP, &format!("number {sent}")))
            .await;
        newcomer.settle().await;
        let came = |of: &str| {
            let mut unread = newcomer.unread();
            unread.any(|it| matches!(it, Reply::Event(sub, _) if sub == of))
        };
        came("by name") && came("by kind")
    })
    .await;
}

#[tokio::test]
async fn m20_who_is_added_receives_a_message_once_through_several_filters() {
    let ground = Ground::start("rate_limits.max_events_per_minute = 5000\nrate_limits.max_group_messages_per_minute = 5000").await;
    ground.found(GROUP, &[MEMBER]).await;
    let mut newcomer = ground.client(NEWCOMER).await;
    let filters = [
        json!({"kinds": [1]}),
        in_group(445, GROUP),
        json!({"kinds": [7, 445]}),
    ];
    assert_eq!(newcomer.subscribe("live", filters).await, Ok(vec![]));
    let mut admin = ground.client(ADMIN).await;
    admin
        .store(&ground.roster(ADMIN, GROUP, 2, "add", &[NEWCOMER]))
        .await;
    let mut sent = Vec::new();
    until("messages come", async || {
        sent.push(ground.message(GROUP, &format!("number {}", sent.len())));
        admin.store(&sent[sent.len() - 1]).await;
        newcomer.settle().await;
        newcomer.unread().any(|it| matches!(it, Reply::Event(..)))
    })
    .await;
    for message in &sent {
        let copies = newcomer.unread();
        let copies = copies.filter(|it| matches!(it, Reply::Event(_, event) if event == message));
        assert!(copies.count() <= 1);
    }
}

#[tokio::test]
async fn m20_what_happens_in_one_group_disturbs_nothing_that_is_open_of_another() {
    const OTHER: &str = "team";
    let ground = Ground::start("").await;
    ground.found(GROUP, &[MEMBER]).await;
    ground.found(OTHER, &[]).await;
    let mut member = ground.client(MEMBER).await;
    let opened = member.subscribe("live", [in_group(445, GROUP)]).await;
    assert_eq!(opened, Ok(vec![]));
    let (open, empty) = (in_group(445, GROUP), "6100000200");
    member.send(json!(["NEG-OPEN", "set", open, empty])).await;
    let mut admin = ground.client(ADMIN).await;
    for (seq, op) in [(2, "add"), (3, "remove"), (4, "add")] {
        admin
            .store(&ground.roster(ADMIN, OTHER, seq, op, &[MEMBER]))
            .await;
        member.send(json!(["NEG-MSG", "set", empty])).await;
    }
    let message = ground.message(GROUP, "still open");
    admin.store(&message).await;
    assert_eq!(member.next_event("live").await, message);
    member.settle().await;
    let sets = member.unread().filter_map(|reply| match reply {
        Reply::Negentropy(said) => Some(said[0].clone()),
        _ => None,
    });
    assert_eq!(sets.collect::<Vec<_>>(), vec![json!("NEG-MSG"); 4]);
}

#[tokio::test]
async fn m20_who_is_added_may_go_on_reconciling_what_was_open() {
    let ground = Ground::start("").await;
    ground.found(GROUP, &[MEMBER]).await;
    let mut newcomer = ground.client(NEWCOMER).await;
    let asked = json!({"kinds": [1, 445]});
    newcomer
        .send(json!(["NEG-OPEN", "set", asked, "6100000200"]))
        .await;
    newcomer.settle().await;
    let mut admin = ground.client(ADMIN).await;
    admin
        .store(&ground.roster(ADMIN, GROUP, 2, "add", &[NEWCOMER]))
        .await;
    newcomer.send(json!(["NEG-MSG", "set", "6100000200"])).await;
    newcomer.settle().await;
    let sets = newcomer.unread().filter_map(|reply| match reply {
        Reply::Negentropy(said) => Some(said[0].clone()),
        _ => None,
    });
    assert_eq!(sets.collect::<Vec<_>>(), vec![json!("NEG-MSG"); 2]);
}

#[tokio::test]
async fn m31_a_change_by_another_instance_counts_within_moments() {
    let many = "rate_limits.max_events_per_minute = 5000\nrate_limits.max_group_messages_per_minute = 5000";
    let ground = Ground::start(many).await;
    ground.found(GROUP, &[MEMBER]).await;
    let second = ground.second(many).await;
    let mut writer = second.connect_as(&ground.author(MEMBER)).await;
    writer.store(&ground.message(GROUP, "here too")).await;
    let mut reader = second.connect_as(&ground.author(NEWCOMER)).await;
    assert_eq!(reader.query(in_group(445, GROUP)).await, Ok(vec![]));

    let mut admin = ground.client(ADMIN).await;
    admin
        .store(&ground.roster(ADMIN, GROUP, 2, "replace", &[ADMIN, NEWCOMER]))
        .await;
    let mut sent = 0;
    until("the second relay has heard of it", async || {
        sent += 1;
        let read = reader.query(in_group(445, GROUP)).await;
        let verdict = writer
            .publish(&ground.message(GROUP, &format!("number {sent}")))
            .await;
        verdict.reason().starts_with("restricted") && read.is_ok_and(|events| !events.is_empty())
    })
    .await;
}

#[tokio::test]
async fn m21_a_group_that_gets_a_roster_is_closed_to_all_but_members() {
    let ground = Ground::start("").await;
    let mut nobody = ground.relay.connect().await;
    let open = ground.message(OPEN_GROUP, "for all who know");
    nobody.store(&open).await;
    let read = nobody.query(in_group(445, OPEN_GROUP)).await;
    assert_eq!(read, Ok(vec![open.clone()]));
    ground.found(OPEN_GROUP, &[MEMBER]).await;
    assert_eq!(nobody.query(in_group(445, OPEN_GROUP)).await, Ok(vec![]));
    let refused = nobody.publish(&ground.message(OPEN_GROUP, "late")).await;
    refused.assert_refused("auth-required: log in as a member of the group (NIP-42)");
    let mut member = ground.client(MEMBER).await;
    assert_eq!(
        member.query(in_group(445, OPEN_GROUP)).await,
        Ok(vec![open])
    );
}
