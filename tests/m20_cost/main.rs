//! What the gateway costs: what the relay spends on a message of a group, with the gateway on and off, until some seconds after
//! the last was delivered: the archive is written after the answer. In CPU time, which says what an operator pays, and scatters
//! by a tenth; and in instructions, which do not.
//!
//! Not part of a normal run, since it measures: `TRELLIS_BIN=target/release/trellis cargo test --test m20_cost -- --ignored
//! --nocapture --test-threads=1` on a machine with nothing else to do. `COST_ROUNDS` says how many rounds; `COST_BIN_BEFORE`
//! names another program of which each round measures gateway and archive as well. Instructions are counted by valgrind.

#![cfg(feature = "mls_gateway")]

mod instructions;
mod traffic;

use std::time::{Duration, Instant};
use traffic::{Ground, Listeners, Traffic};
use trellis_test_support::{Relay, Setup, process, trellis, wait};

/// Three columns in each order that there is.
const ROUNDS: usize = 6;
/// Nothing is gathered for longer before it is written. What an idle relay needs meanwhile is in every figure.
const DONE: Duration = Duration::from_secs(7);

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

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn m20_instructions_of_a_group_message() {
    for listeners in [Listeners::OneAGroup, Listeners::EveryMember] {
        count(listeners).await;
    }
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
    let path = std::path::absolute(std::env::var_os("COST_BIN_BEFORE")?).ok()?;
    path.into_os_string().into_string().ok()
}

/// Prints what a message costs without the gateway, with it, and with its archive.
async fn compare(listeners: Listeners) {
    let ground = Ground::new();
    let rounds = std::env::var("COST_ROUNDS").ok();
    let rounds = rounds.map_or(ROUNDS, |rounds| rounds.parse().expect("a number"));
    let columns = columns();
    // One round after the other, since what else the machine does changes more slowly than that.
    let mut spent_us = vec![Vec::new(); columns.len()];
    for round in 0..rounds {
        let mut line = format!("round {round}:");
        // Each comes after each of the others: what one leaves to be written to the disk the next one feels.
        let mut places: Vec<usize> = (0..columns.len()).collect();
        places.rotate_left(round % columns.len());
        if round % 2 == 1 {
            places.reverse();
        }
        for place in places {
            let (column, spent_us) = (&columns[place], &mut spent_us[place]);
            let relay = (column.setup)().config(&column.table).start().await;
            let [us, of_gateway] = run(&relay, &ground, listeners).await;
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

/// Prints the instructions outside the system that a message takes, as above.
async fn count(listeners: Listeners) {
    let ground = Ground::new();
    let mut without = None;
    for column in columns() {
        let (setup, counter) = instructions::counted((column.setup)(), &column.table);
        let relay = setup.start().await;
        let traffic = Traffic::prepare(&relay, &ground, listeners).await;
        let messages = traffic.messages() as f64;
        counter.begin(&relay);
        let _connected = traffic.pass(&relay).await;
        let counted = counter.end(&relay).await as f64 / messages;
        let without = *without.get_or_insert(counted);
        let more = (counted / without - 1.0) * 100.0;
        eprintln!(
            "{listeners:?}: {counted:.0} instructions a message {} ({more:+.1} %)",
            column.name
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (lower, upper) = ((values.len() - 1) / 2, values.len() / 2);
    f64::midpoint(values[lower], values[upper])
}

/// Threads of the gateway's own, and SQLite's.
const THREADS: [&str; 2] = ["mls_gateway", "sqlx-sqlite"];

/// CPU time of the relay for each message, in microseconds, and how much of it the gateway's own threads took.
async fn run(relay: &Relay, ground: &Ground, listeners: Listeners) -> [f64; 2] {
    let traffic = Traffic::prepare(relay, ground, listeners).await;
    let messages = traffic.messages() as f64;
    let of_gateway = || {
        let of_each = THREADS.map(|name| process::threads_cpu_us(relay.pid(), name));
        of_each.iter().sum::<u64>()
    };
    let before = [process::cpu_us(relay.pid()), of_gateway()];
    let _connected = traffic.pass(relay).await;
    let begun = Instant::now();
    wait::until_true("everything is done", || begun.elapsed() >= DONE).await;
    let after = [process::cpu_us(relay.pid()), of_gateway()];
    [0, 1].map(|place| (after[place] - before[place]) as f64 / messages)
}
