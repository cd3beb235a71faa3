//! What a large fleet costs. Prints figures and asserts none.

use super::ground::{ack_as, network, network_id, signal, success, upgrade};
use crate::{Ledger, VoteScope};
use std::time::Instant;

#[test]
#[ignore = "a measurement: run it by name, with --nocapture"]
fn q9_measure_two_thousand_nodes_and_a_hundred_thousand_reports() {
    let mut ledger = Ledger::new(vec![network("net")], VoteScope::Network);
    let began = Instant::now();
    for minor in 0..50_u64 {
        let directive = upgrade(&format!("1.{minor}.0"));
        for number in 0..3 {
            ledger.insert_signal(signal(
                number,
                1_000 * minor + u64::from(number),
                &directive,
            ));
        }
        for node in 0..2_000_u64 {
            let name = format!("node-{node}");
            let at_s = 1_000 * minor + 10 + node / 10;
            let ack = ack_as(&name, (node % 150) as u8, 0, at_s, &directive, success());
            assert!(ledger.insert_ack(ack));
        }
    }
    let loaded = began.elapsed();
    let now_s = 60_000;
    let began = Instant::now();
    let state = ledger.state(now_s);
    let first = began.elapsed();
    let more = ack_as("node-7", 7, 1, 49_900, &upgrade("1.49.0"), success());
    let began = Instant::now();
    assert!(ledger.insert_ack(more));
    let inserted = began.elapsed();
    let began = Instant::now();
    let again = ledger.network(&network_id("net"), now_s).unwrap();
    let second = began.elapsed();
    assert_eq!((again.nodes.len(), again.actions.len()), (2_000, 50));
    assert!(
        again
            .actions
            .iter()
            .all(|action| action.acks.success == 2_000)
    );
    let began = Instant::now();
    let json_bytes = serde_json::to_vec(&state).unwrap().len();
    let written = began.elapsed();
    eprintln!(
        "2,000 nodes, 50 actions, 100,000 reports: taken in in {loaded:?}, state in {first:?}, one more report in \
         {inserted:?}, state of its network after that in {second:?}, {json_bytes} bytes of JSON in {written:?}"
    );
}
