//! C5: the relay information document (NIP-11), and that every limit in it is the one that is enforced.

use trellis_test_support::http::{self, relay_information};
use trellis_test_support::reply::assert_reason;
use trellis_test_support::{Author, Client, Event, Relay, Reply, Value, json, now, trellis};

const LIMITS: &str = r#"
[limitation]
max_message_length = 4096
max_subscriptions = 3
max_filters = 4
max_filter_values = 5
max_limit = 7
max_subid_length = 9
max_event_tags = 6
max_content_length = 50
max_event_time_older_than_now = "1h"
max_event_time_newer_than_now = "10m"
"#;

async fn limited() -> (Relay, Client) {
    let relay = trellis!().config(LIMITS).start().await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

#[tokio::test]
async fn c5_the_document_says_what_the_configuration_says() {
    let config = r#"
[information]
name = "Test \"relay\""
description = "For\ntests"
pubkey = "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d"
contact = "mailto:ops@relay.example"
icon = "https://relay.example/icon.png"
"#;
    let relay = trellis!().config(config).start().await;
    let information = relay_information(&relay).await;
    for (field, value) in [
        ("name", "Test \"relay\""),
        ("description", "For\ntests"),
        (
            "pubkey",
            "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d",
        ),
        ("contact", "mailto:ops@relay.example"),
        ("icon", "https://relay.example/icon.png"),
    ] {
        assert_eq!(information[field], value, "{field}");
    }
    for field in ["software", "version"] {
        assert!(information[field].is_string(), "{field}");
    }
    let own_key = information["self"].as_str().expect("the relay's own key");
    assert_eq!(own_key.len(), 64, "{own_key}");
}

#[tokio::test]
async fn c5_the_relays_own_key_survives_a_restart() {
    let relay = trellis!().start().await;
    let before = relay_information(&relay).await["self"].clone();
    let (_, setup) = relay.stop().await;
    let relay = setup.start().await;
    assert_eq!(relay_information(&relay).await["self"], before);
}

#[tokio::test]
async fn c5_the_document_is_chosen_by_accept_and_open_to_other_origins() {
    let relay = trellis!().start().await;
    for accept in [
        "application/nostr+json",
        "text/html;q=0.1, application/nostr+json",
    ] {
        let response = http::get(
            &relay,
            "/",
            &[("Accept", accept), ("Origin", "https://a.example")],
        )
        .await;
        assert_eq!(response.status, 200);
        let kind = response.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("application/nostr+json"), "{kind}");
        assert!(response.header("access-control-allow-origin").is_some());
        assert!(response.json()["supported_nips"].is_array());
    }
    let asked = [
        ("Origin", "https://a.example"),
        ("Access-Control-Request-Method", "GET"),
        ("Access-Control-Request-Headers", "accept"),
    ];
    let preflight = http::send(&relay, "OPTIONS", "/", &asked).await;
    assert!(
        (200..300).contains(&preflight.status),
        "{}",
        preflight.status
    );
    for header in ["origin", "methods", "headers"] {
        let name = format!("access-control-allow-{header}");
        assert!(preflight.header(&name).is_some(), "{name}");
    }
}

#[tokio::test]
async fn c5_supported_nips_follow_what_is_switched_on() {
    let nips = |information: &Value| -> Vec<u64> {
        let list = information["supported_nips"].as_array().cloned();
        list.expect("a list")
            .iter()
            .filter_map(Value::as_u64)
            .collect()
    };
    let relay = trellis!().start().await;
    let listed = nips(&relay_information(&relay).await);
    for nip in [1, 2, 9, 10, 11, 17, 40, 42, 44, 45, 51, 59, 77, 78] {
        assert!(listed.contains(&nip), "{nip} is not in {listed:?}");
    }
    assert!(!listed.contains(&50), "search is off by default");
    assert!(listed.is_sorted(), "{listed:?}");

    let relay = trellis!().config("[count]\nenabled = false").start().await;
    assert!(!nips(&relay_information(&relay).await).contains(&45));
    let mut client = Client::connect(&relay).await;
    let reason = client
        .count(&[json!({"kinds": [1]})])
        .await
        .expect_err("closed");
    assert_reason(&reason, "unsupported:", "");
}

#[tokio::test]
async fn c5_every_limit_is_stated() {
    let (relay, _) = limited().await;
    let stated = relay_information(&relay).await["limitation"].clone();
    for (field, value) in [
        ("max_message_length", 4096),
        ("max_subscriptions", 3),
        ("max_filters", 4),
        ("max_limit", 7),
        ("default_limit", 7),
        ("max_subid_length", 9),
        ("max_event_tags", 6),
        ("max_content_length", 50),
        ("created_at_lower_limit", 3600),
        ("created_at_upper_limit", 600),
    ] {
        assert_eq!(stated[field], value, "{field} in {stated}");
    }
    for field in ["auth_required", "payment_required", "restricted_writes"] {
        assert_eq!(stated[field], false, "{field} in {stated}");
    }
}

#[tokio::test]
async fn c5_limits_of_reconciliation_are_stated_while_there_is_any() {
    let limits = async |toml: &str| {
        let relay = trellis!().config(toml).start().await;
        let stated = relay_information(&relay).await["limitation"].take();
        ["max_negentropy_items", "max_negentropy_sessions"].map(|field| stated[field].as_u64())
    };
    let on = limits("[negentropy]\nmax_items = 12\nmax_sessions = 3").await;
    assert_eq!(on, [Some(12), Some(3)]);
    let off = limits("[negentropy]\nenabled = false").await;
    assert_eq!(off, [None, None]);
}

#[tokio::test]
async fn c5_max_message_length_is_enforced_to_the_byte() {
    let (_relay, mut client) = limited().await;
    // Tags make up the length, since content is bounded by its own limit; two halves stay clear of a tag's limit.
    let message = |bytes: usize| {
        let author = Author::new();
        let sized = |padding: usize| {
            let (a, b) = ("a".repeat(padding / 2), "b".repeat(padding - padding / 2));
            author.draft(1).tag(&["x", &a]).tag(&["y", &b]).sign()
        };
        let overhead = event_message(&sized(0)).len();
        let event = sized(bytes - overhead);
        assert_eq!(event_message(&event).len(), bytes);
        event
    };
    client.store(&message(4096)).await;
    let too_long = message(4097);
    client.send_text(&event_message(&too_long)).await;
    let refusal = client
        .wait_for("a refusal", |reply| match reply {
            Reply::Notice(text) => Some(text.clone()),
            Reply::Ok(_, verdict) => Some(verdict.message.clone()),
            _ => None,
        })
        .await;
    assert_reason(&refusal, "invalid:", "larger than");
    assert!(refusal.contains("4096"), "{refusal}");
}

fn event_message(event: &Event) -> String {
    format!(r#"["EVENT",{}]"#, event.as_json())
}

#[tokio::test]
async fn c5_max_subscriptions_is_enforced_and_closing_makes_room() {
    let (_relay, mut client) = limited().await;
    for sub in ["1", "2", "3"] {
        client.subscribe(sub, &[json!({"kinds": [1]})]).await;
        assert_eq!(client.stored(sub).await, Ok(vec![]));
    }
    client.subscribe("4", &[json!({"kinds": [1]})]).await;
    assert_reason(&client.closed("4").await, "blocked:", "subscriptions");
    // Replacing one of the three needs no room.
    client.subscribe("3", &[json!({"kinds": [7]})]).await;
    assert_eq!(client.stored("3").await, Ok(vec![]));
    client.close("1").await;
    client.subscribe("4", &[json!({"kinds": [1]})]).await;
    assert_eq!(client.stored("4").await, Ok(vec![]));
    let event = Author::new().note("live");
    client.store(&event).await;
    assert_eq!(client.next_event("4").await, event);
}

#[tokio::test]
async fn c5_max_filters_and_values_are_enforced() {
    let (_relay, mut client) = limited().await;
    let filter = json!({"kinds": [1]});
    assert!(client.ask(&vec![filter.clone(); 4]).await.is_ok());
    let reason = client
        .ask(&vec![filter.clone(); 5])
        .await
        .expect_err("closed");
    assert_reason(&reason, "invalid:", "filters");
    assert!(client.count(&vec![filter.clone(); 5]).await.is_err());

    let id = |i: usize| format!("{i:064x}");
    for key in ["ids", "authors", "kinds", "#t", "#E"] {
        let values = |count: usize| -> Value {
            let value = |i| {
                if key == "kinds" {
                    json!(i)
                } else {
                    json!(id(i))
                }
            };
            json!({key: (0..count).map(value).collect::<Vec<_>>()})
        };
        assert_eq!(client.ask(&[values(5)]).await, Ok(vec![]), "{key}");
        let reason = client.ask(&[values(6)]).await.expect_err("closed");
        assert_reason(&reason, "invalid:", key);
        assert!(client.count(&[values(6)]).await.is_err(), "{key}");
    }
}

#[tokio::test]
async fn c5_max_limit_is_enforced() {
    let (_relay, mut client) = limited().await;
    client.store_all(&Author::new().notes(9)).await;
    for (asked, given) in [(json!(6), 6), (json!(7), 7), (json!(8), 7), (json!(100), 7)] {
        let filter = json!({"kinds": [1], "limit": asked});
        assert_eq!(client.query(filter).await.len(), given, "limit {asked}");
    }
    assert_eq!(client.query(json!({"kinds": [1]})).await.len(), 7);
}

#[tokio::test]
async fn c5_max_subid_length_is_enforced() {
    let (_relay, mut client) = limited().await;
    client
        .subscribe("123456789", &[json!({"kinds": [1]})])
        .await;
    assert_eq!(client.stored("123456789").await, Ok(vec![]));
    client
        .subscribe("1234567890", &[json!({"kinds": [1]})])
        .await;
    let reason = client
        .wait_for("a refusal", |reply| match reply {
            Reply::Closed(of, reason) if of == "1234567890" => Some(reason.clone()),
            Reply::Notice(text) => Some(text.clone()),
            _ => None,
        })
        .await;
    assert_reason(&reason, "invalid:", "");
}

#[tokio::test]
async fn c5_limits_of_an_event_are_enforced() {
    let (_relay, mut client) = limited().await;
    let author = Author::new();
    let tagged = |count: usize| {
        let draft = author.draft(1);
        (0..count)
            .fold(draft, |draft, i| draft.tag(&["t", &i.to_string()]))
            .sign()
    };
    client.store(&tagged(6)).await;
    client
        .publish(&tagged(7))
        .await
        .assert_refused("invalid:", "tags");

    client.store(&author.note(&"é".repeat(50))).await;
    let long = author.note(&"é".repeat(51));
    client
        .publish(&long)
        .await
        .assert_refused("invalid:", "content");

    for (offset, fits) in [(-3500_i64, true), (-3700, false), (500, true), (700, false)] {
        let at = now().saturating_add_signed(offset);
        let verdict = client.publish(&author.draft(1).at(at).sign()).await;
        assert_eq!(verdict.accepted, fits, "{offset}: {}", verdict.message);
        if !fits {
            verdict.assert_refused("invalid:", "created_at");
        }
    }
}
