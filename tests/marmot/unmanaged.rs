//! Groups that the relay knows nothing of: unmodified Marmot traffic, with the gateway's defaults.

use crate::person::{ADDRESSABLE_KEY_PACKAGE, KEY_PACKAGE, Login, Person};
use nostr_sdk::prelude::{Filter, Kind};
use trellis_test_support::trellis;

#[tokio::test]
async fn m6_marmot_clients_work_as_they_are_with_the_default_profile() {
    let relay = trellis!().config("[extensions.mls_gateway]").start().await;
    let bob = Person::new(&relay, Login::Authenticates).await;
    bob.publish_key_packages(&relay, &[KEY_PACKAGE, ADDRESSABLE_KEY_PACKAGE])
        .await;

    // Whoever founds the group never says who they are.
    let alice = Person::new(&relay, Login::Anonymous).await;
    let package = alice.key_package_of(&bob.pubkey()).await;
    let (group, on_relay, welcomes) = alice.found(&relay, vec![package], vec![alice.pubkey()]);
    alice.send_welcome(&welcomes[0], &bob.pubkey()).await;
    assert_eq!(bob.join().await, 1);

    let hello = alice.says(&group, "hello Bob");
    assert_ne!(
        hello.pubkey,
        alice.pubkey(),
        "signed by a key that is used once"
    );
    alice.publish(&hello).await;
    assert_eq!(bob.catches_up(&on_relay, None).await, ["hello Bob"]);
    let answer = bob.says(&group, "hello Alice");
    bob.publish(&answer).await;
    let read = alice.catches_up(&on_relay, None).await;
    assert!(read.contains(&"hello Alice".to_owned()), "{read:?}");
}

#[tokio::test]
async fn m12_nobody_but_the_recipient_gets_a_welcome() {
    let relay = trellis!().config("[extensions.mls_gateway]").start().await;
    let bob = Person::new(&relay, Login::Authenticates).await;
    bob.publish_key_packages(&relay, &[ADDRESSABLE_KEY_PACKAGE])
        .await;
    let alice = Person::new(&relay, Login::Authenticates).await;
    let package = alice.key_package_of(&bob.pubkey()).await;
    let (_, _, welcomes) = alice.found(&relay, vec![package], vec![alice.pubkey()]);
    alice.send_welcome(&welcomes[0], &bob.pubkey()).await;

    let wraps = || Filter::new().kind(Kind::GiftWrap).pubkey(bob.pubkey());
    let stranger = Person::new(&relay, Login::Authenticates).await;
    assert!(stranger.fetch(wraps()).await.is_empty());
    assert!(alice.fetch(wraps()).await.is_empty());
    assert_eq!(bob.join().await, 1);
}
