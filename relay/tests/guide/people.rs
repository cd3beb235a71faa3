//! Authors and their events.

use std::time::Duration;
use trellis_relay::testing::Author;

#[test]
fn events_are_signed_for_real() {
    let (alice, bob) = (Author::new(1), Author::new(2));
    let event = alice
        .draft(30_023)
        .tag(["d", "news"])
        .tag(["p", &bob.pubkey().to_hex()])
        .content("what happened")
        .expires_in(Duration::from_secs(60))
        .sign();
    assert_eq!(event.first_tag_value("d").as_deref(), Some("news"));
}
