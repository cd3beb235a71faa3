//! Who may publish what, and what it does.

use super::ground::{ADMIN, GROUP, Ground, OPEN_GROUP, in_group, key};
use std::time::Duration;
use trellis_relay::event::Event;
use trellis_relay::testing::{Client, json, until};

const MEMBER: u64 = 2;
const STRANGER: u64 = 3;
const INVITED: u64 = 4;

async fn refused(client: &mut Client, event: &Event, words: &str) {
    client.publish(event).await.assert_refused(words);
}

#[tokio::test]
async fn m9_messages_into_a_group_come_from_its_members() {
    let ground = Ground::start("").await;
    ground.found(GROUP, &[MEMBER]).await;
    let message = ground.message(GROUP, "hello");
    let mut nobody = ground.relay.connect().await;
    let words = "auth-required: log in as a member of the group (NIP-42)";
    refused(&mut nobody, &message, words).await;
    let mut stranger = ground.client(STRANGER).await;
    let words = "restricted: only members of the group may publish into it";
    refused(&mut stranger, &message, words).await;
    ground.client(MEMBER).await.store(&message).await;

    let open = Ground::start("managed_group_publish = 'any'").await;
    open.found(GROUP, &[MEMBER]).await;
    open.relay
        .connect()
        .await
        .store(&open.message(GROUP, "hello"))
        .await;
}

#[tokio::test]
async fn m21_an_id_that_can_be_guessed_must_be_registered_first() {
    let ground = Ground::start("").await;
    let mut nobody = ground.relay.connect().await;
    let message = ground.message("grp_abc", "hello");
    refused(&mut nobody, &message, "restricted: unknown group").await;
    let upper = ground.message(&OPEN_GROUP.to_uppercase(), "hello");
    refused(&mut nobody, &upper, "restricted: unknown group").await;
    ground.found("grp_abc", &[MEMBER]).await;
    ground.client(MEMBER).await.store(&message).await;
    let closed = nobody.query(in_group(445, "grp_abc")).await.unwrap_err();
    assert_eq!(
        closed,
        "auth-required: log in to read this (NIP-42); it is for members and recipients only"
    );
}

#[tokio::test]
async fn m21_groups_without_a_roster_are_what_the_operator_makes_of_them() {
    for (knob, unauthenticated, authenticated) in [
        ("h_capability", None, None),
        (
            "authenticated",
            Some("auth-required: log in to publish into groups (NIP-42)"),
            None,
        ),
        (
            "deny",
            Some("restricted: unknown group"),
            Some("restricted: unknown group"),
        ),
    ] {
        let ground = Ground::start(&format!("unmanaged_groups = '{knob}'")).await;
        let clients = [ground.relay.connect().await, ground.client(STRANGER).await];
        let expected = [("nobody", unauthenticated), ("somebody", authenticated)];
        for (mut client, (who, expected)) in clients.into_iter().zip(expected) {
            let words = format!("{knob}, {who}");
            let message = ground.message(OPEN_GROUP, &words);
            let verdict = client.publish(&message).await;
            assert_eq!(verdict.reason(), expected.unwrap_or_default(), "{words}");
            let read = client.query(in_group(445, OPEN_GROUP)).await;
            assert_eq!(
                read.is_ok_and(|it| it.contains(&message)),
                expected.is_none(),
                "{words}"
            );
        }
    }
}

#[tokio::test]
async fn m13_requests_for_packages_come_from_the_relay_and_its_admins() {
    let system = format!("system_pubkey = '{}'", key(9));
    let ground = Ground::start(&system).await;
    let letter = |from| ground.letter(447, from, MEMBER, "more please");
    let mut nobody = ground.relay.connect().await;
    let words = "auth-required: log in to publish this (NIP-42)";
    refused(&mut nobody, &letter(ADMIN), words).await;
    let mut stranger = ground.client(STRANGER).await;
    let words = "restricted: only this relay and its admins ask for KeyPackages";
    refused(&mut stranger, &letter(STRANGER), words).await;
    ground.client(ADMIN).await.store(&letter(ADMIN)).await;
    ground.client(9).await.store(&letter(9)).await;
}

#[tokio::test]
async fn m10_limits_count_who_sends_and_not_who_signs() {
    let ground = Ground::start("rate_limits.max_group_messages_per_minute = 2").await;
    let mut one = ground.client(STRANGER).await;
    for words in ["a", "b"] {
        one.store(&ground.message(OPEN_GROUP, words)).await;
    }
    let verdict = one.publish(&ground.message(OPEN_GROUP, "c")).await;
    assert!(
        verdict
            .reason()
            .starts_with("rate-limited: too many group messages")
    );
    let mut other = ground.client(MEMBER).await;
    other.store(&ground.message(OPEN_GROUP, "d")).await;
    // The limit for all kinds is another.
    one.store(&ground.letter(446, STRANGER, MEMBER, "still"))
        .await;
}

#[tokio::test]
async fn m10_an_address_has_a_limit_however_many_keys_it_has() {
    let ground = Ground::start("rate_limits.max_events_per_minute_per_address = 3").await;
    for number in 0..3 {
        let mut fresh = ground.client(100 + number).await;
        let words = number.to_string();
        fresh.store(&ground.message(OPEN_GROUP, &words)).await;
    }
    let mut fresh = ground.client(200).await;
    let verdict = fresh.publish(&ground.message(OPEN_GROUP, "more")).await;
    let words = "rate-limited: too many events of private groups";
    assert!(verdict.reason().starts_with(words), "{}", verdict.reason());
    fresh
        .store(&ground.author(200).note("of another kind"))
        .await;
}

#[tokio::test]
async fn m12_an_admins_gift_wrap_makes_its_recipient_a_member() {
    let ground = Ground::start("").await;
    ground.found(GROUP, &[MEMBER]).await;
    let wrap = |words: &str| {
        let draft = ground.author(77).draft(1059).tag(["p", &key(INVITED)]);
        draft.tag(["h", GROUP]).content(words).sign()
    };
    let message = ground.message(GROUP, "hello");
    let mut member = ground.client(MEMBER).await;
    member.store(&message).await;
    member.store(&wrap("from a member")).await;
    let mut invited = ground.client(INVITED).await;
    assert_eq!(invited.query(in_group(445, GROUP)).await, Ok(vec![]));
    ground
        .client(ADMIN)
        .await
        .store(&wrap("from an admin"))
        .await;
    let read = invited.query(in_group(445, GROUP)).await;
    assert_eq!(read, Ok(vec![message]));
    // An unknown group stays unknown.
    let draft = ground.author(77).draft(1059).tag(["p", &key(INVITED)]);
    let wrap = draft.tag(["h", "grp_new"]).sign();
    ground.client(STRANGER).await.store(&wrap).await;
    let mut stranger = ground.client(STRANGER).await;
    let message = ground.message("grp_new", "hello");
    refused(&mut stranger, &message, "restricted: unknown group").await;
}

#[tokio::test]
async fn m12_who_was_removed_does_not_come_back_by_an_old_gift_wrap() {
    let ground = Ground::start("").await;
    ground.found(GROUP, &[MEMBER]).await;
    // Signed by an admin with the key that everybody knows, so that anybody may bring it.
    let wrap = |age: Duration| {
        let draft = ground.author(ADMIN).draft(1059).tag(["p", &key(INVITED)]);
        draft.tag(["h", GROUP]).ago(age).sign()
    };
    let old = wrap(Duration::from_secs(4 * 86_400));
    let fresh = wrap(Duration::ZERO);
    let mut invited = ground.client(INVITED).await;
    invited.store(&fresh).await;
    ground.relay.clock().advance(Duration::from_secs(1));
    let removal = ground.roster(ADMIN, GROUP, 2, "remove", &[INVITED]);
    ground.client(ADMIN).await.store(&removal).await;
    let message = ground.message(GROUP, "without you");
    ground.client(MEMBER).await.store(&message).await;
    let deletion = ground.author(INVITED).deletion([&fresh]);
    invited.store(&deletion).await;
    assert!(!invited.publish(&fresh).await.is_accepted());
    invited.store(&old).await;
    let read = invited.query(in_group(445, GROUP)).await;
    assert_eq!(read, Ok(vec![]));
}

#[tokio::test]
async fn m14_a_roster_event_is_not_dated_back() {
    let ground = Ground::start("").await;
    let draft = ground.roster_draft(ADMIN, GROUP, 1, "bootstrap", &[MEMBER]);
    let old = draft.ago(Duration::from_secs(2 * 86_400)).sign();
    let mut admin = ground.client(ADMIN).await;
    let words = "invalid: a roster event must not be dated back by more than a day";
    refused(&mut admin, &old, words).await;
    let roster = ground.roster(ADMIN, GROUP, 1, "bootstrap", &[MEMBER]);
    admin.store(&roster).await;
}

#[tokio::test]
async fn m12_the_first_gift_wrap_may_found_a_group() {
    let ground = Ground::start("profile = 'seed002'").await;
    let draft = ground.author(77).draft(1059).tag(["p", &key(INVITED)]);
    let wrap = draft.tag(["h", "grp_abc123"]).sign();
    let mut founder = ground.client(MEMBER).await;
    let message = ground.message("grp_abc123", "welcome");
    founder.store(&message).await;
    // Until there is a roster nobody reads what is in a group with such an id.
    let nobody = founder.query(in_group(445, "grp_abc123")).await;
    assert!(nobody.is_err());
    founder.store(&wrap).await;
    let mut invited = ground.client(INVITED).await;
    let read = invited.query(in_group(445, "grp_abc123")).await;
    assert_eq!(read, Ok(vec![message.clone()]));
    let mut stranger = ground.client(STRANGER).await;
    let closed = stranger.query(in_group(445, "grp_abc123")).await;
    assert_eq!(
        closed,
        Err("restricted: this is for members and recipients only".to_owned())
    );
    // The founder owns it.
    founder
        .store(&ground.roster(MEMBER, "grp_abc123", 1, "add", &[STRANGER]))
        .await;
    let read = stranger.query(in_group(445, "grp_abc123")).await;
    assert_eq!(read, Ok(vec![message]));
}

#[tokio::test]
async fn m17_nobody_deletes_a_roster_event_but_the_operator() {
    let ground = Ground::start("").await;
    let event = ground.roster(ADMIN, GROUP, 1, "bootstrap", &[MEMBER]);
    let mut admin = ground.client(ADMIN).await;
    admin.store(&event).await;
    admin.store(&ground.author(ADMIN).deletion([&event])).await;
    let read = admin.query(json!({"kinds": [450]})).await;
    assert_eq!(read, Ok(vec![event]));
}

#[tokio::test]
async fn m12_recipients_delete_what_was_wrapped_for_them() {
    let ground = Ground::start("").await;
    let wrap = ground.letter(1059, 77, INVITED, "sealed");
    ground.relay.connect().await.store(&wrap).await;
    let mut recipient = ground.client(INVITED).await;
    assert_eq!(
        recipient.query(json!({"kinds": [1059]})).await,
        Ok(vec![wrap.clone()])
    );
    recipient
        .store(&ground.author(INVITED).deletion([&wrap]))
        .await;
    assert_eq!(recipient.query(json!({"kinds": [1059]})).await, Ok(vec![]));
}

#[tokio::test]
async fn m6_an_addressable_package_is_replaced_by_its_name() {
    let ground = Ground::start("").await;
    let package = |d: &str, content: &str, age_s: u64| {
        let draft = ground
            .author(MEMBER)
            .draft(30443)
            .tag(["d", d])
            .content(content);
        draft.ago(std::time::Duration::from_secs(age_s)).sign()
    };
    let (old, new, other) = (
        package("a", "01", 9),
        package("a", "02", 8),
        package("b", "03", 7),
    );
    let mut nobody = ground.relay.connect().await;
    for event in [&old, &new, &other] {
        nobody.store(event).await;
    }
    let read = nobody.query(json!({"kinds": [30443]})).await;
    assert_eq!(read, Ok(vec![other, new]));
}

#[tokio::test]
async fn m9_messages_tell_the_registry_of_epochs_and_never_who_is_a_member() {
    let ground = Ground::start("").await;
    ground.found(GROUP, &[MEMBER]).await;
    let mut member = ground.client(MEMBER).await;
    for epoch in ["3", "7", "5"] {
        let draft = ground
            .author(50)
            .draft(445)
            .tag(["h", GROUP])
            .tag(["k", epoch]);
        member
            .store(&draft.tag(["p", &key(STRANGER)]).content(epoch).sign())
            .await;
    }
    until("the registry has heard of them", async || {
        let epoch = ground
            .number("SELECT last_epoch FROM groups WHERE last_event_ts > 0")
            .await;
        epoch == Some(7)
    })
    .await;
    assert_eq!(ground.number("SELECT count(*) FROM members").await, Some(2));
}

#[tokio::test]
async fn m15_no_group_is_founded_while_the_operator_wants_none() {
    let ground = Ground::start("\n[operation]\nmode = 'no_new_groups'").await;
    let mut admin = ground.client(ADMIN).await;
    let founding = ground.roster(ADMIN, GROUP, 1, "bootstrap", &[MEMBER]);
    let verdict = admin.publish(&founding).await;
    assert!(
        verdict.reason().starts_with("blocked: maintenance"),
        "{}",
        verdict.reason()
    );
}

#[tokio::test]
async fn m15_a_group_grows_to_its_greatest_size_and_no_further() {
    let ground = Ground::start("max_group_members = 3").await;
    ground.found(GROUP, &[2]).await;
    let mut admin = ground.client(ADMIN).await;
    let too_large = "invalid: a group has at most 3 members here";
    let many = ground.roster(ADMIN, GROUP, 2, "add", &[3, 4]);
    admin.publish(&many).await.assert_refused(too_large);
    admin
        .store(&ground.roster(ADMIN, GROUP, 2, "add", &[3]))
        .await;
    let draft = ground.author(99).draft(1059).tag(["p", &key(4)]);
    let wrap = draft.tag(["h", GROUP]).content("sealed").sign();
    admin.publish(&wrap).await.assert_refused(too_large);
    admin
        .store(&ground.roster(ADMIN, GROUP, 3, "remove", &[3]))
        .await;
    admin.store(&wrap).await;
}
