//! Paying, from the information document to the first note and the end of what was paid for.

use futures_util::future::join_all;
use paid_writing::PaidWriting;
use std::time::Duration;
use trellis_relay::clock::Clock as _;
use trellis_relay::testing::{Author, Client, TestRelay, conformance, json};

const TOKEN: &str = "hR3kq0ZbT1mYw8vXo5Nc7LdJf2GsPa4E";
const UNPAID: &str = "restricted: publishing here costs something: https://pay.example.com/relay";

fn table(methods: &str) -> String {
    format!(
        "service_tokens = {{ shop = \"{TOKEN}\" }}\n\
         payment = {{ url = \"https://pay.example.com/relay\", methods = {methods}, \
         subscription = [{{ amount = 5000, unit = \"sats\", period = \"30d\" }}] }}\n"
    )
}

fn config(methods: &str) -> String {
    format!("[extensions.paid_writing]\n{}", table(methods))
}

async fn start() -> TestRelay {
    let config = config(r#"["lightning", "card"]"#);
    TestRelay::of::<PaidWriting>().config(&config).start().await
}

async fn pay(relay: &TestRelay, author: &Author, until: u64) {
    let path = format!("/api/paid/{}", author.pubkey().to_hex());
    let call = relay.put(&path).json(&json!({ "until": until }));
    let bearer = format!("Bearer {TOKEN}");
    let answer = call.header("authorization", &bearer).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
}

#[tokio::test]
async fn c29_who_has_not_paid_is_told_where_to_pay() {
    let relay = start().await;
    let information = relay.information().await;
    assert_eq!(information["limitation"]["payment_required"], true);
    assert_eq!(information["payments_url"], "https://pay.example.com/relay");
    let fees = json!({ "subscription": [{ "amount": 5000, "unit": "sats", "period": 2_592_000 }] });
    assert_eq!(information["fees"], fees);

    let (alice, bob) = (Author::new(1), Author::new(2));
    let mut client = relay.connect().await;
    let note = alice.note("hello");
    client.publish(&note).await.assert_refused(UNPAID);
    let until = relay.clock().now_s() + 3_600;
    pay(&relay, &alice, until).await;
    client.store(&note).await;
    let stranger = bob.note("hello");
    client.publish(&stranger).await.assert_refused(UNPAID);
    // The key of a gift wrap is nobody's.
    let wrap = Author::new(3)
        .draft(1059)
        .tag(["p", &alice.pubkey().to_hex()]);
    client.store(&wrap.sign()).await;
    // What was stored can be taken back after all is over.
    relay.clock().advance(Duration::from_secs(3_600));
    refused(&mut client, &alice).await;
    client.store(&alice.deletion([&note])).await;
    relay.stop().await;
}

async fn refused(client: &mut Client, author: &Author) {
    let verdict = client.publish(&author.note("once more")).await;
    verdict.assert_refused(UNPAID);
}

#[tokio::test]
async fn c29_what_was_paid_is_known_after_a_crash_and_can_be_ended() {
    let relay = start().await;
    let alice = Author::new(1);
    pay(&relay, &alice, relay.clock().now_s() + 3_600).await;
    let relay = relay.kill_and_restart().await;
    let mut client = relay.connect().await;
    client.store(&alice.note("still here")).await;
    pay(&relay, &alice, 0).await;
    refused(&mut client, &alice).await;
    let path = format!("/api/paid/{}", alice.pubkey().to_hex());
    let unsigned = relay.put(&path).json(&json!({ "until": u32::MAX })).await;
    assert_eq!(unsigned.status, 401);
    relay.stop().await;
}

/// Whatever came last, memory and row agree on it.
#[tokio::test]
async fn c29_services_that_speak_at_once_leave_no_two_truths() {
    let relay = start().await;
    let authors: Vec<Author> = (1..9).map(Author::new).collect();
    let until = relay.clock().now_s() + 3_600;
    for author in &authors {
        let words = (0..10).map(|turn| pay(&relay, author, if turn % 2 == 0 { until } else { 0 }));
        join_all(words).await;
    }
    let mut client = relay.connect().await;
    let mut before = Vec::new();
    for author in &authors {
        before.push(client.publish(&author.note("now")).await.is_accepted());
    }
    let relay = relay.kill_and_restart().await;
    let mut client = relay.connect().await;
    let mut after = Vec::new();
    for author in &authors {
        after.push(client.publish(&author.note("later")).await.is_accepted());
    }
    assert_eq!(before, after);
    relay.stop().await;
}

#[tokio::test]
async fn c29_a_relay_that_would_know_every_payer_is_not_switched_on() {
    let mut relay = start().await;
    for methods in [r#"["card", "paypal"]"#, r#"["bank_transfer"]"#, "[]"] {
        let refused = relay.reconfigure(&config(methods)).await;
        let problem = refused.expect_err("it is refused").to_string();
        assert!(problem.contains("method"), "{problem}");
    }
    // What was there goes on.
    let information = relay.information().await;
    assert_eq!(information["limitation"]["payment_required"], true);
    relay.stop().await;
}

#[tokio::test]
async fn e10_it_passes_what_every_extension_should() {
    conformance::<PaidWriting>(&table(r#"["cashu"]"#)).await;
}
