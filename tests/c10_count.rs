//! C10: counting (NIP-45), lists kept as replaceables, and protected events (NIP-70).

use trellis_test_support::{Author, Client, Event, Relay, Value, json, trellis};

async fn relay() -> (Relay, Client) {
    let relay = trellis!().start().await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

#[tokio::test]
async fn c10_counts_are_those_of_the_matching_events() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    let events: Vec<Event> = (0..30_u8)
        .map(|i| {
            author
                .draft([1, 2, 4][usize::from(i % 3)])
                .tag(&["t", "x"])
                .content(&i.to_string())
                .sign()
        })
        .collect();
    client.store_all(&events).await;
    for (filters, expected) in [
        (vec![json!({})], 30),
        (vec![json!({"kinds": [1]})], 10),
        (vec![json!({"kinds": [1, 2]}), json!({"kinds": [2, 4]})], 30),
        (vec![json!({"authors": [author.pubkey()], "#t": ["x"]})], 30),
        (vec![json!({"#t": ["y"]})], 0),
        (vec![json!({"kinds": []})], 0),
    ] {
        let body = client.count(&filters).await.expect("a count");
        assert_eq!(body["count"], expected, "{filters:?}");
    }
}

#[tokio::test]
async fn c10_a_count_is_not_bounded_by_what_a_query_returns() {
    let relay = trellis!()
        .config("[limitation]\nmax_limit = 5")
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    client.store_all(&Author::new().notes(40)).await;
    let body = client
        .count(&[json!({"kinds": [1]})])
        .await
        .expect("a count");
    assert_eq!(body["count"], 40);
}

#[tokio::test]
async fn c10_a_count_opens_no_subscription() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    client
        .count(&[json!({"kinds": [1]})])
        .await
        .expect("a count");
    client.store(&author.note("not for a COUNT")).await;
    client.assert_alive().await;
    assert_eq!(client.unread().count(), 0);
}

#[tokio::test]
async fn c10_lists_are_kept_as_replaceables() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    for kind in [10_002, 10_000, 10_003, 30_000, 30_003] {
        let version = |at: u64| author.draft(kind).at(at).tag(&["d", "list"]).sign();
        let (old, new) = (version(1_700_000_000), version(1_700_000_001));
        client.store_all(&[old, new.clone()]).await;
        assert_eq!(
            client.query(json!({"kinds": [kind]})).await,
            [new],
            "kind {kind}"
        );
    }
}

#[tokio::test]
async fn c10_protected_events_are_taken_from_their_author_alone() {
    let (_relay, mut client) = relay().await;
    let (author, other) = (Author::new(), Author::new());
    let protected = author.draft(1).tag(&["-"]).content("from me only").sign();
    client
        .publish(&protected)
        .await
        .assert_refused("auth-required:", "");
    client.login(&other).await;
    let verdict = client.publish(&protected).await;
    assert!(!verdict.accepted, "taken from another");
    client.login(&author).await;
    client.store(&protected).await;
}

#[tokio::test]
async fn c10_a_repost_that_embeds_a_protected_event_is_refused() {
    let (_relay, mut client) = relay().await;
    let (author, other) = (Author::new(), Author::new());
    let protected = author.draft(1).tag(&["-"]).content("from me only").sign();
    for kind in [6, 16] {
        let repost = other
            .draft(kind)
            .tag(&["e", &protected.id.to_hex()])
            .content(&protected.as_json())
            .sign();
        let verdict = client.publish(&repost).await;
        assert!(!verdict.accepted, "kind {kind}");
    }
    let open = author.note("for all");
    let repost = other
        .draft(6)
        .tag(&["e", &open.id.to_hex()])
        .content(&open.as_json())
        .sign();
    client.store(&repost).await;
}

/// What the registers of these authors are for a filter whose offset this is, worked out on text.
fn registers(events: &[Event], offset: usize) -> Vec<u8> {
    let mut registers = vec![0; 256];
    for event in events {
        let key = event.pubkey.to_hex();
        let chooser = usize::from_str_radix(&key[2 * offset..2 * offset + 2], 16).expect("hex");
        let digits = key[2 * offset + 2..].chars();
        let nibbles = digits.map(|digit| digit.to_digit(16).expect("hex"));
        let bits: String = nibbles.map(|nibble| format!("{nibble:04b}")).collect();
        let zeros = bits.find('1').unwrap_or(bits.len());
        registers[chooser] = registers[chooser].max(u8::try_from(zeros + 1).expect("few bits"));
    }
    registers
}

fn hll(body: &Value) -> Vec<u8> {
    let hex = body["hll"].as_str().unwrap_or_else(|| panic!("{body}"));
    assert_eq!(hex.len(), 512);
    const_hex::decode(hex).expect("hex")
}

/// Reactions by as many authors to one event.
fn reactions(target: &str, count: usize) -> Vec<Event> {
    let react = |_| Author::new().draft(7).tag(&["e", target]).sign();
    (0..count).map(react).collect()
}

#[tokio::test]
async fn c10_count_hll_is_that_of_the_counted_authors_and_merges() {
    // The digit at position 32 is 3.
    let target = format!("{}3{}", "ab".repeat(16), "0".repeat(31));
    let filter = json!({"kinds": [7], "#e": [target]});
    let events = reactions(&target, 60);
    let (_one, mut one) = relay().await;
    let (_two, mut two) = relay().await;
    one.store_all(&events[..40]).await;
    two.store_all(&events[20..]).await;
    // Who reacts twice is one author, and who reacts to something else is none.
    one.store_all(&reactions(&"c".repeat(64), 5)).await;
    let mut merged = vec![0; 256];
    for (client, stored) in [(&mut one, &events[..40]), (&mut two, &events[20..])] {
        let body = client
            .count(std::slice::from_ref(&filter))
            .await
            .expect("a count");
        assert_eq!(body["count"], 40);
        assert_eq!(hll(&body), registers(stored, 11));
        for (merged, one) in merged.iter_mut().zip(hll(&body)) {
            *merged = one.max(*merged);
        }
    }
    assert_eq!(merged, registers(&events, 11));
}

#[tokio::test]
async fn c10_count_hll_looks_only_at_what_the_viewer_may_see() {
    let (_relay, mut client) = relay().await;
    // The digit at position 32 of a key is as it comes.
    let recipient = Author::new();
    let digit = recipient
        .pubkey()
        .chars()
        .nth(32)
        .and_then(|digit| digit.to_digit(16));
    let offset = digit.expect("hex") as usize + 8;
    let to_recipient = |kind| {
        let key = recipient.pubkey();
        Author::new().draft(kind).tag(&["p", &key]).sign()
    };
    let notes: Vec<Event> = (0..10).map(|_| to_recipient(1)).collect();
    let wraps: Vec<Event> = (0..10).map(|_| to_recipient(1059)).collect();
    client.store_all(&notes).await;
    client.store_all(&wraps).await;
    let filter = json!({"#p": [recipient.pubkey()]});
    let body = client
        .count(std::slice::from_ref(&filter))
        .await
        .expect("a count");
    assert_eq!(body["count"], 10);
    assert_eq!(hll(&body), registers(&notes, offset));
    client.login(&recipient).await;
    let body = client.count(&[filter]).await.expect("a count");
    assert_eq!(body["count"], 20);
    assert_eq!(hll(&body), registers(&[notes, wraps].concat(), offset));
}

#[tokio::test]
async fn c10_count_hll_comes_with_one_filter_that_has_a_tag() {
    let (_relay, mut client) = relay().await;
    let tagged = json!({"#t": ["nostr"]});
    for (filters, has_one) in [
        (vec![tagged.clone()], true),
        (
            vec![json!({"#t": ["nostr"], "#p": ["x"], "kinds": [1]})],
            true,
        ),
        (vec![json!({"kinds": [1]})], false),
        (vec![json!({"#t": []})], false),
        (vec![tagged.clone(), tagged], false),
    ] {
        let body = client.count(&filters).await.expect("a count");
        assert_eq!(body.get("hll").is_some(), has_one, "{filters:?}");
    }
}
