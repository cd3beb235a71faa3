//! Somebody with a valid AUTH who is no member: whatever they ask, and however.

use crate::managed::{relay, two};
use crate::person::{GROUP_MESSAGE, Login, Person, messages_of};
use nostr_sdk::prelude::{Filter, RelayPoolNotification, SyncOptions};
use trellis_test_support::wait;

#[tokio::test]
async fn m19_an_outsider_sees_nothing_by_any_way_out() {
    let relay = relay().await;
    let (alice, bob, group, on_relay) = two(&relay).await;
    let secret = alice.says(&group, "for Bob alone");
    alice.publish(&secret).await;
    let mallory = Person::new(&relay, Login::Authenticates).await;

    let by_group = messages_of(&on_relay);
    let by_kind = Filter::new().kind(GROUP_MESSAGE);
    let by_id = Filter::new().id(secret.id);
    let by_author = Filter::new().author(secret.pubkey);
    let everything = Filter::new();
    for filter in [by_group, by_kind, by_id, by_author, everything] {
        let seen = mallory.fetch(filter.clone()).await;
        assert!(
            !seen.iter().any(|event| event.kind == GROUP_MESSAGE),
            "{filter:?} showed {seen:?}"
        );
        // NIP-77: what mallory lacks is downloaded into an empty database.
        if let Ok(output) = mallory
            .client
            .sync(filter.clone(), &SyncOptions::default())
            .await
        {
            assert!(!output.val.received.contains(&secret.id), "{filter:?}");
            assert!(!output.val.remote.contains(&secret.id), "{filter:?}");
        }
    }

    // Live: one subscription that asks for everything, and a note at the end that has to come.
    let mut notifications = mallory.client.notifications();
    mallory
        .client
        .subscribe(Filter::new(), None)
        .await
        .expect("subscribed");
    alice
        .publish(&alice.says(&group, "live, for Bob alone"))
        .await;
    let last = nostr_sdk::EventBuilder::text_note("for everybody")
        .sign_with_keys(&alice.keys)
        .expect("signed");
    alice.publish(&last).await;
    let live = async {
        loop {
            if let Ok(RelayPoolNotification::Event { event, .. }) = notifications.recv().await {
                assert_ne!(event.kind, GROUP_MESSAGE);
                if event.id == last.id {
                    break;
                }
            }
        }
    };
    wait::within("the note for everybody", live).await;
    let lines = bob.catches_up(&on_relay, None).await;
    assert_eq!(lines.len(), 2, "{lines:?}");
}
