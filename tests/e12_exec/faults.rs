//! Programs that hang, die or talk nonsense: the relay goes on, says so, and takes nothing that was not accepted.

use crate::programs::{
    INTERNAL, children, gone, kill, lines, nth_pid, pids, put, start, start_with, table, told,
};
use trellis_test_support::probe::health;
use trellis_test_support::{Author, Client, Front, Relay, Verdict, json, trellis, wait};

fn assert_internal(verdict: &Verdict) {
    assert_eq!(
        (verdict.accepted, verdict.message.as_str()),
        (false, INTERNAL)
    );
}

/// The next event passes: the program works again.
async fn assert_recovers(client: &mut Client) {
    wait::until("an event that is accepted", async || {
        client.publish(&told("fine")).await.accepted.then_some(())
    })
    .await;
}

#[tokio::test]
async fn e12_a_program_that_hangs_is_killed_and_started_again() {
    let (relay, mut client) = start("answer_timeout_ms = 1000").await;
    let hanging = nth_pid(&relay, 1).await;
    assert_internal(&client.publish(&told("hang")).await);
    gone(&[hanging]).await;
    relay.wait_for_log(0, "gave no answer within 1000 ms").await;
    assert_recovers(&mut client).await;
    assert_ne!(pids(&relay).last(), Some(&hanging));
    children(&relay, 1).await;
    let health = health(&relay, "exec").await;
    assert_eq!(health["status"], "ok", "{health}");
}

#[tokio::test]
async fn e12_a_program_that_hangs_holds_up_no_other_process_and_no_reader() {
    let (relay, mut client) = start("workers = 2\nanswer_timeout_ms = 2000").await;
    nth_pid(&relay, 2).await;
    let hanging = told("hang");
    let mut other = Client::connect(&relay).await;
    other.send_event(&hanging).await;
    client.store(&told("by the other process")).await;
    assert_eq!(client.query(json!({"kinds": [1]})).await.len(), 1);
    assert_internal(&other.verdict(&hanging.id.to_hex()).await);
    assert_eq!(lines(&relay, "asked").len(), 2, "nobody was asked twice");
}

#[tokio::test]
async fn e12_a_question_that_a_dying_program_leaves_is_asked_once_more() {
    let (relay, mut client) = start("").await;
    for word in ["exit", "half"] {
        assert_internal(&client.publish(&told(word)).await);
        assert_recovers(&mut client).await;
    }
    let asked = |word: &str| {
        let mark = format!("\"content\":\"{word}\"");
        lines(&relay, "asked")
            .iter()
            .filter(|line| line.contains(&mark))
            .count()
    };
    assert_eq!((asked("exit"), asked("half")), (2, 2));
    relay.wait_for_log(0, "exit code 3").await;
    children(&relay, 1).await;
}

#[tokio::test]
async fn e12_what_ends_a_program_takes_no_other_question_with_it() {
    let (relay, mut client) = start("in_flight = 8").await;
    let others: Vec<_> = (0..3).map(|i| told(&format!("later {i}"))).collect();
    for event in &others {
        client.send_event(event).await;
    }
    wait::until_true("three questions", || lines(&relay, "asked").len() == 3).await;
    let poison = told("poison");
    client.send_event(&poison).await;
    for event in &others {
        client.verdict(&event.id.to_hex()).await.assert_accepted();
    }
    assert_internal(&client.verdict(&poison.id.to_hex()).await);
}

/// A flood opens no door, wherever its events have to wait.
#[tokio::test]
async fn e12_what_waits_in_the_core_in_vain_is_refused_and_does_not_pass() {
    let setup = trellis!().front(Front::Server);
    put(setup.home(), "plugin.py", crate::programs::PLUGIN);
    let core = "on_fault = \"open\"\nmax_concurrent = 1\ntimeout_ms = 3000";
    let program = table("./plugin.py", "");
    let config = format!("[extensions.exec]\n{core}\n{program}");
    let relay = setup.config(&config).start().await;
    let mut client = Client::connect(&relay).await;
    nth_pid(&relay, 1).await;
    client.store(&told("fine")).await;
    let events: Vec<_> = (0..40).map(|_| told("slow")).collect();
    let verdicts = client.publish_all(&events).await;
    assert!(verdicts.iter().all(|verdict| !verdict.accepted));
    let is_busy = |verdict: &&Verdict| verdict.message.contains("too much to do");
    assert!(verdicts.iter().filter(is_busy).count() > 5, "{verdicts:?}");
    assert_eq!(health(&relay, "exec").await["faults"], 0);
}

#[tokio::test]
async fn e12_what_a_program_says_before_it_ends_counts() {
    let (relay, mut client) = start("").await;
    for _ in 0..3 {
        let verdict = client.publish(&told("last")).await;
        assert_eq!(verdict.message, "blocked: last words");
    }
    assert_eq!(lines(&relay, "asked").len(), 3);
}

#[tokio::test]
async fn e12_lines_that_answer_nothing_are_left_alone_and_told() {
    let (relay, mut client) = start("in_flight = 4").await;
    client.store(&told("noise")).await;
    client.store(&told("afterwards")).await;
    for words in [
        "no JSON object",
        "without an `id`",
        "a question that is not open",
        "something is odd",
    ] {
        relay.wait_for_log(0, words).await;
    }
    assert!(!relay.log().contains(&"x".repeat(600)), "lines are cut");
    assert_eq!(pids(&relay).len(), 1, "it goes on");
}

#[tokio::test]
async fn e12_an_answer_that_makes_no_sense_refuses_its_event_alone() {
    let (relay, mut client) = start("").await;
    assert_internal(&client.publish(&told("odd")).await);
    relay
        .wait_for_log(0, "none of accept, reject, shadowReject")
        .await;
    client.store(&told("afterwards")).await;
    assert_eq!(pids(&relay).len(), 1, "it goes on");
}

#[tokio::test]
async fn e12_a_line_without_end_ends_the_process() {
    let (relay, mut client) = start("max_reply_bytes = 1000").await;
    assert_internal(&client.publish(&told("huge")).await);
    relay
        .wait_for_log(0, "a line of more than 1000 bytes")
        .await;
    assert_recovers(&mut client).await;
}

#[tokio::test]
async fn e12_children_of_a_program_end_with_it() {
    let (relay, mut client) = start("").await;
    assert_internal(&client.publish(&told("orphan")).await);
    assert_recovers(&mut client).await;
    let all = pids(&relay);
    // Each of the two that were asked has left a child that holds its output.
    assert_eq!(all.len(), 5);
    gone(&all[..4]).await;
}

#[tokio::test]
async fn e12_a_program_that_does_not_read_holds_up_nobody() {
    let more = "in_flight = 64\nanswer_timeout_ms = 1000";
    let relay = start_with("deaf.sh", "#!/bin/sh\nsleep 60\n", "./deaf.sh", more).await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    // More than a pipe holds.
    let large = "x".repeat(20_000);
    let events: Vec<_> = (0..8)
        .map(|i| author.note(&format!("{i} {large}")))
        .collect();
    for event in &events {
        client.send_event(event).await;
    }
    let mut reader = Client::connect(&relay).await;
    assert_eq!(reader.query(json!({"kinds": [1]})).await, []);
    for event in &events {
        assert_internal(&client.verdict(&event.id.to_hex()).await);
    }
}

#[tokio::test]
async fn e12_a_program_that_cannot_run_is_named_and_the_relay_goes_on() {
    for (file, text) in [
        ("dies", "#!/bin/sh\nexit 7\n"),
        ("no-interpreter", "#!/no/such/program\n"),
    ] {
        let setup = trellis!().front(Front::Server);
        put(setup.home(), file, text);
        let config = table(&format!("./{file}"), "");
        let relay = setup.config(&config).start().await;
        let mut client = Client::connect(&relay).await;
        wait::until(&format!("{file} to be told"), async || {
            let health = health(&relay, "exec").await;
            let told = health.to_string().contains("plugin: 0 of 1 processes run");
            told.then_some(())
        })
        .await;
        assert_internal(&client.publish(&told("anything")).await);
        assert_eq!(client.query(json!({"kinds": [1]})).await, []);
        // Once it is right, it is used.
        put(relay.setup().home(), file, crate::programs::PLUGIN);
        assert_recovers(&mut client).await;
    }
}

#[tokio::test]
async fn e12_open_on_fault_lets_pass_what_a_program_does_not_answer() {
    let setup = trellis!().front(Front::Server);
    put(setup.home(), "no-interpreter", "#!/no/such/program\n");
    let config = format!(
        "[extensions.exec]\non_fault = \"open\"\n{}",
        table("./no-interpreter", "")
    );
    let relay = setup.config(&config).start().await;
    let mut client = Client::connect(&relay).await;
    client.store(&told("passes")).await;
}

#[tokio::test]
async fn e12_who_waits_too_long_for_a_process_is_told_to_come_again() {
    let (relay, mut client) = start("max_wait_ms = 200\nanswer_timeout_ms = 3000").await;
    nth_pid(&relay, 1).await;
    let hanging = told("hang");
    client.send_event(&hanging).await;
    wait::until_true("the question to be asked", || {
        !lines(&relay, "asked").is_empty()
    })
    .await;
    let mut other = Client::connect(&relay).await;
    let verdict = other.publish(&told("fine")).await;
    verdict.assert_refused("error:", "too much to do");
    assert_eq!(
        health(&relay, "exec").await["faults"],
        0,
        "which is no fault"
    );
}

#[tokio::test]
async fn e12_killing_a_program_under_load_lets_nothing_through() {
    let (relay, client) = start("workers = 2\nin_flight = 8").await;
    let mut reader = Client::connect(&relay).await;
    let publishing = tokio::spawn(publish_many(client));
    for count in 1..=6 {
        let pid = nth_pid(&relay, count).await;
        kill(pid);
        assert!(reader.query(json!({"kinds": [7]})).await.is_empty());
    }
    let (mut client, accepted) = publishing.await.expect("the publisher");
    assert!(accepted > 0);
    assert_recovers(&mut client).await;
    let stored = client.query(json!({"kinds": [1], "limit": 1000})).await;
    assert!(
        stored
            .iter()
            .all(|event| !event.content.starts_with("reject"))
    );
    children(&relay, 2).await;
}

/// Events that are to be accepted and others that are not; how many were accepted.
async fn publish_many(mut client: Client) -> (Client, usize) {
    let author = Author::new();
    let mut accepted = 0;
    for round in 0..20 {
        let events: Vec<_> = (0..20)
            .map(|i| match i % 2 {
                0 => author.note(&format!("fine {round} {i}")),
                _ => author.note(&format!("reject {round} {i}")),
            })
            .collect();
        for (event, verdict) in events.iter().zip(client.publish_all(&events).await) {
            assert!(!(verdict.accepted && event.content.starts_with("reject")));
            accepted += usize::from(verdict.accepted);
        }
    }
    (client, accepted)
}

#[tokio::test]
async fn e12_metrics_tell_what_programs_answered() {
    let (relay, mut client) = start("").await;
    client.store(&told("fine")).await;
    client.publish(&told("reject no")).await;
    client.publish(&told("shadow")).await;
    assert_internal(&client.publish(&told("odd")).await);
    for (name, value) in [
        ("exec_accepted_total", "1"),
        ("exec_rejected_total", "1"),
        ("exec_shadow_rejected_total", "1"),
        ("exec_unanswered_total", "1"),
        ("exec_processes", "1"),
        ("exec_answer_seconds_count", "4"),
    ] {
        let line = format!("{name}{{extension=\"exec\"}} {value}");
        let page = metrics(&relay).await;
        assert!(page.contains(&line), "{line} is not in {page}");
    }
}

async fn metrics(relay: &Relay) -> String {
    trellis_test_support::http::get(relay, "/metrics", &[])
        .await
        .body
}
