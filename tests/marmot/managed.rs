//! A group with a roster: the relay lets in and shows to members alone, whatever MLS would let them decrypt.

use crate::person::{ADDRESSABLE_KEY_PACKAGE, Login, Person, messages_of, roster};
use nostr_sdk::prelude::PublicKey;
use trellis_test_support::{Relay, trellis};

/// Of a service that may ask for anybody.
pub(crate) const SERVICE_TOKEN: &str = "hR3kq0ZbT1mYw8vXo5Nc7LdJf2GsPa4E";

/// A relay that anybody may found groups on.
pub(crate) async fn relay() -> Relay {
    let table = "[extensions.mls_gateway]\nallow_open_bootstrap = true";
    let table = format!("{table}\nservice_tokens = {{ backend = '{SERVICE_TOKEN}' }}");
    trellis!().config(&table).start().await
}

/// Two who chat in a group of which the relay knows the roster: its owner, the other, its ids.
pub(crate) async fn two(relay: &Relay) -> (Person, Person, mdk_core::GroupId, String) {
    let alice = Person::new(relay, Login::Authenticates).await;
    let bob = Person::new(relay, Login::Authenticates).await;
    bob.publish_key_packages(relay, &[ADDRESSABLE_KEY_PACKAGE])
        .await;
    let package = alice.key_package_of(&bob.pubkey()).await;
    let (group, on_relay, welcomes) = alice.found(relay, vec![package], vec![alice.pubkey()]);
    change(&alice, &on_relay, 1, "bootstrap", &[bob.pubkey()]).await;
    alice.send_welcome(&welcomes[0], &bob.pubkey()).await;
    assert_eq!(bob.join().await, 1);
    (alice, bob, group, on_relay)
}

/// Publishes a change of the roster.
pub(crate) async fn change(by: &Person, on_relay: &str, seq: u64, op: &str, members: &[PublicKey]) {
    by.publish(&roster(&by.keys, on_relay, seq, op, members))
        .await;
}

#[tokio::test]
async fn m18_a_third_is_added_and_removed() {
    let relay = relay().await;
    let (alice, bob, group, on_relay) = two(&relay).await;
    alice.publish(&alice.says(&group, "two of us")).await;
    assert_eq!(bob.catches_up(&on_relay, None).await, ["two of us"]);

    let carol = Person::new(&relay, Login::Authenticates).await;
    carol
        .publish_key_packages(&relay, &[ADDRESSABLE_KEY_PACKAGE])
        .await;
    let not_yet = carol.says_nothing_of(&on_relay).await;
    assert!(not_yet, "not a member yet");
    let package = alice.key_package_of(&carol.pubkey()).await;
    let added = alice.mdk.add_members(&group, &[package]).expect("a commit");
    change(&alice, &on_relay, 2, "add", &[carol.pubkey()]).await;
    alice.publish(&added.evolution_event).await;
    alice.mdk.merge_pending_commit(&group).expect("merged");
    let welcomes = added.welcome_rumors.expect("a Welcome");
    alice.send_welcome(&welcomes[0], &carol.pubkey()).await;
    assert_eq!(carol.join().await, 1);
    bob.catches_up(&on_relay, None).await;
    bob.publish(&bob.says(&group, "three of us")).await;
    assert!(
        carol
            .catches_up(&on_relay, None)
            .await
            .contains(&"three of us".to_owned())
    );

    change(&alice, &on_relay, 3, "remove", &[carol.pubkey()]).await;
    let removed = alice
        .mdk
        .remove_members(&group, &[carol.pubkey()])
        .expect("a commit");
    alice.publish(&removed.evolution_event).await;
    alice.mdk.merge_pending_commit(&group).expect("merged");
    assert!(
        carol.says_nothing_of(&on_relay).await,
        "a member no more, not even of what she had seen"
    );
    let refused = carol.refused(&carol.says(&group, "let me in")).await;
    assert!(refused.contains("restricted:"), "{refused}");
    bob.catches_up(&on_relay, None).await;
    alice.publish(&alice.says(&group, "two again")).await;
    assert!(
        bob.catches_up(&on_relay, None)
            .await
            .contains(&"two again".to_owned())
    );
}

impl Person {
    /// Whether the relay shows this person nothing of a group.
    pub(crate) async fn says_nothing_of(&self, on_relay: &str) -> bool {
        self.fetch(messages_of(on_relay)).await.is_empty()
    }
}
