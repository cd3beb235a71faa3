//! What messages tell of their groups.

use super::ground::{Database, GROUP};
use trellis_relay::testing::until;

#[tokio::test]
async fn m26_an_epoch_that_could_not_be_told_is_told_once_the_database_is_back() {
    let database = Database::new("").await;
    let relay = database.relay().start().await;
    database.sql("ALTER TABLE groups RENAME TO away").await;
    let draft = relay.author(3).draft(445).tag(["h", GROUP]);
    let event = draft.tag(["k", "7"]).content("sealed").sign();
    relay.connect().await.store(&event).await;
    let of_hook = [("extension", "mls_gateway"), ("hook", "stored")];
    until("a failure that is counted", async || {
        let faults = relay.metric("trellis_extension_faults_total", &of_hook);
        faults.await >= 1.0
    })
    .await;
    database.sql("ALTER TABLE away RENAME TO groups").await;
    let group = async || database.storage.group(GROUP).await.unwrap();
    until("the epoch", async || {
        group().await.and_then(|group| group.last_epoch) == Some(7)
    })
    .await;
}
