//! The routes (Q12) and what is counted (Q15).

use super::ground::{Ground, table};
use std::collections::BTreeSet;
use trellis_relay::testing::{Value, until};

#[tokio::test]
async fn q12_lists_go_on_from_page_to_page() {
    let ground = Ground::start("").await;
    ground.direct(1, "hqz", "v1.0.0").await;
    let mut node = ground.relay.connect().await;
    for number in 100..125 {
        node.store(&ground.ack(number, 1, "hqz", "v1.0.0").sign())
            .await;
    }
    ground
        .until_items("/networks/hqz/fleet", |it| it.len() == 25)
        .await;
    // All of the reports were signed in one second.
    for path in ["/networks/hqz/fleet", "/networks/hqz/acks", "/audit/export"] {
        let (mut seen, mut cursor, mut pages) = (BTreeSet::new(), String::new(), 0);
        loop {
            let page = ground.get(&format!("{path}?limit=10{cursor}")).await;
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 10, "{path}");
            seen.extend(items.iter().map(Value::to_string));
            pages += 1;
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
            assert!(pages < 10, "{path}");
        }
        let wanted = if path.starts_with("/audit") { 26 } else { 25 };
        assert_eq!(seen.len(), wanted, "{path}");
    }
}

#[tokio::test]
async fn q12_lists_are_json_or_csv() {
    let ground = Ground::start("").await;
    ground.direct(1, "hqz", "v1.0.0").await;
    let mut node = ground.relay.connect().await;
    node.store(&ground.ack_of(100, "=cmd()", 1, "hqz", "v1.0.0").sign())
        .await;
    ground
        .until_items("/networks/hqz/fleet", |it| it.len() == 1)
        .await;
    let path = "/api/v1/qube/networks/hqz/fleet";
    let by_accept = ground.relay.get(path).header("Accept", "text/csv").await;
    let by_query = ground.relay.get(&format!("{path}?format=csv")).await;
    assert_eq!(by_accept.text(), by_query.text());
    assert!(
        by_accept
            .header("content-type")
            .unwrap()
            .starts_with("text/csv")
    );
    let lines: Vec<String> = by_query.text().lines().map(str::to_owned).collect();
    assert!(lines[0].starts_with("node_id,pubkey,version,"));
    assert!(lines[1].starts_with("\"'=cmd()\","), "{}", lines[1]);

    let wrong = ground.relay.get(&format!("{path}?format=xml")).await;
    assert_eq!(wrong.status, 400);
    for path in [
        "networks",
        "networks/hqz/signals",
        "networks/hqz/quorum",
        "networks/hqz/report",
        "networks/hqz/history",
        "audit",
        "audit/export",
    ] {
        let answer = ground
            .relay
            .get(&format!("/api/v1/qube/{path}?format=csv"))
            .await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text().contains("\r\n"), "{path}");
    }
}

#[tokio::test]
async fn q12_what_is_not_there_is_told() {
    let ground = Ground::start("").await;
    for (path, status) in [
        ("networks/nowhere/fleet", 404),
        ("networks/N O/fleet", 404),
        ("actions/abc", 400),
        (&format!("actions/{}", "0".repeat(64)), 404),
        ("networks/hqz/acks?status=maybe", 400),
        ("networks/hqz/quorum?status=maybe", 400),
        ("networks/hqz/fleet?cursor=AAAA", 400),
        ("audit/export?cursor=AAAA", 400),
        ("audit?cursor=AAAA", 400),
        ("audit?cursor=bG9nL3g", 400),
        ("audit/export?section=everything", 400),
    ] {
        let path = path.replace(' ', "%20");
        let answer = ground.relay.get(&format!("/api/v1/qube/{path}")).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
    let openapi: Value = ground.relay.get("/openapi.json").await.json();
    let paths = openapi["paths"].as_object().unwrap();
    for path in [
        "networks",
        "networks/{network}/fleet",
        "networks/{network}/signals",
        "networks/{network}/quorum",
        "networks/{network}/acks",
        "networks/{network}/history",
        "networks/{network}/report",
        "actions/{key}",
        "audit",
        "audit/export",
    ] {
        assert!(
            paths.contains_key(&format!("/api/v1/qube/{path}")),
            "{path}"
        );
    }
    let own = ground.relay.information().await;
    assert_eq!(own["qube_coordination"]["networks"][0]["quorum"], 2);
}

#[tokio::test]
async fn q12_with_service_tokens_nobody_asks_without_one() {
    let token = "0123456789abcdef0123456789abcdef";
    let ground = Ground::start(&format!("service_tokens = {{ tools = '{token}' }}")).await;
    let path = "/api/v1/qube/networks";
    assert_eq!(ground.relay.get(path).await.status, 401);
    let answer = ground
        .relay
        .get(path)
        .header("Authorization", &format!("Bearer {token}"))
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn q12_one_address_asks_so_often_and_no_more() {
    let ground = Ground::start("requests_per_minute = 3").await;
    for _ in 0..3 {
        assert_eq!(ground.relay.get("/api/v1/qube/networks").await.status, 200);
    }
    assert_eq!(ground.relay.get("/api/v1/qube/networks").await.status, 429);
}

#[tokio::test]
async fn q15_events_and_the_fleet_are_counted() {
    // Gauges are the process's: a network of its own, lest the relays of other tests set them.
    let ground = Ground::with(&table("").replace("'testnet'", "'counted'")).await;
    ground.direct(1, "counted", "v1.0.0").await;
    ground.pass(7);
    ground.direct(2, "counted", "v1.0.0").await;
    ground.until_status("counted", "1.0.0", "quorum").await;
    let labels = [("network", "counted"), ("status", "quorum")];
    until("the gauges", async || {
        ground
            .relay
            .metric("qube_coordination_actions", &labels)
            .await
            == 1.0
            && ground
                .relay
                .metric("qube_coordination_votes", &labels[..1])
                .await
                == 2.0
    })
    .await;
    let accepted = [("kind", "signal"), ("result", "accepted")];
    assert!(
        ground
            .relay
            .metric("qube_coordination_events_total", &accepted)
            .await
            >= 2.0
    );
}
