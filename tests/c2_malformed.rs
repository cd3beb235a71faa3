//! C2: what is not an event of NIP-01's form is refused in words that name what is wrong, and nothing else is.

use trellis_test_support::reply::assert_reason;
use trellis_test_support::{Author, Client, Event, Relay, Reply, Value, json, trellis};

async fn relay() -> (Relay, Client) {
    let relay = trellis!().start().await;
    let client = Client::connect(&relay).await;
    (relay, client)
}

/// The event as JSON text with the JSON of one field replaced by other text; `None` leaves the field out.
fn with(event: &Event, field: &str, raw: Option<&str>) -> String {
    let Ok(Value::Object(fields)) = event.as_json().parse() else {
        unreachable!("an event is an object");
    };
    let fields: Vec<String> = fields
        .iter()
        .filter_map(|(name, value)| {
            let value = if name == field {
                raw?.to_owned()
            } else {
                value.to_string()
            };
            Some(format!("{name:?}:{value}"))
        })
        .collect();
    format!("{{{}}}", fields.join(","))
}

/// Sends `["EVENT", raw]` and returns the reason of its refusal, which answers to the id if there is one to answer to.
async fn refusal(client: &mut Client, raw: &str, id: Option<&str>) -> String {
    client.send_text(&format!(r#"["EVENT",{raw}]"#)).await;
    client
        .wait_for(&format!("a refusal of {raw}"), |reply| match (reply, id) {
            (Reply::Ok(of, verdict), Some(id)) if of == id => {
                assert!(!verdict.accepted, "accepted {raw}");
                Some(verdict.message.clone())
            }
            (Reply::Notice(text), None) => Some(text.clone()),
            (Reply::Ok(..) | Reply::Notice(_), _) => panic!("{reply:?} answers {raw}"),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn c2_each_broken_field_is_named() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    let event = author.draft(1).tag(&["t", "x"]).content("sound").sign();
    let other = author.note("other");
    let upper_pubkey = format!("{:?}", event.pubkey.to_hex().to_uppercase());
    let upper_sig = format!("{:?}", event.sig.to_string().to_uppercase());
    let other_sig = format!("{:?}", other.sig.to_string());
    let wide = format!("[{}]", vec!["1"; 100].join(","));
    let cases = [
        ("kind", Some("\"1\""), "kind"),
        ("kind", Some("1.5"), "kind"),
        ("kind", Some("1.0"), "kind"),
        ("kind", Some("1e0"), "kind"),
        ("kind", Some("-1"), "kind"),
        ("kind", Some("65536"), "kind"),
        ("kind", Some("18446744073709551617"), "kind"),
        ("kind", Some("null"), "kind"),
        ("kind", Some("true"), "kind"),
        ("kind", Some("[1]"), "kind"),
        ("kind", None, "kind"),
        ("created_at", Some("-1"), "created_at"),
        ("created_at", Some("1700000000.5"), "created_at"),
        ("created_at", Some("1.7e9"), "created_at"),
        ("created_at", Some("\"1700000000\""), "created_at"),
        ("created_at", Some("null"), "created_at"),
        ("created_at", Some("1099511627776"), "created_at"),
        ("created_at", Some("99999999999999999999"), "created_at"),
        ("created_at", None, "created_at"),
        ("tags", Some("{}"), "tag"),
        ("tags", Some("null"), "tag"),
        ("tags", Some("\"t\""), "tag"),
        ("tags", Some("[\"t\",\"x\"]"), "tag"),
        ("tags", Some("[[]]"), "tag"),
        ("tags", Some("[[\"t\",1]]"), "tag"),
        ("tags", Some("[[\"t\",null]]"), "tag"),
        ("tags", Some("[[\"t\",[\"x\"]]]"), "tag"),
        ("tags", Some("[{\"t\":\"x\"}]"), "tag"),
        ("tags", Some("[[\"t\",\"\\ud83d\"]]"), "tag"),
        ("tags", Some("[[\"\\udc00\",\"x\"]]"), "tag"),
        ("tags", Some(wide.as_str()), "tag"),
        ("tags", None, "tag"),
        ("content", Some("1"), "content"),
        ("content", Some("null"), "content"),
        ("content", Some("[]"), "content"),
        ("content", Some("\"\\ud800\""), "content"),
        ("content", Some("\"\\udc00\\ud800\""), "content"),
        ("content", Some("\"\\ud800x\""), "content"),
        ("content", None, "content"),
        ("pubkey", Some("\"abc\""), "pubkey"),
        ("pubkey", Some("1"), "pubkey"),
        ("pubkey", Some(upper_pubkey.as_str()), "pubkey"),
        ("pubkey", None, "pubkey"),
        ("sig", Some("\"\""), "sig"),
        ("sig", Some("null"), "sig"),
        ("sig", Some(upper_sig.as_str()), "sig"),
        ("sig", Some(other_sig.as_str()), "sig"),
        ("sig", None, "sig"),
        // Well-formed, but not what was hashed.
        ("kind", Some("2"), "id"),
        ("created_at", Some("1700000000"), "id"),
        ("tags", Some("[]"), "id"),
        ("tags", Some("[[\"t\",\"y\"]]"), "id"),
        ("content", Some("\"other\""), "id"),
    ];
    let id = event.id.to_hex();
    for (field, raw, word) in cases {
        let broken = with(&event, field, raw);
        let reason = refusal(&mut client, &broken, Some(&id)).await;
        assert_reason(&reason, "invalid:", word);
    }
    assert_eq!(client.query(json!({"ids": [id]})).await, []);
    client.store(&event).await;
}

#[tokio::test]
async fn c2_an_id_is_compared_as_given() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    let event = author.note("mine");
    let foreign = author.note("another").id.to_hex();
    let raw = with(&event, "id", Some(&format!("{foreign:?}")));
    let reason = refusal(&mut client, &raw, Some(&foreign)).await;
    assert_reason(&reason, "invalid:", "id");
    // Ids that cannot be read as ids cannot be answered to.
    let id = event.id.to_hex();
    let upper = format!("{:?}", id.to_uppercase());
    let short = format!("{:?}", &id[..63]);
    let long = format!("\"{id}0\"");
    let padded = format!("\" {}\"", &id[1..]);
    for raw_id in [&upper, &short, &long, &padded, "1", "null", "\"\"", "[]"] {
        let raw = with(&event, "id", Some(raw_id));
        let reason = refusal(&mut client, &raw, None).await;
        assert_reason(&reason, "invalid:", "");
    }
    let reason = refusal(&mut client, &with(&event, "id", None), None).await;
    assert_reason(&reason, "invalid:", "id");
    client.store(&event).await;
}

#[tokio::test]
async fn c2_a_signature_of_another_key_or_event_is_refused() {
    let (_relay, mut client) = relay().await;
    let (ann, bob) = (Author::new(), Author::new());
    let event = ann.note("signed by me");
    let id = event.id.to_hex();
    let zeros = "0".repeat(128);
    let forged = bob.note("signed by me").sig.to_string();
    for sig in [zeros, forged, "f".repeat(128)] {
        let raw = with(&event, "sig", Some(&format!("{sig:?}")));
        let reason = refusal(&mut client, &raw, Some(&id)).await;
        assert_reason(&reason, "invalid:", "sig");
    }
    assert_eq!(client.query(json!({})).await, []);
}

#[tokio::test]
async fn c2_what_is_no_event_object_is_refused() {
    let (_relay, mut client) = relay().await;
    for raw in ["{}", "[]", "null", "1", "\"event\"", "{\"kind\":1}"] {
        let reason = refusal(&mut client, raw, None).await;
        assert_reason(&reason, "invalid:", "");
    }
    let event = Author::new().note("twice");
    let id = event.id.to_hex();
    let json = event.as_json();
    let doubled = format!("{},\"content\":\"twice\"}}", &json[..json.len() - 1]);
    let reason = refusal(&mut client, &doubled, Some(&id)).await;
    assert_reason(&reason, "invalid:", "");
}

#[tokio::test]
async fn c2_control_characters_are_accepted_and_come_back_as_they_were() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    let controls: String = (0..0x20_u8).map(char::from).collect();
    let texts = [
        controls.as_str(),
        "\u{7f}\u{80}\u{9f}\u{2028}\u{2029}\u{feff}\u{fffe}\u{10ffff}",
        "/ is not escaped, \" and \\ are",
        "\r\n\t\u{8}\u{c}",
    ];
    for text in texts {
        let event = author.draft(1).tag(&["t", text]).content(text).sign();
        client.store(&event).await;
        let id = event.id.to_hex();
        assert_eq!(
            client.query(json!({"ids": [id]})).await,
            std::slice::from_ref(&event)
        );
        assert_eq!(client.query(json!({"#t": [text]})).await, [event]);
    }
}

#[tokio::test]
async fn c2_any_spelling_of_an_event_is_the_same_event() {
    let (_relay, mut client) = relay().await;
    let author = Author::new();
    let event = author.draft(1).tag(&["t", "a/b"]).content("ab🦀\n").sign();
    let id = event.id.to_hex();
    // Other order, white space, escapes where none are needed, and a key that no one knows.
    let raw = format!(
        r#" {{ "sig" : "{}", "x-unknown":{{"deep":[1]}},
        "content":"\u0061b\ud83e\udd80\u000A", "tags":[["\u0074", "a\/b"]],
        "kind":1, "created_at":{}, "pubkey":"{}", "id":"{id}" }} "#,
        event.sig,
        event.created_at.as_secs(),
        event.pubkey.to_hex()
    );
    client.send_text(&format!(r#"["EVENT",{raw}]"#)).await;
    client.verdict(&id).await.assert_accepted();
    client.subscribe("s", &[json!({"ids": [id]})]).await;
    assert_eq!(client.stored("s").await, Ok(vec![event]));
}

#[tokio::test]
async fn c2_times_at_the_edge_are_read_exactly() {
    let relay = trellis!()
        .config("[limitation]\nmax_event_time_newer_than_now = \"36500d\"")
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    for at in [0, 1, 1 << 31, 1 << 32] {
        let event = author.draft(1).at(at).sign();
        client.store(&event).await;
        let found = client.query(json!({"since": at, "until": at})).await;
        assert_eq!(found, [event], "{at}");
    }
}

#[tokio::test]
async fn c2_subscription_ids_are_echoed_as_they_were() {
    let (_relay, mut client) = relay().await;
    let longest = "s".repeat(64);
    let wide = "é".repeat(64);
    for sub in [
        "x",
        "a\"b\\c/d\n\t\u{1}\u{7f}🦀",
        &longest,
        &wide,
        " ",
        "null",
    ] {
        client.subscribe(sub, &[json!({"kinds": [1]})]).await;
        assert_eq!(client.stored(sub).await, Ok(vec![]), "{sub:?}");
        client.close(sub).await;
    }
}

#[tokio::test]
async fn c2_subscription_ids_have_one_to_sixty_four_characters() {
    let (_relay, mut client) = relay().await;
    let long = "s".repeat(65);
    let wide = "é".repeat(65);
    for sub in ["", &long, &wide] {
        client.subscribe(sub, &[json!({"kinds": [1]})]).await;
        let reason = client
            .wait_for("a refusal", |reply| match reply {
                Reply::Closed(of, reason) if of == sub => Some(reason.clone()),
                Reply::Notice(text) => Some(text.clone()),
                _ => None,
            })
            .await;
        assert_reason(&reason, "invalid:", "subscription");
    }
    client.assert_alive().await;
}
