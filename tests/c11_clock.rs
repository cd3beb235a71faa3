//! C11: how far an event's `created_at` may be from the relay's clock.

use trellis_test_support::{Author, Client, now, trellis};

#[tokio::test]
async fn c11_by_default_the_past_is_open_and_the_future_ends_in_a_quarter_hour() {
    let relay = trellis!().start().await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    for at in [0, 1, 1_500_000_000, now(), now() + 800] {
        client.store(&author.draft(1).at(at).sign()).await;
    }
    for at in [now() + 1_000, 4_000_000_000] {
        let event = author.draft(1).at(at).sign();
        client
            .publish(&event)
            .await
            .assert_refused("invalid:", "created_at");
    }
}

#[tokio::test]
async fn c11_bounds_are_those_of_the_configuration_and_kinds_can_be_exempt() {
    let config = r#"
[limitation]
max_event_time_older_than_now = "5m"
max_event_time_newer_than_now = "5m"
created_at_exempt_kinds = [1059, [400, 410]]
"#;
    let relay = trellis!().config(config).start().await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    for (kind, at, fits) in [
        (1, now() - 240, true),
        (1, now() - 400, false),
        (1, now() + 240, true),
        (1, now() + 400, false),
        (20_000, now() - 400, false),
        (1059, now() - 172_800, true),
        (409, now() - 172_800, true),
        (410, now() - 172_800, false),
    ] {
        let event = author
            .draft(kind)
            .at(at)
            .tag(&["p", &author.pubkey()])
            .sign();
        let verdict = client.publish(&event).await;
        assert_eq!(
            verdict.accepted, fits,
            "kind {kind} at {at}: {}",
            verdict.message
        );
        if !fits {
            verdict.assert_refused("invalid:", "created_at");
        }
    }
}

#[tokio::test]
async fn c11_gift_wraps_may_be_dated_back_by_default() {
    let relay = trellis!()
        .config("[limitation]\nmax_event_time_older_than_now = \"5m\"")
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    let wrap = author
        .draft(1059)
        .at(now() - 172_800)
        .tag(&["p", &author.pubkey()])
        .sign();
    client.store(&wrap).await;
}
