//! What a large fleet costs. Run by hand: the figures are printed, and nothing is asserted of them.

use super::ground::Ground;
use std::time::Instant;
use trellis_relay::testing::Value;

const NODES: u64 = 2_000;
const ACTIONS: u64 = 50;

#[tokio::test]
#[allow(clippy::print_stdout, reason = "its output is its purpose")]
#[ignore = "a measurement: prints what /fleet costs with 2,000 nodes and 100,000 reports stored"]
async fn q12_fleet_of_two_thousand_nodes() {
    let ground = Ground::start("").await;
    let authors: Vec<_> = (0..NODES).map(|it| ground.author(10_000 + it)).collect();
    let mut client = ground.relay.connect().await;
    let begun = Instant::now();
    for action in 0..ACTIONS {
        let version = format!("v1.{action}.0");
        ground.direct(1, "hqz", &version).await;
        ground.direct(2, "hqz", &version).await;
        ground.pass(1);
        for some in authors.chunks(500) {
            let mut sent = Vec::new();
            for (number, author) in some.iter().enumerate() {
                let name = format!("node-{}", author.pubkey().to_hex());
                let at_s = ground.now_s();
                let developer = ground.author(1 + number as u64 % 2);
                let report = super::ground::ack(author, &name, &developer, "hqz", &version, at_s);
                let event = report.at(at_s).sign();
                client.send_event(&event).await;
                sent.push(event);
            }
            for event in sent {
                client.verdict(&event).await.assert_accepted();
            }
        }
        ground.pass(60);
    }
    ground
        .until_status("hqz", &format!("1.{}.0", ACTIONS - 1), "completed")
        .await;
    println!(
        "{} reports stored in {:?}",
        NODES * ACTIONS,
        begun.elapsed()
    );

    let mut times = Vec::new();
    for _ in 0..20 {
        let begun = Instant::now();
        let answer = ground
            .relay
            .get("/api/v1/qube/networks/hqz/fleet?limit=5000")
            .await;
        times.push(begun.elapsed());
        let body: Value = answer.json();
        assert_eq!(body["items"].as_array().map(Vec::len), Some(NODES as usize));
    }
    times.sort_unstable();
    println!("/fleet: median {:?}, worst {:?}", times[10], times[19]);

    // What the state itself costs when a report is new.
    let begun = Instant::now();
    for author in authors.iter().take(50) {
        ground.pass(1);
        let name = format!("node-{}", author.pubkey().to_hex());
        let (developer, at_s) = (ground.author(1), ground.now_s());
        let report = super::ground::ack(author, &name, &developer, "hqz", "v1.0.0", at_s);
        client.store(&report.at(at_s).sign()).await;
        ground.items("/networks/hqz/fleet?limit=1").await;
    }
    println!(
        "a report and a look at one node: {:?}",
        begun.elapsed() / 50
    );
}
