//! Plugins as people write them for strfry, on events that come over a socket.

use crate::programs::{PLUGIN, lines, pids, put, start, start_with, table, told};
use std::io::Write as _;
use std::process::{Command, Stdio};
use trellis_test_support::{Author, Client, Event, Front, Relay, Value, json, trellis};

const WHITELIST_PY: &str = include_str!("../../examples/plugins/whitelist.py");
const WHITELIST_JS: &str = include_str!("../../examples/plugins/whitelist.js");
const RATE_LIMIT: &str = include_str!("../../examples/plugins/rate-limit.py");
const NO_LINKS: &str = include_str!("../../examples/plugins/no-links.sh");

async fn assert_only_member(relay: &Relay, member: &Author) {
    let mut client = Client::connect(relay).await;
    client.store(&member.note("from a member")).await;
    let verdict = client.publish(&Author::new().note("from a stranger")).await;
    verdict.assert_refused("blocked:", "only members publish here");
    assert_eq!(verdict.message, "blocked: only members publish here");
    assert_eq!(client.query(json!({"kinds": [1]})).await.len(), 1);
}

#[tokio::test]
async fn e12_a_whitelist_in_python_with_an_argument() {
    let member = Author::new();
    let setup = trellis!().front(Front::Server);
    put(setup.home(), "whitelist.py", WHITELIST_PY);
    std::fs::write(setup.home().join("members.txt"), member.pubkey()).expect("write");
    let config = table("./whitelist.py members.txt", "");
    assert_only_member(&setup.config(&config).start().await, &member).await;
}

#[tokio::test]
async fn e12_a_whitelist_in_javascript_as_strfry_documents_it() {
    let member = Author::new();
    let env = format!("env = {{ MEMBERS = \"{}\" }}", member.pubkey());
    let relay = start_with("whitelist.js", WHITELIST_JS, "./whitelist.js", &env).await;
    assert_only_member(&relay, &member).await;
}

#[tokio::test]
async fn e12_a_rate_limit_remembers_what_came_before() {
    let relay = start_with("limit.py", RATE_LIMIT, "./limit.py 3", "").await;
    let mut client = Client::connect(&relay).await;
    let notes = Author::new().notes(5);
    let verdicts = client.publish_all(&notes).await;
    let accepted: Vec<bool> = verdicts.iter().map(|verdict| verdict.accepted).collect();
    assert_eq!(accepted, [true, true, true, false, false]);
    assert_eq!(
        verdicts[4].message,
        "rate-limited: at most 3 events a minute"
    );
}

#[test]
fn e12_a_rate_limit_takes_a_network_for_one_client_and_forgets() {
    // One event a minute, and no more than two clients in mind.
    let script = ["-c", RATE_LIMIT, "1", "2"];
    let mut command = Command::new("python3");
    command
        .args(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut plugin = command.spawn().expect("python3");
    let mut asked = plugin.stdin.take().expect("its input");
    let asks = [
        (100, "2001:db8::1", "accept"),
        (101, "2001:db8::2", "reject"),
        (102, "2001:db8:0:1::1", "accept"),
        (103, "2001:db8:0:1::2", "reject"),
        (160, "2001:db8::3", "accept"),
        (161, "192.0.2.1", "accept"),
        (161, "::ffff:192.0.2.1", "reject"),
        // The third client pushed the second out.
        (161, "2001:db8:0:1::1", "accept"),
        (161, "2001:db8::3", "accept"),
    ];
    for (at, address, _) in asks {
        let question = json!({
            "type": "new",
            "event": { "id": address },
            "receivedAt": at,
            "sourceType": "IP6",
            "sourceInfo": address,
        });
        writeln!(asked, "{question}").expect("asked");
    }
    drop(asked);
    let answers = plugin.wait_with_output().expect("its answers").stdout;
    let answers = String::from_utf8(answers).expect("UTF-8");
    let answers: Vec<Value> = answers
        .lines()
        .map(|line| serde_json::from_str(line).expect("one JSON a line"))
        .collect();
    assert_eq!(answers.len(), asks.len());
    for ((at, address, action), answer) in asks.iter().zip(answers) {
        assert_eq!(answer["action"], *action, "{address} at {at}");
    }
}

#[tokio::test]
async fn e12_a_filter_of_one_line_of_jq_rejects_in_silence() {
    let relay = start_with("no-links.sh", NO_LINKS, "./no-links.sh", "").await;
    let mut client = Client::connect(&relay).await;
    let (plain, link) = (told("no link"), told("see https://example.org"));
    client.store_all(&[plain.clone(), link.clone()]).await;
    assert_eq!(client.query(json!({"kinds": [1]})).await, [plain]);
    client.login(&Author::new()).await;
    client.store(&link).await;
    assert_eq!(client.query(json!({"ids": [link.id]})).await, [link]);
}

#[tokio::test]
async fn e12_a_program_is_told_what_strfry_would_tell() {
    let (relay, mut client) = start("").await;
    let author = Author::new();
    let event = author
        .draft(1)
        .tag(&["t", "a \"tag\""])
        .content("line\nbreak \u{1f600} \\")
        .sign();
    client.store(&event).await;
    client.login(&author).await;
    client.store(&author.note("authenticated")).await;
    let asked: Vec<Value> = lines(&relay, "asked")
        .iter()
        .map(|line| serde_json::from_str(line).expect("one JSON a line"))
        .collect();
    let first = &asked[0];
    assert_eq!(first["type"], "new");
    let sent = Event::from_json(first["event"].to_string()).expect("a whole event");
    assert_eq!(sent, event);
    assert_eq!(
        (&first["sourceType"], &first["sourceInfo"]),
        (&json!("IP4"), &json!("127.0.0.1"))
    );
    let received = first["receivedAt"].as_u64().expect("seconds");
    assert!(received >= event.created_at.as_secs());
    assert_eq!(first.get("authed"), None);
    assert_eq!(asked[1]["authed"], author.pubkey());
}

#[tokio::test]
async fn e12_messages_reach_the_client_with_a_prefix() {
    let (_relay, mut client) = start("").await;
    for (msg, wanted) in [
        ("restricted: pay first", "restricted: pay first"),
        ("go away", "blocked: go away"),
        ("", "blocked: the policy of this relay does not allow it"),
    ] {
        let verdict = client.publish(&told(&format!("reject {msg}"))).await;
        assert_eq!(
            (verdict.accepted, verdict.message.as_str()),
            (false, wanted)
        );
    }
}

#[tokio::test]
async fn e12_answers_may_come_in_any_order() {
    let (relay, mut client) = start("in_flight = 8").await;
    let events: Vec<Event> = (0..8).map(|i| told(&format!("held {i}"))).collect();
    let verdicts = client.publish_all(&events).await;
    let said: Vec<&str> = verdicts
        .iter()
        .map(|verdict| verdict.message.as_str())
        .collect();
    let wanted: Vec<String> = (0..8).map(|i| format!("blocked: {i}")).collect();
    assert_eq!(
        said, wanted,
        "each event got the answer that was meant for it"
    );
    assert_eq!(pids(&relay).len(), 1);
}

#[tokio::test]
async fn e12_the_same_event_from_several_clients_is_answered_to_each() {
    let (relay, _client) = start("in_flight = 8").await;
    let event = told("reject no");
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(Client::connect(&relay).await);
    }
    for client in &mut clients {
        client.send_event(&event).await;
    }
    for client in &mut clients {
        let verdict = client.verdict(&event.id.to_hex()).await;
        assert_eq!(verdict.message, "blocked: no");
    }
    assert!(!relay.log().contains("not open"), "{}", relay.log());
}

#[tokio::test]
async fn e12_a_program_is_asked_about_its_kinds_alone() {
    let (relay, mut client) = start("kinds = [1, [30000, 30010]]").await;
    let author = Author::new();
    client
        .store(&author.draft(7).content("reject").sign())
        .await;
    let verdict = client.publish(&author.note("reject")).await;
    assert!(!verdict.accepted);
    assert_eq!(lines(&relay, "asked").len(), 1);
}

#[tokio::test]
async fn e12_programs_are_asked_in_their_order_until_one_refuses() {
    let setup = trellis!().front(Front::Server);
    put(setup.home(), "plugin.py", PLUGIN);
    put(setup.home(), "limit.py", RATE_LIMIT);
    let second = "[[extensions.exec.programs]]\nname = \"limit\"\ncommand = \"./limit.py 1\"\n";
    let config = format!("{}{second}", table("./plugin.py", ""));
    let relay = setup.config(&config).start().await;
    let mut client = Client::connect(&relay).await;
    assert_eq!(
        client.publish(&told("reject no")).await.message,
        "blocked: no"
    );
    client
        .store(&told("the first that the second program sees"))
        .await;
    let verdict = client.publish(&told("the second")).await;
    verdict.assert_refused("rate-limited:", "at most 1");
}
