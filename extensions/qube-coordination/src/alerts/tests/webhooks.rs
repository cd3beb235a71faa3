//! What a server gets: signed, in order, once, though it fails at first and the relay is killed.

use crate::alerts::CATCH_UP_S;
use crate::alerts::signature::sign;
use crate::sample::{developer, publish, report, send, setup, upgrade};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use trellis_relay::testing::{
    Author, HttpsRequest, HttpsServer, Response, START_S, Setup, TestRelay, Value, until,
};

const SECRET: &str = "a secret of the test and the relay";

/// A server that fails so often first.
fn server(failures: usize) -> (HttpsServer, Arc<AtomicUsize>) {
    let (server, left, _) = server_that_counts(failures);
    (server, left)
}

/// The same, with the numbers of what it took.
fn server_that_counts(failures: usize) -> (HttpsServer, Arc<AtomicUsize>, Arc<Mutex<Vec<u64>>>) {
    let left = Arc::new(AtomicUsize::new(failures));
    let counted = left.clone();
    let took: Arc<Mutex<Vec<u64>>> = Arc::default();
    let list = took.clone();
    let server = HttpsServer::start(move |request| {
        let fails = counted.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        if fails.is_err() {
            let seq = message(request)["seq"].as_u64().unwrap();
            list.lock().unwrap().push(seq);
        }
        Response {
            status: if fails.is_ok() { 503 } else { 204 },
            headers: Vec::new(),
            body: Vec::new(),
        }
    });
    (server, left, took)
}

fn relay_telling(server: &HttpsServer, more: &str) -> Setup {
    let table = format!(
        "{more}\n[[extensions.qube_coordination.alerts.webhooks]]\nurl = '{}'\nsecret = '{SECRET}'",
        server.url("/hook?token=secret-of-the-address")
    );
    setup(&table, &server.outbound())
}

fn message(request: &HttpsRequest) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

fn header<'a>(request: &'a HttpsRequest, name: &str) -> &'a str {
    let lines = request.head.lines();
    let found = lines
        .filter_map(|line| line.split_once(": "))
        .find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.unwrap().1
}

/// What the server took, as (seq, status, kind).
fn taken(server: &HttpsServer, refused: usize) -> Vec<(u64, String, String)> {
    let all = server.asked();
    let taken = all.iter().skip(refused).map(message);
    taken
        .map(|it| {
            let text = |key: &str| it[key].as_str().unwrap().to_owned();
            (it["seq"].as_u64().unwrap(), text("status"), text("kind"))
        })
        .collect()
}

fn told(seq: u64, status: &str, kind: &str) -> (u64, String, String) {
    (seq, status.to_owned(), kind.to_owned())
}

/// Whether the page of the fleet says so.
async fn shows(relay: &TestRelay, words: &str) -> bool {
    relay.get("/qube").await.text().contains(words)
}

async fn conflict(relay: &TestRelay) {
    let signals = [
        (0, upgrade(&developer(0), "v1.4.0", "ab", START_S - 9)),
        (1, upgrade(&developer(1), "v1.4.0", "cd", START_S - 8)),
    ];
    publish(relay, &signals).await;
}

#[tokio::test]
async fn q14_a_server_that_fails_first_gets_every_alert_once_and_in_order_across_a_crash() {
    let (server, failing, took) = server_that_counts(2);
    let relay = relay_telling(&server, "").start().await;
    conflict(&relay).await;
    let first = told(1, "firing", "conflict");
    until("the conflict is told", async || {
        taken(&server, 2) == [first.clone()]
    })
    .await;

    // Down for longer than the relay lives.
    failing.store(usize::MAX, Relaxed);
    let asked = server.asked().len();
    // The second developer comes round, which ends the conflict and begins the action; a node fails.
    publish(
        &relay,
        &[(1, upgrade(&developer(1), "v1.4.0", "ab", START_S - 5))],
    )
    .await;
    send(
        &relay,
        &[report("node-1", "v1.4.0", Some("no room"), START_S)],
    )
    .await;
    until("it is tried", async || server.asked().len() > asked).await;
    until("the failure is noted", async || {
        shows(&relay, "failed on 1 node").await
    })
    .await;
    let relay = relay.kill_and_restart().await;
    failing.store(0, Relaxed);
    let all = || server.asked().iter().map(message).collect::<Vec<_>>();
    until("the rest is told", async || {
        all().last().is_some_and(|it| it["seq"] == 3)
    })
    .await;
    let seqs: Vec<u64> = all().iter().map(|it| it["seq"].as_u64().unwrap()).collect();
    assert!(seqs.is_sorted(), "in order: {seqs:?}");
    // While the relay was killed nothing was taken, so nothing is told again that was.
    assert_eq!(*took.lock().unwrap(), [1, 2, 3]);

    until("how far it was told is stored", async || {
        let rows = relay.backed_up_rows("qube_coordination");
        rows.iter()
            .any(|(key, value)| key.starts_with(b"alert/sent/") && value == b"3")
    })
    .await;
    // What goes on is not told again, neither by time nor by a restart in order.
    let count = server.asked().len();
    let relay = relay.restart().await;
    until("it is open again", async || {
        shows(&relay, "failed on 1 node").await
    })
    .await;
    let stranger = Author::new(900);
    let mut client = relay.connect_as(&stranger).await;
    let attempt = upgrade(&stranger, "v9.0.0", "ef", START_S);
    assert!(!client.publish(&attempt).await.is_accepted());
    until("an attempt is told", async || {
        all().last().is_some_and(|it| it["kind"] == "unauthorised")
    })
    .await;
    assert_eq!(server.asked().len(), count + 1, "that and nothing else");
    assert_eq!(all()[count]["network"], "hyperqube");
    until("it is taken", async || {
        *took.lock().unwrap() == [1, 2, 3, 4]
    })
    .await;
}

#[tokio::test]
async fn q14_what_is_not_taken_in_time_is_given_up() {
    let (server, failing) = server(usize::MAX);
    let more = "[extensions.qube_coordination.alerts]\ngive_up_after = '1m'";
    let relay = relay_telling(&server, more).start().await;
    conflict(&relay).await;
    until("it is tried", async || !server.asked().is_empty()).await;
    relay.clock().advance(std::time::Duration::from_secs(61));
    until("it is given up", async || {
        // Of the process, and no other test gives up.
        let labels = [("result", "given_up")];
        relay
            .metric("qube_coordination_webhooks_total", &labels)
            .await
            >= 1.0
    })
    .await;
    failing.store(0, Relaxed);
    let asked = server.asked().len();
    publish(
        &relay,
        &[(1, upgrade(&developer(1), "v1.4.0", "ab", START_S - 5))],
    )
    .await;
    let next = told(2, "resolved", "conflict");
    until("the next is told", async || {
        taken(&server, asked).contains(&next)
    })
    .await;
}

#[tokio::test]
async fn q14_a_receiver_checks_the_signature_as_the_documentation_says() {
    let (server, _) = server(0);
    let relay = relay_telling(&server, "").start().await;
    conflict(&relay).await;
    until("it is told", async || !server.asked().is_empty()).await;
    let request = server.asked().remove(0);
    let (timestamp, signature) = (
        header(&request, "x-qube-timestamp"),
        header(&request, "x-qube-signature"),
    );
    let timestamp_s: u64 = timestamp.parse().unwrap();
    assert_eq!(
        signature,
        sign(SECRET.as_bytes(), timestamp_s, &request.body)
    );
    assert_eq!(message(&request)["relay"].as_str().unwrap().len(), 64);

    let page = include_str!("../../../../../docs/extensions/qube-dashboard.md");
    let (_, example) = page.split_once("```python\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    // The test's clock stands still at a time of its own.
    let program = format!(
        "{example}\nimport sys\ntime.time = lambda: {timestamp_s}\nbody = sys.stdin.buffer.read()\n\
         def check(at, by, what): return is_from_relay({SECRET:?}, at, by, what)\n\
         assert check({timestamp:?}, {signature:?}, body)\n\
         assert not check({timestamp:?}, {signature:?}, body + b' ')\n\
         assert not check(str({timestamp_s} + 1), {signature:?}, body)\n\
         assert not check({timestamp:?}, 'v1=' + '0' * 64, body)\n\
         time.time = lambda: {timestamp_s} + 301\n\
         assert not check({timestamp:?}, {signature:?}, body)\nprint('checked')"
    );
    let mut python = Command::new("python3");
    python.args(["-c", &program]);
    let python = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut python) = python else {
        std::io::stderr()
            .write_all(b"SKIPPED: python3 is not installed\n")
            .unwrap();
        return;
    };
    python
        .stdin
        .take()
        .unwrap()
        .write_all(&request.body)
        .unwrap();
    let done = python.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stdout), "checked\n");
}

#[tokio::test]
async fn q14_what_was_missed_before_the_start_raises_nothing_until_others_had_time_to_tell() {
    let relay = setup("proposal_ttl = '1m'", "").start().await;
    let old = upgrade(&developer(2), "v1.3.0", "ab", START_S - 90);
    publish(&relay, &[(2, old)]).await;
    conflict(&relay).await;
    until("the conflict is told", async || {
        shows(&relay, "is signed with 2 hashes").await
    })
    .await;
    let missing = "found 1 of the 2 votes that it needed";
    assert!(
        !shows(&relay, missing).await,
        "its votes may be on their way"
    );
    let catch_up = std::time::Duration::from_secs(CATCH_UP_S);
    relay.clock().advance(catch_up);
    until("it is told", async || shows(&relay, missing).await).await;
    // What is open goes on across a start.
    let relay = relay.restart().await;
    until("it is open still", async || shows(&relay, missing).await).await;
}
