//! D4: groups after a restore.

use super::ground::{ADMIN, GROUP, Ground, MEMBER, STRANGER, found};
use trellis_relay::testing::{TestRelay, json};

fn over(relay: TestRelay) -> Ground {
    Ground { relay }
}

#[tokio::test]
async fn d4_a_restored_relay_judges_groups_as_the_lost_one_did() {
    let ground = Ground::with_group("", ["private", "closed"], &[MEMBER, STRANGER]).await;
    let mut member = ground.client(MEMBER).await;
    let words = ground.message(MEMBER, GROUP, "before");
    member.store(&words).await;
    let backup = ground.relay.back_up().await;
    assert_eq!(backup.places().len(), 0, "all of it is in rows");
    let before = ground.relay.backed_up_rows("groups");
    assert!(!before.is_empty());
    let removal = ground.remove(ADMIN, GROUP, STRANGER);
    ground.client(ADMIN).await.store(&removal).await;
    ground.until_members(GROUP, 2).await;
    let after = ground.relay.backed_up_rows("groups");
    assert_ne!(after, before);

    let ground = over(ground.relay.kill_and_restore(&backup).await);
    let lost = after.iter().filter(|row| {
        // What is written to wait for others says nothing.
        let rows = ground.relay.backed_up_rows("groups");
        !rows.contains(row)
    });
    assert_eq!(lost.count(), 0);
    let filter = json!({"kinds": [9], "#h": [GROUP]});
    let mut member = ground.client(MEMBER).await;
    assert_eq!(found(&mut member, filter.clone()).await, Ok(1));
    let mut removed = ground.client(STRANGER).await;
    assert_ne!(found(&mut removed, filter).await, Ok(1));
    let more = ground.message(STRANGER, GROUP, "after");
    assert!(!removed.publish(&more).await.is_accepted());
    member.store(&ground.message(MEMBER, GROUP, "after")).await;
}
