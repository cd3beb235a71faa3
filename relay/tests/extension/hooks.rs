//! E1: every hook exists, and is called only for the kinds it named.

use crate::support::*;
use serde_json::{Map, Value, json};
use trellis_relay::extension::*;

#[tokio::test]
async fn e1_admit_is_asked_for_the_kinds_that_its_config_names() {
    let relay = start(&format!("{WORDS}{GATE}")).await;
    assert_eq!(
        relay.admit(&event(1, "spam"), &stranger()),
        "blocked: a word"
    );
    assert_eq!(
        relay.admit(&event(7, "spam"), &stranger()),
        "blocked: a word"
    );
    assert_eq!(relay.admit(&event(2, "spam"), &stranger()), "accept");
    assert_eq!(relay.admit(&event(1, "quiet"), &stranger()), "shadow");
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_admit_async_decides_on_its_own_threads() {
    let relay = start(GATE).await;
    let (hooks, viewer) = (relay.hooks(), stranger());
    assert!(hooks.plan(450).wants_async(&event(450, "1"), &viewer));
    assert!(!hooks.plan(449).wants_async(&event(449, "1"), &viewer));
    assert_eq!(relay.admit_async(&event(450, "1")).await, "accept");
    let no = relay.admit_async(&event(450, "no")).await;
    assert_eq!(no, "restricted: not here");
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_session_is_told_in_order() {
    let relay = start(GATE).await;
    let hooks = relay.hooks();
    hooks.session(SessionNote::Connected, &stranger());
    hooks.session(SessionNote::Authenticated, &member());
    hooks.session(SessionNote::Closed, &member());
    let seen = relay.rpc("gate_seen").await;
    assert_eq!(seen, json!(["Connected 1", "Authenticated 1", "Closed 1"]));
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_nip11_adds_fields_and_a_fault_adds_nothing() {
    let mut relay = start(GATE).await;
    let mut document = Map::from_iter([("name".to_owned(), json!("t"))]);
    relay.hooks().nip11(&mut document);
    assert_eq!(Value::Object(document), json!({"name": "t", "room": "g"}));

    relay.apply(&GATE.replace("'g'", "'half'")).await.unwrap();
    let mut document = Map::new();
    relay.hooks().nip11(&mut document);
    assert!(document.is_empty());
    assert_eq!(relay.status("gate").faults, 1);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_rpc_methods_are_listed_and_called() {
    let relay = start(GATE).await;
    let hooks = relay.hooks();
    assert_eq!(
        hooks.rpc_methods(),
        ["gate_seen", "gate_relents", "gate_fails", "gate_rows"]
    );
    assert!(hooks.call_rpc("nobody", Vec::new()).is_none());
    let refused = hooks.call_rpc("gate_fails", Vec::new()).unwrap().await;
    assert_eq!(refused, Err("gate_fails takes a parameter".to_owned()));
    assert_eq!(relay.status("gate").faults, 0, "a refusal is no fault");
    let panicked = hooks.call_rpc("gate_fails", vec![1.into()]).unwrap().await;
    assert_eq!(panicked, Err(INTERNAL.to_owned()));
    assert_eq!(relay.status("gate").faults, 1);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_commands_are_listed_and_called() {
    let relay = start(GATE).await;
    let hooks = relay.hooks();
    assert_eq!(hooks.commands(), [("gate-room", "says which room")]);
    let args = vec!["is".to_owned(), "here".to_owned()];
    let printed = hooks.call_command("gate-room", args).unwrap().await;
    assert_eq!(printed, Ok("g is here".to_owned()));
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_hooks_run_by_phase_then_priority_then_name() {
    let order = |relay: &HookHarness| {
        let hooks = relay.handle.explain().into_iter();
        let admit = hooks.filter(|hook| hook.hook == "admit");
        admit.map(|hook| hook.extension).collect::<Vec<_>>()
    };
    let mut relay = start(&format!("{WORDS}{GATE}{CHAT}")).await;
    assert_eq!(order(&relay), ["chat", "words"]);
    relay.apply(&format!("{CHAT}priority = 5")).await.unwrap();
    assert_eq!(order(&relay), ["words", "chat"]);
    let early = CHAT.replace("echo", "early");
    relay.apply(&format!("{early}priority = 5")).await.unwrap();
    assert_eq!(order(&relay), ["chat", "words"]);

    let lines: Vec<_> = relay
        .handle
        .explain()
        .iter()
        .map(|it| it.to_string())
        .collect();
    assert!(lines[0].starts_with("guard "), "{lines:#?}");
    assert!(
        lines.iter().any(|line| line.contains("/api/gate")),
        "{lines:#?}"
    );
    assert!(
        lines.iter().any(|line| line.ends_with("kinds 440-460")),
        "{lines:#?}"
    );
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_every_hook_of_the_trait_is_in_the_toys() {
    let relay = start(&format!("{WORDS}{GATE}{CHAT}")).await;
    let mut names: Vec<_> = relay.handle.explain().iter().map(|it| it.hook).collect();
    names.sort_unstable();
    names.dedup();
    let all = [
        "admit",
        "admit_async",
        "command",
        "commit",
        "deliver",
        "guard_removal",
        "http",
        "nip11",
        "request",
        "request_async",
        "rpc",
        "session",
        "stored",
    ];
    assert_eq!(names, all);
    relay.host.shutdown().await;
}
