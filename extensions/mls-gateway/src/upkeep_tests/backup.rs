//! D4: the gateway's database in a backup, and what a restore makes of it.

use super::ground::{ADMIN, GROUP, column, hex, message};
use crate::MlsGateway;
use std::path::{Path, PathBuf};
use trellis_relay::event::Event;
use trellis_relay::testing::{Backup, TestRelay, json, until};

const MEMBER: u64 = 2;
const REMOVED: u64 = 3;

/// A relay with its database where it is unless somebody says otherwise.
async fn start() -> TestRelay {
    let table = format!(
        "[extensions.mls_gateway]\nadmin_pubkeys = ['{}']",
        hex(ADMIN)
    );
    let relay = TestRelay::of::<MlsGateway>().config(&table);
    relay.start().await
}

fn roster(relay: &TestRelay, seq: u64, op: &str, members: &[u64]) -> Event {
    let draft = relay.author(ADMIN).draft(450).tag(["h", GROUP]);
    let draft = draft.tag(["seq", &seq.to_string()]).tag(["op", op]);
    let members = members.iter();
    let draft = members.fold(draft, |draft, member| draft.tag(["p", &hex(*member)]));
    draft.sign()
}

async fn publish(relay: &TestRelay, who: u64, event: &Event) {
    let mut client = relay.connect_as(&relay.author(who)).await;
    client.store(event).await;
}

fn database(backup: &Backup) -> PathBuf {
    backup.files("mls_gateway").remove(0)
}

/// The first backup in which just these events are in the archive.
async fn backup_with(relay: &TestRelay, archived: &[&Event]) -> Backup {
    let mut wanted: Vec<_> = archived.iter().map(|it| it.id().to_hex()).collect();
    wanted.sort_unstable();
    let mut found = None;
    until("the archive", async || {
        let backup = relay.back_up().await;
        let query = "SELECT lower(hex(id)) FROM archived_events ORDER BY 1";
        let has_them = column(&database(&backup), query).await == wanted;
        found = has_them.then_some(backup);
        has_them
    })
    .await;
    found.unwrap()
}

/// The messages of the group that somebody is given.
async fn seen_by(relay: &TestRelay, who: u64) -> Vec<Event> {
    let mut client = relay.connect_as(&relay.author(who)).await;
    let found = client.query(json!({"kinds": [445], "#h": [GROUP]})).await;
    found.unwrap_or_default()
}

#[tokio::test]
async fn d4_a_restored_database_is_brought_up_to_the_store_before_anybody_is_served() {
    let relay = start().await;
    let founding = roster(&relay, 1, "bootstrap", &[MEMBER, REMOVED]);
    publish(&relay, ADMIN, &founding).await;
    let (first, second, third) = (message(&relay, 1), message(&relay, 2), message(&relay, 3));
    publish(&relay, MEMBER, &first).await;
    publish(&relay, MEMBER, &second).await;
    let old = backup_with(&relay, &[&first, &second]).await;
    assert_eq!(old.places(), [Path::new("mls_auxiliary.db")]);

    // What the copy does not know: a message, a deletion, and that somebody was put out.
    publish(&relay, MEMBER, &third).await;
    let deletion = relay.author(1_001).deletion([&first]);
    publish(&relay, MEMBER, &deletion).await;
    let removal = roster(&relay, 2, "remove", &[REMOVED]);
    publish(&relay, ADMIN, &removal).await;
    backup_with(&relay, &[&second, &third]).await;

    let relay = relay.kill_and_restore(&old).await;
    assert_eq!(seen_by(&relay, REMOVED).await, []);
    assert_eq!(seen_by(&relay, MEMBER).await.len(), 2);
    let new = backup_with(&relay, &[&second, &third]).await;
    let members = "SELECT pubkey FROM members ORDER BY 1";
    let members = column(&database(&new), members).await;
    let mut wanted = [hex(ADMIN), hex(MEMBER)];
    wanted.sort_unstable();
    assert_eq!(members, wanted);
    // And it goes on as ever.
    let fourth = message(&relay, 4);
    publish(&relay, MEMBER, &fourth).await;
    let again = roster(&relay, 3, "add", &[REMOVED]);
    publish(&relay, ADMIN, &again).await;
    assert_eq!(seen_by(&relay, REMOVED).await.len(), 3);
    relay.stop().await;
}

#[tokio::test]
async fn d4_a_group_that_is_younger_than_the_copy_is_founded_again() {
    let relay = start().await;
    let old = backup_with(&relay, &[]).await;
    let founding = roster(&relay, 1, "bootstrap", &[MEMBER]);
    publish(&relay, ADMIN, &founding).await;
    let sealed = message(&relay, 1);
    publish(&relay, MEMBER, &sealed).await;
    let relay = relay.kill_and_restore(&old).await;
    assert_eq!(seen_by(&relay, REMOVED).await, []);
    assert_eq!(seen_by(&relay, MEMBER).await, [sealed]);
    relay.stop().await;
}

#[tokio::test]
async fn d4_rows_in_the_relays_store_tell_nothing_of_messages_or_members() {
    let relay = start().await;
    let founding = roster(&relay, 1, "bootstrap", &[MEMBER]);
    publish(&relay, ADMIN, &founding).await;
    publish(&relay, MEMBER, &message(&relay, 1)).await;
    let rows = relay.backed_up_rows("mls_gateway");
    let keys: Vec<_> = rows.iter().map(|(key, _)| key.as_slice()).collect();
    assert_eq!(keys, [&b"refill/position"[..]]);
    relay.stop().await;
}
