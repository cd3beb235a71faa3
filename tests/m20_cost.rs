//! What the gateway costs: CPU time of the relay for a message of a group, with the gateway on and off, until the relay has
//! nothing left to do for it: the archive is written after the answer.
//!
//! Not part of a normal run, since it measures: `TRELLIS_BIN=target/release/trellis cargo test --test m20_cost -- --ignored
//! --nocapture --test-threads=1` on a machine with nothing else to do. `COST_ROUNDS` says how many rounds; `COST_BIN_BEFORE`
//! names another program of which each round measures gateway and archive as well.

#![cfg(feature = "mls_gateway")]

use serde_json::json;
use std::time::{Duration, Instant};
use trellis_test_support::{Author, Client, Event, Relay, Setup, process, trellis, wait};

/// Groups with a roster, and members of each.
const GROUPS: usize = 1_000;
const MEMBERS: usize = 50;
/// Groups that one filter names.
const GROUPS_A_FILTER: usize = 100;
/// Connections that publish.
const PUBLISHERS: usize = 4;
const ROUNDS: usize = 7;
/// A relay that has needed no more than a tick in so long has nothing left to do.
const STILL: Duration = Duration::from_secs(3);
const TICK_US: u64 = 10_000;

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
            Listeners::EveryMember => 10_000,
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

/// What is measured: of which program, with the gateway's table or without.
struct Column {
    name: String,
    setup: fn() -> Setup,
    table: String,
}

fn columns() -> Vec<Column> {
    let column = |name: &str, setup, table: &str| Column {
        name: name.to_owned(),
        setup,
        table: table.to_owned(),
    };
    let with = |keeps| format!("[extensions.mls_gateway]\nenable_message_archive = {keeps}{ON}");
    let mut columns = vec![
        column("without the gateway", || trellis!(), ""),
        column("with it", || trellis!(), &with(false)),
        column("with its archive", || trellis!(), &with(true)),
    ];
    if before().is_some() {
        let setup = || Setup::of(&before().unwrap_or_default());
        columns.push(column("with it before", setup, &with(false)));
        columns.push(column("with its archive before", setup, &with(true)));
    }
    columns
}

/// The program to compare with.
fn before() -> Option<String> {
    std::env::var("COST_BIN_BEFORE").ok()
}

/// Prints what a message costs without the gateway, with it, and with its archive.
async fn compare(listeners: Listeners) {
    let members: Vec<Author> = std::iter::repeat_with(Author::new).take(MEMBERS).collect();
    let groups: Vec<String> = (0..GROUPS).map(|number| format!("{number:064x}")).collect();
    let rosters = groups.iter().map(|group| roster(&members, group));
    let rosters: Vec<Event> = rosters.collect();
    let rounds = std::env::var("COST_ROUNDS").ok();
    let rounds = rounds.map_or(ROUNDS, |rounds| rounds.parse().expect("a number"));
    let columns = columns();
    // One round after the other, since what else the machine does changes more slowly than that.
    let mut spent_us = vec![Vec::new(); columns.len()];
    for round in 0..rounds {
        let mut line = format!("round {round}:");
        for (column, spent_us) in columns.iter().zip(&mut spent_us) {
            let relay = (column.setup)().config(&column.table).start().await;
            let [us, of_gateway] = run(&relay, &members, &groups, &rosters, listeners).await;
            let name = &column.name;
            line.push_str(&format!(
                " {us:.1} us {name} ({of_gateway:.1} its threads),"
            ));
            spent_us.push(us);
        }
        eprintln!("{}", line.trim_end_matches(','));
    }
    let without_us = &spent_us[0];
    let off = median(without_us.clone());
    eprintln!(
        "median {off:.1} us a message without the gateway; of the differences within a round:"
    );
    for (column, spent_us) in columns.iter().zip(&spent_us).skip(1) {
        let more_us = spent_us.iter().zip(without_us).map(|(on, off)| on - off);
        let more = median(more_us.collect());
        eprintln!(
            "{more:+.1} us ({:+.0} %) {}",
            more * 100.0 / off,
            column.name
        );
    }
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

/// Threads of the gateway's own, and SQLite's.
const THREADS: [&str; 2] = ["mls_gateway", "sqlx-sqlite"];

/// CPU time of the relay for each message, in microseconds, and how much of it the gateway's own threads took.
async fn run(
    relay: &Relay,
    members: &[Author],
    groups: &[String],
    rosters: &[Event],
    listeners: Listeners,
) -> [f64; 2] {
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
            client.pass_events("groups", expected).await;
            // To end a connection costs something, too, which is not a message's.
            client
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
    let of_gateway = || {
        let of_each = THREADS.map(|name| process::threads_cpu_us(relay.pid(), name));
        of_each.iter().sum::<u64>()
    };
    let before = [process::cpu_us(relay.pid()), of_gateway()];
    let share = all / PUBLISHERS;
    let sending = publishers
        .into_iter()
        .zip(messages.chunks(share).map(<[Event]>::to_vec));
    let sending: Vec<_> = sending
        .map(|(mut client, share)| {
            tokio::spawn(async move {
                client.store_all(&share).await;
                client
            })
        })
        .collect();
    let mut connected = Vec::new();
    for task in sending.into_iter().chain(listening) {
        match task.await {
            Ok(client) => connected.push(client),
            Err(error) => panic!("{error}: {}", relay.log()),
        }
    }
    let after = [when_still(relay).await, of_gateway()];
    drop(connected);
    [0, 1].map(|place| (after[place] - before[place]) as f64 / all as f64)
}

/// CPU time of the relay once it is still.
async fn when_still(relay: &Relay) -> u64 {
    let mut last = (process::cpu_us(relay.pid()), Instant::now());
    let is_still = || {
        let now_us = process::cpu_us(relay.pid());
        if now_us > last.0 + TICK_US {
            last = (now_us, Instant::now());
        }
        (last.1.elapsed() >= STILL).then_some(now_us)
    };
    wait::until_some("a relay with nothing to do", is_still).await
}
