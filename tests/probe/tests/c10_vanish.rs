//! C10: no extension can keep anybody from vanishing (NIP-62).

use trellis_test_support::probe::{calls, rows};
use trellis_test_support::{Author, Client, json, trellis_probe};

#[tokio::test]
async fn c10_a_commit_hook_that_refuses_or_fails_stops_no_request_to_vanish() {
    let table = "[extensions.probe]\nhooks = [\"commit\"]\nkinds = [62]\non_fault = \"closed\"\n";
    let relay = trellis_probe!().config(table).start().await;
    let mut client = Client::connect(&relay).await;
    let mut accepted = Vec::new();
    for (asked, action) in ["no", "panic", "error", "pass"].into_iter().enumerate() {
        let author = Author::new();
        let note = author.note("soon gone");
        client.store(&note).await;
        let request = |relay: &str| {
            let draft = author.draft(62).at(note.created_at.as_secs());
            draft.tag(&["relay", relay]).probe("commit", action).sign()
        };
        let here = request("ALL_RELAYS");
        client.store(&here).await;
        assert_eq!(calls(&relay, "commit").await, asked as u64 + 1, "{action}");
        let own = json!({"authors": [author.pubkey()]});
        assert_eq!(
            client.query(own).await,
            std::slice::from_ref(&here),
            "{action}"
        );
        client
            .publish(&note)
            .await
            .assert_refused("blocked:", "vanished");
        if action == "pass" {
            accepted.push(here.id.to_hex());
        }
    }
    assert_eq!(rows(&relay).await, accepted);
    relay.wait_for_log(0, "refused a request to vanish").await;
}
