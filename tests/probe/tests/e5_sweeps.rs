//! E5: an extension keeps its events from rules of retention and from requests to vanish, and cannot refuse these.

use trellis_test_support::probe;
use trellis_test_support::{Author, Client, Event, json, now, trellis_probe, wait};

fn old(author: &Author, guarded: bool) -> Event {
    let draft = author.draft(7000).at(now() - 5_000);
    match guarded {
        true => draft.probe("guard_removal", "no").sign(),
        false => draft.sign(),
    }
}

#[tokio::test]
async fn e5_a_guarded_event_survives_retention_and_holds_up_nothing() {
    let rule = "[data]\nretention_interval = \"100ms\"\n[[retention]]\nmax_age = \"1h\"";
    let config = format!("{}{rule}", probe::table(&["guard_removal"], ""));
    let relay = trellis_probe!().config(&config).start().await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    let kept = old(&author, true);
    client.store(&kept).await;
    for _ in 0..2 {
        client.store(&old(&author, false)).await;
        wait::until("the others to be gone", async || {
            let left = client.query(json!({"kinds": [7000]})).await;
            (left == std::slice::from_ref(&kept)).then_some(())
        })
        .await;
    }
    assert!(probe::calls(&relay, "guard_removal").await >= 2);
}

#[tokio::test]
async fn e5_a_guarded_event_is_shown_again_after_its_author_vanished() {
    let config = probe::table(&["guard_removal", "stored"], "");
    let relay = trellis_probe!().config(&config).start().await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    let (kept, gone) = (old(&author, true), old(&author, false));
    client.store_all(&[kept.clone(), gone.clone()]).await;
    let request = author.draft(62).tag(&["relay", "ALL_RELAYS"]).sign();
    client.store(&request).await;
    probe::wait_for_change(&relay, &format!("removed {}", gone.id.to_hex())).await;
    wait::until("the kept event", async || {
        let left = client.query(json!({"kinds": [7000]})).await;
        (left == std::slice::from_ref(&kept)).then_some(())
    })
    .await;
    client
        .publish(&gone)
        .await
        .assert_refused("blocked:", "NIP-62");
}

#[tokio::test]
async fn e5_an_extension_is_not_asked_whether_somebody_may_vanish() {
    let config = "[extensions.probe]\nhooks = [\"admit\", \"admit_async\"]\nkinds = [1, 62]";
    let relay = trellis_probe!().config(config).start().await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    let note = author.draft(1).probe("admit", "no").sign();
    client.publish(&note).await.assert_refused("blocked:", "");
    let calls = probe::calls(&relay, "admit").await;
    assert!(calls > 0);
    let request = author.draft(62).probe("admit", "no");
    let request = request.tag(&["relay", "ALL_RELAYS"]).sign();
    client.store(&request).await;
    assert_eq!(probe::calls(&relay, "admit").await, calls);
}
