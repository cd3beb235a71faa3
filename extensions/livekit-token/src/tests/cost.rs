//! What a token costs the relay: not asserted in figures, and run by hand.

use super::ground::{Ground, hash_of};
use std::time::Instant;
use trellis_relay::testing::Author;

/// Requests that are measured.
const REQUESTS: u64 = 200;
/// Members of the group, people in the call, and keys on the list of each of them.
const MEMBERS: u64 = 10_000;
const PRESENT: u64 = 50;
const BLOCKED: u64 = 200;

/// Ticks of the CPU that this process has used.
fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks * 10.0
}

/// `quiet cargo test ... l5_measure -- --ignored --nocapture`
#[tokio::test]
#[ignore = "measures, and asserts nothing of it"]
async fn l5_measure_what_a_token_costs_in_a_large_group() {
    let keys: Vec<String> = (1..=MEMBERS)
        .map(|it| format!("'{}'", Author::new(it).pubkey()))
        .collect();
    let club = format!("[extensions.club.members]\nlarge = [{}]\n", keys.join(", "));
    let table = "rate_limit_tokens_per_pubkey = 100000\nrate_limit_tokens_per_ip = 100000";
    let ground = Ground::with_club(table, &club).await;
    let alice = ground.author(1);
    let call = alice.draft(1020).tag(["h", "large"]).sign();
    ground.store([&call]).await;
    let people: Vec<Author> = (1..=PRESENT).map(|it| ground.author(it)).collect();
    let strangers: Vec<String> = (0..BLOCKED)
        .map(|it| Author::new(MEMBERS + 1 + it).pubkey().to_hex())
        .collect();
    for person in &people {
        let list = strangers
            .iter()
            .fold(person.draft(10_006), |draft, key| draft.tag(["p", key]));
        ground.store([&list.sign()]).await;
    }
    let identities: Vec<String> = people.iter().map(|it| it.pubkey().to_hex()).collect();
    let room = hash_of(&["large", &call.id().to_hex()]);
    ground.livekit.set_present(&room, &identities);
    let requests: Vec<_> = (0..REQUESTS)
        .map(|at| {
            let who = ground.author(PRESENT + 1 + at);
            let event = who.draft(20_002).tag(["h", "large"]);
            (
                event.tag(["e", &call.id().to_hex(), "", "root"]).sign(),
                who,
            )
        })
        .collect();
    let (begun, cpu_before_ms) = (Instant::now(), cpu_ms());
    for (event, who) in &requests {
        assert_eq!(ground.ask("/token/group", who, event).await.status, 200);
    }
    let each = |total: f64| total / REQUESTS as f64;
    // The client's signatures and the server in LiveKit's place are in this process, too.
    eprintln!(
        "a token: {:.2} ms of CPU, {:.2} ms from request to answer; {MEMBERS} members, {PRESENT} block lists of {BLOCKED}",
        each(cpu_ms() - cpu_before_ms),
        each(begun.elapsed().as_secs_f64() * 1000.0)
    );
}
