//! The log of enforcement decisions.

use trellis_test_support::management::{call, problem};
use trellis_test_support::{Author, Client, Front, Output, Setup, Value, json, trellis};

fn setup(operator: &Author) -> Setup {
    let config = format!("[information]\npubkey = \"{}\"\n", operator.pubkey());
    trellis!().front(Front::Server).config(&config)
}

const DECISIONS: [&str; 3] = ["decisions", "-c", "config.toml"];

/// The lines of `trellis decisions`.
fn lines(output: &Output) -> Vec<Value> {
    output.assert_success();
    let lines = output.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn actions(decisions: &[Value]) -> Vec<&str> {
    let told = decisions.iter().map(|it| it["action"].as_str());
    told.map(|action| action.expect("text")).collect()
}

#[tokio::test]
async fn c29_each_decision_of_the_operator_is_in_the_log_with_rule_and_reason() {
    let operator = Author::new();
    let relay = setup(&operator).start().await;
    let bad = Author::new();
    let note = bad.note("canary-content");
    let mut client = Client::connect(&relay).await;
    client.store(&note).await;
    let id = note.id.to_hex();
    for (method, params) in [
        ("banevent", json!([id, "legal: order 12 of a court"])),
        (
            "banpubkey",
            json!([bad.pubkey(), "abuse: floods from 203.0.113.77"]),
        ),
        (
            "blockip",
            json!(["203.0.113.77", "reports: mail me@example.com"]),
        ),
        // A network around it is something else.
        ("unblockip", json!(["203.0.113.0/24", "not blocked"])),
        ("unblockip", json!(["203.0.113.77", "an appeal"])),
        ("unblockip", json!(["203.0.113.77", "not blocked any more"])),
        ("disallowkind", json!([4, "policy: no such messages"])),
        ("unbanpubkey", json!([bad.pubkey(), "appeal"])),
        ("allowkind", json!([7, "is taken anyway"])),
        ("allowkind", json!([4, "a mistake"])),
        ("allowonlykinds", json!([0, 1, "7", "policy: notes alone"])),
        ("allowonlykinds", json!(["all", "too strict"])),
        // No decisions about anybody.
        ("changerelayname", json!(["another"])),
        ("listbannedpubkeys", json!([])),
        // Changes nothing.
        ("unallowpubkey", json!([bad.pubkey()])),
    ] {
        call(&relay, &operator, method, params).await;
    }
    let refused = problem(&relay, &operator, "banpubkey", json!(["nobody"])).await;
    assert!(refused.contains("public key"), "{refused}");
    for slip in [json!([1, "7x"]), json!([1, "all"]), json!(["spam"])] {
        let refused = problem(&relay, &operator, "allowonlykinds", slip).await;
        assert!(refused.contains("a kind, 0 to 65535"), "{refused}");
    }

    let told = call(&relay, &operator, "listdecisions", json!([])).await;
    let mut told: Vec<Value> = told.as_array().expect("a list").clone();
    told.reverse();
    let wanted = [
        "banevent",
        "banpubkey",
        "blockip",
        "unblockip",
        "disallowkind",
        "unbanpubkey",
        "allowkind",
        "allowonlykinds",
        "allowonlykinds",
    ];
    assert_eq!(actions(&told), wanted);
    let field = |at: usize, name: &str| told[at][name].as_str().expect("text").to_owned();
    assert_eq!(field(0, "subject"), format!("event:{id}"));
    assert_eq!(field(0, "rule"), "legal process");
    assert_eq!(field(0, "reason"), "order 12 of a court");
    assert_eq!(field(1, "subject"), format!("pubkey:{}", bad.pubkey()));
    assert_eq!(field(1, "rule"), "technical abuse");
    assert_eq!(field(1, "reason"), "floods from [removed]");
    assert_eq!(field(2, "subject"), "address");
    assert_eq!(field(3, "reason"), "an appeal");
    assert_eq!(field(4, "subject"), "kinds:4");
    assert_eq!(field(4, "rule"), "acceptable use");
    assert_eq!(field(4, "reason"), "no such messages");
    assert_eq!(field(5, "rule"), "operator");
    assert_eq!(field(6, "reason"), "a mistake");
    assert_eq!(field(7, "subject"), "kinds:0,1,7");
    assert_eq!(field(7, "reason"), "notes alone");
    assert_eq!(field(8, "subject"), "kinds:all");
    assert_eq!(field(8, "reason"), "too strict");
    let all = serde_json::to_string(&told).expect("JSON");
    for never in ["203.0.113", "example.com", "canary-content"] {
        assert!(!all.contains(never), "{never}: {all}");
    }
    let page = call(&relay, &operator, "listdecisions", json!([3, 1])).await;
    assert_eq!(page, json!([told[1]]));

    // By the command, from the running relay, and from the store after a crash.
    assert_eq!(lines(&relay.setup().run(&DECISIONS).await), told);
    let setup = relay.kill();
    assert_eq!(lines(&setup.run(&DECISIONS).await), told);
    let after = ["decisions", "-c", "config.toml", "--after", "4"];
    assert_eq!(lines(&setup.run(&after).await), told[4..]);
    let relay = setup.start().await;
    call(&relay, &operator, "allowevent", json!([id, "a mistake"])).await;
    let told = lines(&relay.setup().run(&DECISIONS).await);
    assert_eq!(actions(&told).last(), Some(&"allowevent"));
    assert_eq!(told.last().expect("a line")["number"], 10);
}

#[tokio::test]
async fn c29_what_the_operator_deletes_is_in_the_log() {
    let operator = Author::new();
    let relay = setup(&operator).start().await;
    let bad = Author::new();
    let mut client = Client::connect(&relay).await;
    client.store_all(&bad.notes(600)).await;
    let filter = json!({"authors": [bad.pubkey()], "limit": 500}).to_string();
    let delete = [
        "delete",
        "-c",
        "config.toml",
        "-f",
        &filter,
        "--reason",
        "policy: spam",
    ];
    let dry = [&delete[..], &["--dry-run"]].concat();
    relay.setup().run(&dry).await.assert_success();
    assert!(lines(&relay.setup().run(&DECISIONS).await).is_empty());
    relay.setup().run(&delete).await.assert_success();
    let (_, setup) = relay.stop().await;
    setup.run(&delete).await.assert_success();
    // Nothing is left that it could be about.
    setup.run(&delete).await.assert_success();
    let told = lines(&setup.run(&DECISIONS).await);
    assert_eq!(actions(&told), ["delete", "delete"]);
    for decision in &told {
        let wanted = json!({"authors": [bad.pubkey()], "limit": 500});
        assert_eq!(decision["subject"], format!("events:{wanted}"));
        assert_eq!(decision["by"], "command");
        assert_eq!(decision["rule"], "acceptable use");
        assert_eq!(decision["reason"], "spam");
    }
}

#[tokio::test]
async fn c29_a_database_without_decisions_has_an_empty_log() {
    let operator = Author::new();
    let (_, setup) = setup(&operator).start().await.stop().await;
    let output = setup.run(&DECISIONS).await;
    assert_eq!((lines(&output).len(), output.stdout.as_str()), (0, ""));
}
