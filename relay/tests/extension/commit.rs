//! E3 and E5: hooks inside the write transaction.

use crate::support::*;
use trellis_relay::extension::prelude::Cause;
use trellis_relay::store::{Outcome, Store, StoreError, TxnRead, Write};

#[tokio::test]
async fn e3_a_veto_a_panic_or_an_error_leaves_no_byte_and_harms_no_neighbour() {
    let relay = start(GATE).await;
    let batch = ["5", "4", "9!", "9?", "6"].map(|number| event(450, number));
    let mut batch = batch.to_vec();
    batch.push(event(1, "hi"));
    let said = relay.core.put(&batch);
    let wanted = [
        "stored",
        "invalid: stale",
        INTERNAL,
        INTERNAL,
        "stored",
        "stored",
    ];
    assert_eq!(said, wanted);
    assert_eq!(relay.core.row_of("gate", b"last"), Some(b"6".to_vec()));
    for (number, is_there) in [("5", true), ("4", false), ("9", false), ("6", true)] {
        let row = relay.core.row_of("gate", format!("by/{number}").as_bytes());
        assert_eq!(row.is_some(), is_there, "{number}");
    }
    assert!(!relay.core.store.contains(batch[2].id()).unwrap());
    assert_eq!(relay.status("gate").faults, 2);
    assert_eq!(relay.rpc("gate_rows").await, 2);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e3_where_faults_are_open_the_event_stays_and_its_rows_do_not() {
    let relay = start(&format!("{GATE}on_fault = 'open'")).await;
    assert_eq!(relay.core.put(&[event(450, "9!")]), ["stored"]);
    assert_eq!(relay.core.row_of("gate", b"last"), None);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e3_a_key_that_is_too_long_is_refused_at_put() {
    let relay = start(GATE).await;
    assert_eq!(relay.core.put(&[event(450, "long key")]), [INTERNAL]);
    assert_eq!(relay.status("gate").faults, 1);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e3_commit_sees_what_the_event_replaces() {
    let relay = start(GATE).await;
    let first = tagged(30_000, "1", &[&["d", "x"]]);
    assert_eq!(relay.core.put(&[first]), ["stored"]);
    assert_eq!(relay.core.row_of("gate", b"replaced"), Some(b"0".to_vec()));
    let second = newer(30_000, "2");
    assert_eq!(relay.core.put(&[second]), ["stored"]);
    assert_eq!(relay.core.row_of("gate", b"replaced"), Some(b"1".to_vec()));
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e5_a_guarded_event_is_not_replaced_or_removed() {
    let relay = start(GATE).await;
    // Content "g" is the room that the toy guards.
    let guarded = tagged(30_000, "g", &[&["d", "x"]]);
    assert_eq!(relay.core.put(std::slice::from_ref(&guarded)), ["stored"]);
    assert_ne!(relay.core.put(&[newer(30_000, "2")]), ["stored"]);
    let causes = [Cause::Vanish, Cause::Retention, Cause::Admin];
    for cause in causes {
        let outcome = relay.core.commit(&[Write::Remove(*guarded.id(), cause)]);
        assert_eq!(outcome.unwrap(), [Outcome::Kept], "{cause:?}");
    }
    let deletion = tagged(5, "", &[&["e", &guarded.id().to_hex()]]);
    relay.core.put(&[deletion]);
    assert!(relay.core.store.contains(guarded.id()).unwrap());
    relay.host.shutdown().await;
}

/// A version of Alice's event `x` that wins over those made by now.
fn newer(kind: u16, content: &str) -> std::sync::Arc<trellis_relay::event::Event> {
    let later = nostr::types::Timestamp::from_secs(nostr::types::Timestamp::now().as_secs() + 60);
    at(later, kind, content)
}

fn at(
    created_at: nostr::types::Timestamp,
    kind: u16,
    content: &str,
) -> std::sync::Arc<trellis_relay::event::Event> {
    let event = nostr::event::EventBuilder::new(nostr::event::Kind::from(kind), content)
        .tag(nostr::event::Tag::parse(["d", "x"]).unwrap())
        .custom_created_at(created_at);
    sign(event, &alice())
}

/// A store that is slow or away.
struct Trouble {
    is_away: bool,
}

impl TxnRead for Trouble {
    fn now_s(&self) -> u64 {
        0
    }

    fn kv_get(&self, _: &str, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if self.is_away {
            return Err(StoreError::Unavailable("gone".to_owned()));
        }
        std::thread::sleep(std::time::Duration::from_millis(300));
        Ok(None)
    }
}

#[tokio::test]
async fn e3_trouble_of_the_store_is_not_the_hooks_fault() {
    let relay = start(&format!("{GATE}on_fault = 'open'")).await;
    let hooks = relay.hooks();
    let ask = |is_away| {
        let txn = Trouble { is_away };
        hooks.plan(450).commit(&event(450, "1"), &[], &txn)
    };
    assert!(ask(false).is_ok());
    let refused = ask(true).unwrap_err();
    assert_eq!(refused.to_string(), INTERNAL, "whatever on_fault says");
    assert_eq!(relay.status("gate").faults, 0);
    relay.host.shutdown().await;
}
