//! Programs that change, and relays that end: no question is lost, and no process stays behind.

use crate::programs::{PLUGIN, gone, lines, nth_pid, pids, put, start, start_with, table, told};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use trellis_test_support::probe::health;
use trellis_test_support::{Client, Front, json, trellis, wait};

#[tokio::test]
async fn e12_a_program_whose_file_changed_is_asked_in_its_new_version() {
    let (relay, mut client) = start("").await;
    client.store(&told("fine")).await;
    let strict = PLUGIN.replace("VERDICT = \"accept\"", "VERDICT = \"reject\"");
    assert_ne!(strict, PLUGIN);
    put(relay.setup().home(), "plugin.py", &strict);
    let verdict = client.publish(&told("the very next event")).await;
    assert_eq!(verdict.message, "blocked: no event passes");
    gone(&pids(&relay)[..1]).await;
    relay.wait_for_log(0, "its file changed").await;
}

#[tokio::test]
async fn e12_programs_are_told_apart_where_hooks_are_explained() {
    let setup = trellis!();
    put(setup.home(), "plugin.py", PLUGIN);
    let other = table("./plugin.py", "").replace("\"plugin\"", "\"another\"");
    let setup = setup.config(&format!("{}{other}", table("./plugin.py", "")));
    let file = setup.config_file().display().to_string();
    let explained = setup
        .run(&["config", "explain", "--hooks", "-c", &file])
        .await;
    let text = &explained.assert_success().stdout;
    for name in ["(plugin)", "(another)"] {
        let lines = text.lines().filter(|line| line.ends_with(name));
        assert!(lines.count() > 0, "{name}: {text}");
    }
}

#[tokio::test]
async fn e12_a_process_that_is_replaced_answers_what_it_was_asked() {
    let (relay, mut client) = start("in_flight = 8").await;
    let held: Vec<_> = (0..8).map(|i| told(&format!("held {i}"))).collect();
    for event in &held[..7] {
        client.send_event(event).await;
    }
    wait::until_true("seven questions", || lines(&relay, "asked").len() == 7).await;
    let strict = PLUGIN.replace("len(held) == 8", "len(held) == 1");
    put(relay.setup().home(), "plugin.py", &strict);
    let mut other = Client::connect(&relay).await;
    assert_eq!(other.publish(&held[7]).await.message, "blocked: 7");
    let old = pids(&relay)[0];
    assert!(
        std::path::Path::new(&format!("/proc/{old}")).exists(),
        "it is owed seven answers"
    );
    let (status, _) = relay.stop().await;
    assert!(status.success());
    gone(&[old]).await;
}

#[tokio::test]
async fn e12_a_new_version_that_cannot_start_leaves_the_old_one_in_place() {
    let (relay, mut client) = start("").await;
    client.store(&told("fine")).await;
    put(relay.setup().home(), "plugin.py", "#!/no/such/program\n");
    client.store(&told("by the old one")).await;
    client.store(&told("once more")).await;
    relay.wait_for_log(0, "cannot be started").await;
    assert_eq!(relay.log().matches("cannot be started").count(), 1);
    put(relay.setup().home(), "plugin.py", PLUGIN);
    client.store(&told("by the new one")).await;
    assert_eq!(pids(&relay).len(), 2);
}

#[tokio::test]
async fn e12_a_new_version_that_ends_at_once_is_told() {
    let (relay, mut client) = start("").await;
    client.store(&told("fine")).await;
    put(relay.setup().home(), "plugin.py", "#!/bin/sh\nexit 9\n");
    let verdict = client.publish(&told("nobody answers")).await;
    assert!(!verdict.accepted, "{}", verdict.message);
    wait::until("the health to say so", async || {
        let health = health(&relay, "exec").await.to_string();
        let is_told = health.contains("plugin: 0 of 1 processes run, it");
        (is_told && health.contains("exit code 9")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn e12_no_process_stays_behind_a_relay_that_stops() {
    let ignoring = "#!/usr/bin/env python3\nimport os, signal\n\
        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
        open('pids', 'a').write(f'{os.getpid()}\\n')\nwhile True:\n    signal.pause()\n";
    for (text, command) in [
        (PLUGIN, "./program"),
        (PLUGIN, "true && ./program"),
        (ignoring, "./program"),
    ] {
        let relay = start_with("program", text, command, "workers = 3").await;
        nth_pid(&relay, 3).await;
        let pids = pids(&relay);
        let (status, _) = relay.stop().await;
        assert!(status.success(), "{command}: {status}");
        gone(&pids).await;
    }
}

/// Whoever was asked is gone, so nobody can let it in.
#[tokio::test]
async fn e12_what_a_program_has_not_judged_when_the_relay_stops_is_not_stored() {
    for on_fault in ["closed", "open"] {
        let setup = trellis!().front(Front::Server);
        put(setup.home(), "plugin.py", PLUGIN);
        let program = table("./plugin.py", "in_flight = 8\nanswer_timeout_ms = 30000");
        let config = format!("[extensions.exec]\non_fault = \"{on_fault}\"\n{program}");
        let relay = setup.config(&config).start().await;
        let mut client = Client::connect(&relay).await;
        // More than one connection may have under way, so that some have not been asked about at all.
        for _ in 0..40 {
            client.send_event(&told("hang")).await;
        }
        wait::until_true("a question", || !lines(&relay, "asked").is_empty()).await;
        let (status, setup) = relay.stop().await;
        assert!(status.success());
        let relay = setup.config("").start().await;
        let mut client = Client::connect(&relay).await;
        assert_eq!(client.query(json!({"kinds": [1]})).await, [], "{on_fault}");
    }
}

#[tokio::test]
async fn e12_a_new_version_that_is_made_executable_later_is_noticed() {
    let (relay, mut client) = start("").await;
    client.store(&told("fine")).await;
    let file = relay.setup().home().join("plugin.py");
    let new = file.with_extension("new");
    std::fs::write(&new, PLUGIN).expect("write a program");
    std::fs::rename(&new, &file).expect("put it in place");
    client.store(&told("by the old one")).await;
    let told_of = health(&relay, "exec").await.to_string();
    assert!(
        told_of.contains("its file changed, but cannot be started"),
        "{told_of}"
    );
    std::fs::set_permissions(&file, Permissions::from_mode(0o755)).expect("make it executable");
    client.store(&told("by the new one")).await;
    assert_eq!(pids(&relay).len(), 2);
    assert_eq!(health(&relay, "exec").await["status"], "ok");
}

#[tokio::test]
async fn e12_programs_do_not_see_how_the_relay_is_configured() {
    let setup = trellis!().front(Front::Server);
    put(setup.home(), "plugin.py", PLUGIN);
    let setup = setup
        .env("TRELLIS_LOG__FILTER", "info")
        .env("METRICS_AUTH_KEY", "a-secret-of-the-operator")
        .env("AUX_DB_URL", "postgres://user:password@db")
        .env("MINE", "for the program");
    let relay = setup.config(&table("./plugin.py", "")).start().await;
    let mut client = Client::connect(&relay).await;
    let seen = client.publish(&told("environment")).await.message;
    assert!(seen.contains("MINE"), "{seen}");
    for name in ["TRELLIS_", "METRICS_AUTH_KEY", "AUX_DB_URL"] {
        assert!(!seen.contains(name), "{seen}");
    }
}

#[tokio::test]
async fn e12_programs_end_when_the_relay_is_killed() {
    let (relay, _client) = start("workers = 2").await;
    nth_pid(&relay, 2).await;
    let old = pids(&relay);
    let relay = relay.kill().start().await;
    gone(&old).await;
    let mut client = Client::connect(&relay).await;
    client.store(&told("asked of the new processes")).await;
}

#[tokio::test]
async fn e12_a_changed_table_takes_over_without_losing_an_event() {
    let setup = trellis!().front(Front::Server);
    put(setup.home(), "plugin.py", PLUGIN);
    let relay = setup.config(&table("./plugin.py", "")).start().await;
    let mut client = Client::connect(&relay).await;
    for (round, workers) in [2, 1, 3].into_iter().enumerate() {
        relay.write_config(&table("./plugin.py", &format!("workers = {workers}")));
        relay.hang_up();
        let events: Vec<_> = (0..50)
            .map(|i| told(&format!("fine {round} {i}")))
            .collect();
        client.store_all(&events).await;
    }
    relay.write_config("");
    relay.hang_up();
    wait::until_true("the end of all programs", || {
        pids(&relay)
            .iter()
            .all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists())
    })
    .await;
    client
        .store(&told("reject: nobody is asked any more"))
        .await;
}

#[tokio::test]
async fn e12_a_wrong_table_stops_the_start_with_its_key() {
    for (more, words) in [
        (
            "workers = 0",
            "programs.plugin.workers: found 0, wanted 1 to 256",
        ),
        ("worker = 1", "unknown field `worker`"),
        ("asks = [\"viewer\"]", "programs.plugin.kinds"),
    ] {
        let setup = trellis!()
            .front(Front::Server)
            .config(&table("./plugin.py", more));
        let output = setup.run(&["config", "check", "-c", "config.toml"]).await;
        output.assert_failure(&[words]);
    }
}
