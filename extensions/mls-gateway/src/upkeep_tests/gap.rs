//! A gap in what the relay knows of removals.

use super::ground::{Database, host, letter};
use crate::archive::{Looked, look_for};
use crate::storage::Archived;
use std::sync::Arc;
use trellis_relay::event::Event;
use trellis_relay::store::Write;
use trellis_relay::testing::Author;

fn copy(event: &Event) -> Archived {
    let recipient = event.first_tag_value("p").unwrap().into_owned();
    Archived {
        position: 0,
        id: *event.id(),
        kind: event.kind(),
        pubkey: *event.pubkey(),
        group_id: None,
        recipient: Some(trellis_relay::event::PublicKey::from_hex(&recipient).unwrap()),
        created_at_s: event.created_at(),
        archived_at_s: event.created_at(),
        json: String::from_utf8(event.json().to_vec()).unwrap(),
    }
}

#[tokio::test]
async fn m30_after_a_gap_what_was_deleted_is_forgotten_and_the_rest_stays() {
    let database = Database::new("").await;
    let (host, harness) = host().await;
    let [alice, bob, carol, mallory] = [1, 2, 3, 4].map(Author::new);
    let stored = letter(&alice, 446, 2, "stored").sign();
    let elsewhere = letter(&alice, 446, 2, "another instance's").sign();
    let by_author = letter(&alice, 446, 2, "deleted by its author").sign();
    let by_recipient = letter(&alice, 1059, 2, "deleted by its recipient").sign();
    // Who a Noise message is for may not have it deleted, nor may anybody else.
    let by_others = letter(&alice, 446, 2, "deleted by others").sign();
    let vanished = letter(&carol, 446, 2, "of one who vanished").sign();
    // So is a deletion that comes before many of somebody else, of what is his and of what is not.
    let crowded = letter(&alice, 446, 2, "deleted in a crowd").sign();
    let of_mallory = letter(&mallory, 446, 2, "beside it").sign();
    let all = [
        &crowded,
        &of_mallory,
        &stored,
        &elsewhere,
        &by_author,
        &by_recipient,
        &by_others,
        &vanished,
    ];
    let copies: Vec<_> = all.iter().map(|event| copy(event)).collect();
    database.storage.archive(&copies).await.unwrap();

    let store = |event: &Event| Write::Put(Arc::new(event.clone()));
    let vanish = carol.draft(62).tag(["relay", "ALL_RELAYS"]).sign();
    let batch = [
        store(&stored),
        store(&alice.deletion([&by_author])),
        store(&bob.deletion([&by_recipient, &by_others])),
        Write::Vanish(Arc::new(vanish)),
    ];
    harness.core.commit(&batch).unwrap();
    // More than an answer holds, and newer.
    let true_one = alice.deletion([&crowded]);
    harness.core.commit(&[store(&true_one)]).unwrap();
    let crowd = (1..=10_000).map(|later_s| {
        let draft = mallory.draft(5).at(true_one.created_at() + later_s);
        store(&draft.tag(["e", &crowded.id().to_hex()]).sign())
    });
    let crowd: Vec<Write> = crowd.collect();
    for some in crowd.chunks(500) {
        harness.core.commit(some).unwrap();
    }
    look_for(&host, &*database.storage, &Looked::default(), 7)
        .await
        .unwrap();
    assert!(
        database
            .holds(&[&of_mallory, &stored, &elsewhere, &by_others])
            .await
    );
    harness.host.shutdown().await;
}
