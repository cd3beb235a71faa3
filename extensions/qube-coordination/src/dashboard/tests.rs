//! The page of large fleets and of strange ones.

#![allow(clippy::unwrap_used)]

use super::choosing::{Asked, choose};
use super::page::page;
use super::view::{FleetView, Places, Tally};
use crate::fields;
use crate::sample::{developer, publish, report, send, setup, upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trellis_qube_protocol::{FleetState, Ledger, Network, Pubkey, VoteScope};
use trellis_relay::testing::{START_S, TestRelay, until};

/// A network of so many nodes, of which some have failed.
fn fleet(nodes: usize) -> FleetState {
    let key = |it| Pubkey::from_bytes(*developer(it).pubkey().as_bytes());
    let mut network = Network::new("hyperqube".parse().unwrap(), (0..3).map(key), 2).unwrap();
    network.max_node_ids_per_pubkey = nodes;
    let mut ledger = Ledger::new(vec![network], VoteScope::Network);
    for version in ["v1.0.0", "v1.1.0"] {
        for number in 0..2 {
            let at = START_S - if version == "v1.0.0" { 900 } else { 600 } + number;
            let signal = upgrade(&developer(number), version, "ab", at);
            ledger.insert_signal(fields::signal(&signal).unwrap());
        }
    }
    for node in 0..nodes {
        let error = (node % 100 == 42).then(|| "e".repeat(1_000));
        let node_id = format!("pillar-{node:04}-of-a-fleet-with-long-names.example.org");
        let ack = report(&node_id, "v1.1.0", error.as_deref(), START_S - 60);
        ledger.insert_ack(fields::ack(&ack).unwrap());
    }
    ledger.state(START_S)
}

fn view() -> FleetView {
    FleetView {
        relay: "ab".repeat(32),
        now_s: START_S,
        revision: "1.0".to_owned(),
        places: Places {
            page: "/qube".to_owned(),
            api: "/api/v1/qube".to_owned(),
        },
        tally: Tally::default(),
        networks: Vec::new(),
        chosen: None,
        open_alerts: Vec::new(),
        past_alerts: Vec::new(),
    }
}

fn drawn(state: &FleetState, asked: &Asked) -> Option<String> {
    let mut view = view();
    choose(&mut view, state, asked)?;
    Some(page(&view))
}

fn one(search: &str, show: &str, page: usize) -> Asked {
    Asked {
        network: Some("hyperqube".to_owned()),
        search: search.to_owned(),
        show: show.to_owned(),
        page,
    }
}

#[test]
fn q13_the_first_view_of_two_thousand_nodes_is_small_and_begins_with_trouble() {
    let state = fleet(2_000);
    let all = drawn(&state, &Asked::default()).unwrap();
    let one_network = drawn(&state, &one("", "", 1)).unwrap();
    for html in [&all, &one_network] {
        assert!(html.len() < 200 << 10, "{} bytes", html.len());
        assert!(html.contains("<b>2,000</b>"), "all are counted");
        let first = html.find("pillar-").unwrap();
        assert!(
            html[first..].starts_with("pillar-0042"),
            "{}",
            &html[first..first + 40]
        );
    }
    assert!(all.contains("All 2,000 nodes"));
    assert!(one_network.contains("1 to 100 of 2,000"));
    assert_eq!(
        one_network
            .matches("<tr><th scope=\"row\"><bdi class=\"id\">")
            .count(),
        100
    );
}

#[test]
fn q13_nodes_are_found_by_name_and_trouble_and_page() {
    let state = fleet(250);
    let rows = |asked: &Asked| {
        let html = drawn(&state, asked).unwrap();
        let rows = html.matches("<bdi class=\"id\">").count();
        (rows, html)
    };
    assert_eq!(rows(&one("", "failed", 1)).0, 3);
    assert_eq!(rows(&one("pillar-01", "all", 1)).0, 100);
    assert_eq!(rows(&one("", "", 3)).0, 50);
    assert_eq!(rows(&one("", "", 99)).0, 50, "the last page");
    let (none, html) = rows(&one("nobody", "", 1));
    assert_eq!(none, 0);
    assert!(html.contains("No node is like this."));
    assert!(
        drawn(&state, &one("\"><script>", "", 1))
            .unwrap()
            .contains("value=\"&quot;&gt;&lt;script&gt;\"")
    );
    let elsewhere = Asked {
        network: Some("elsewhere".to_owned()),
        ..Asked::default()
    };
    assert_eq!(drawn(&state, &elsewhere), None);
}

#[tokio::test]
async fn q13_the_page_and_its_events_over_http() {
    let table = "max_listeners = 1\nrequests_per_minute = 1000000";
    let relay = setup(table, "").start().await;
    let before = relay.get("/qube").await;
    assert_eq!(before.status, 200);
    assert!(before.text().contains("Nothing is proposed or under way."));
    publish(
        &relay,
        &[(0, upgrade(&developer(0), "v1.4.0", "ab", START_S - 9))],
    )
    .await;
    until("the vote is on the page", async || {
        relay
            .get("/qube")
            .await
            .text()
            .contains("<b>1</b> of 2 needed")
    })
    .await;
    send(&relay, &[report("<b>node</b>", "v1.4.0", None, START_S)]).await;
    until("the node is on the page", async || {
        relay
            .get("/qube?network=hyperqube")
            .await
            .text()
            .contains("&lt;b&gt;node&lt;/b&gt;")
    })
    .await;
    assert_eq!(relay.get("/qube?network=other").await.status, 404);
    assert_eq!(relay.get("/qube?page=x&show=y").await.status, 200);

    let (socket, said) = listen(&relay).await;
    assert!(said.contains("content-type: text/event-stream"), "{said}");
    assert!(said.contains("event: revision\ndata: "), "{said}");
    assert!(
        listen(&relay).await.1.starts_with("HTTP/1.1 503 "),
        "no place is left"
    );
    drop(socket);
    publish(
        &relay,
        &[(1, upgrade(&developer(1), "v1.4.0", "ab", START_S - 8))],
    )
    .await;
    until("the place is free again", async || {
        listen(&relay).await.1.starts_with("HTTP/1.1 200 ")
    })
    .await;
    let off = setup("dashboard = false", "").start().await;
    assert_eq!(off.get("/qube").await.status, 404);
}

#[tokio::test]
async fn q13_what_has_to_be_drawn_counts_as_a_request() {
    let relay = setup("requests_per_minute = 4", "").start().await;
    let status = async |path: &str| relay.get(path).await.status;
    assert_eq!(status("/qube").await, 200);
    for word in ["a", "b", "c"] {
        let path = format!("/qube?network=hyperqube&q={word}");
        assert_eq!(status(&path).await, 200);
    }
    assert_eq!(status("/qube?network=hyperqube&q=d").await, 429);
    assert_eq!(status("/api/v1/qube/live").await, 429);
    assert_eq!(status("/qube?q=e&page=7").await, 200, "the same as before");
}

#[tokio::test]
async fn q13_where_a_peer_is_and_what_came_of_asking_it_is_not_on_the_page() {
    let table = "peers = ['http://10.9.8.7:65/inner']\npeer_interval = '1s'";
    let relay = setup(table, "").start().await;
    until("the alert is on the page", async || {
        relay.get("/qube").await.text().contains("Peer down")
    })
    .await;
    let page = relay.get("/qube").await.text();
    assert!(page.contains("peer 1 does not answer as it should"));
    for inner in ["10.9.8.7", "inner", "public address"] {
        assert!(!page.contains(inner), "{inner}");
    }
}

#[tokio::test]
async fn q13_what_is_wrong_with_the_mirror_is_not_on_the_page() {
    let table = "mirror.url = 'postgres://10.9.8.7:1/inner?connect_timeout=1'";
    let relay = setup(table, "").start().await;
    until("the alert is on the page", async || {
        relay.get("/qube").await.text().contains("Database down")
    })
    .await;
    let page = relay.get("/qube").await.text();
    assert!(page.contains("the database of the mirror does not answer as it should"));
    for inner in ["10.9.8.7", "inner", "database: "] {
        assert!(!page.contains(inner), "{inner}");
    }
}

/// Listens for changes; what is said up to the first, or why not.
async fn listen(relay: &TestRelay) -> (TcpStream, String) {
    let mut socket = TcpStream::connect(relay.address()).await.unwrap();
    let ask = b"GET /api/v1/qube/live HTTP/1.1\r\nHost: relay\r\n\r\n";
    socket.write_all(ask).await.unwrap();
    let (mut said, mut buffer) = (String::new(), [0; 4_096]);
    while !said.contains("data: ") && !said.starts_with("HTTP/1.1 503 ") {
        let read = socket.read(&mut buffer).await.unwrap();
        assert!(read > 0, "{said}");
        said += &String::from_utf8_lossy(&buffer[..read]);
    }
    (socket, said)
}
