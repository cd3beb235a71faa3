//! What the gateway costs: CPU time of the relay for a message of a group, with the gateway on and off.
//!
//! Not part of a normal run, since it measures: `TRELLIS_BIN=target/release/trellis cargo test --test m20_cost -- --ignored
//! --nocapture` on a machine with nothing else to do.

#![cfg(feature = "mls_gateway")]

use serde_json::json;
use trellis_test_support::{Author, Client, Event, Relay, process, trellis};

/// Groups with a roster, and members of each.
const GROUPS: usize = 1_000;
const MEMBERS: usize = 50;
/// Groups that one filter names.
const GROUPS_A_FILTER: usize = 100;
/// Connections that publish.
const PUBLISHERS: usize = 4;
const ROUNDS: usize = 7;

/// Who listens.
#[derive(Clone, Copy)]
enum Listeners {
    /// Ten members, each to a tenth of the groups: one of them receives a message.
    OneAGroup,
    /// Every member to every group: fifty receive it.
    EveryMember,
}

impl Listeners {
    /// Fewer where each is delivered more often.
    fn messages(self) -> usize {
        match self {
            Listeners::OneAGroup => 20_000,
            Listeners::EveryMember => 4_000,
        }
    }

    /// The groups of each listener.
    fn shares(self, groups: &[String]) -> Vec<&[String]> {
        match self {
            Listeners::OneAGroup => groups.chunks(GROUPS_A_FILTER).collect(),
            Listeners::EveryMember => vec![groups; MEMBERS],
        }
    }
}

/// Rates so high that they are never met.
const ON: &str = "
allow_open_bootstrap = true
[extensions.mls_gateway.rate_limits]
max_events_per_minute = 100000000
max_keypackages_per_hour = 100000000
max_group_messages_per_minute = 100000000
";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn m20_cpu_of_a_group_message_with_the_gateway_and_without() {
    compare(Listeners::OneAGroup).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn m20_cpu_of_a_group_message_that_every_member_receives() {
    compare(Listeners::EveryMember).await;
}

/// Prints what a message costs without the gateway, with it, and with its archive.
async fn compare(listeners: Listeners) {
    let members: Vec<Author> = std::iter::repeat_with(Author::new).take(MEMBERS).collect();
    let groups: Vec<String> = (0..GROUPS).map(|number| format!("{number:064x}")).collect();
    let rosters = groups.iter().map(|group| roster(&members, group));
    let rosters: Vec<Event> = rosters.collect();
    // One round after the other, since what else the machine does changes more slowly than that.
    let mut more_us = [Vec::new(), Vec::new()];
    let mut without_us = Vec::new();
    for round in 0..ROUNDS {
        let mut spent_us = [0.0; 3];
        for (place, archive) in [None, Some(false), Some(true)].into_iter().enumerate() {
            let table = match archive {
                None => String::new(),
                Some(keeps) => {
                    format!("[extensions.mls_gateway]\nenable_message_archive = {keeps}{ON}")
                }
            };
            let relay = trellis!().config(&table).start().await;
            spent_us[place] = run(&relay, &members, &groups, &rosters, listeners).await;
        }
        let [off, on, archiving] = spent_us;
        eprintln!(
            "round {round}: {off:.1} us of CPU a message without the gateway, {on:.1} with it, {archiving:.1} with its archive"
        );
        without_us.push(off);
        more_us[0].push(on - off);
        more_us[1].push(archiving - off);
    }
    let [on, archiving] = more_us.map(median);
    let off = median(without_us);
    eprintln!(
        "medians: {off:.1} us without the gateway; of the differences within a round: {on:+.1} us with it ({:+.0} %), {archiving:+.1} us with its archive ({:+.0} %)",
        on * 100.0 / off,
        archiving * 100.0 / off
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn roster(members: &[Author], group: &str) -> Event {
    let draft = members[0]
        .draft(450)
        .tag(&["h", group])
        .tag(&["seq", "1"])
        .tag(&["op", "bootstrap"]);
    let draft = members[1..]
        .iter()
        .fold(draft, |draft, member| draft.tag(&["p", &member.pubkey()]));
    draft.sign()
}

/// CPU time of the relay for each message, in microseconds.
async fn run(
    relay: &Relay,
    members: &[Author],
    groups: &[String],
    rosters: &[Event],
    listeners: Listeners,
) -> f64 {
    let mut owner = Client::connect(relay).await;
    owner.login(&members[0]).await;
    owner.store_all(rosters).await;
    let all = listeners.messages();
    let mut listening = Vec::new();
    for (number, share) in listeners.shares(groups).into_iter().enumerate() {
        let mut client = Client::connect(relay).await;
        client.login(&members[number % MEMBERS]).await;
        let filters = share
            .chunks(GROUPS_A_FILTER)
            .map(|some| json!({"kinds": [445], "#h": some, "since": 1}));
        let filters: Vec<_> = filters.collect();
        client.subscribe("groups", &filters).await;
        client.stored("groups").await.expect("open");
        let expected = all * share.len() / groups.len();
        listening.push(tokio::spawn(async move {
            for _ in 0..expected {
                client.next_event("groups").await;
            }
        }));
    }
    let once = Author::new();
    let content = "x".repeat(700);
    let message = |number: usize| {
        let draft = once
            .draft(445)
            .tag(&["h", &groups[number % GROUPS]])
            .content(&content);
        draft.tag(&["n", &number.to_string()]).sign()
    };
    let messages: Vec<Event> = (0..all).map(message).collect();
    let mut publishers = Vec::new();
    for member in &members[..PUBLISHERS] {
        let mut client = Client::connect(relay).await;
        client.login(member).await;
        publishers.push(client);
    }
    let before = process::cpu_us(relay.pid());
    let share = all / PUBLISHERS;
    let sending = publishers
        .into_iter()
        .zip(messages.chunks(share).map(<[Event]>::to_vec));
    let sending: Vec<_> = sending
        .map(|(mut client, share)| tokio::spawn(async move { client.store_all(&share).await }))
        .collect();
    for task in sending.into_iter().chain(listening) {
        if let Err(error) = task.await {
            panic!("{error}: {}", relay.log());
        }
    }
    let spent_us = process::cpu_us(relay.pid()) - before;
    spent_us as f64 / all as f64
}
