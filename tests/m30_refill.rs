//! M30: the event store is lost and the gateway's database is not.

use std::fs;
use trellis_test_support::client::ids;
use trellis_test_support::wait::until;
use trellis_test_support::{Author, Client, Event, Relay, Setup, http, json, trellis};

const GROUP: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const MESSAGES: usize = 300;

fn setup() -> Setup {
    let setup = trellis!();
    // Outside of the data directory, as a disk of its own would be.
    let database = setup.home().join("mls_auxiliary.db");
    setup.config(&format!(
        "[limitation]\nmax_limit = 1000\n[extensions.mls_gateway]\ndatabase_url = \"sqlite://{}\"\n\
         rate_limits = {{ max_events_per_minute = 10000, max_group_messages_per_minute = 10000 }}",
        database.display()
    ))
}

/// How many events the archive holds for this key.
async fn archived(relay: &Relay, whose: &Author) -> usize {
    let path = "/api/v1/mls/messages/missed";
    let body = json!({"limit": 500}).to_string();
    let url = format!("{}{path}", relay.http_url());
    let authorization = whose.authorization("POST", &url, &body);
    let headers = [
        ("Content-Type", "application/json"),
        ("Authorization", authorization.as_str()),
    ];
    let answer = http::post(relay, path, &headers, &body).await;
    // Two requests within a second may carry the same authorization, which is good for one.
    match answer.status {
        200 => answer.json()["events"].as_array().map_or(0, Vec::len),
        _ => 0,
    }
}

/// What a member finds by plain requests; none while the relay says that it cannot.
async fn find(client: &mut Client, whose: &Author) -> Option<Vec<Event>> {
    let group = json!({"kinds": [445], "#h": [GROUP], "limit": 1000});
    let own = json!({"kinds": [1059], "#p": [whose.pubkey()], "limit": 1000});
    client.ask(&[group, own]).await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m30_after_kill_9_and_the_loss_of_the_store_members_find_everything() {
    let bob = Author::new();
    let mut events: Vec<Event> = Vec::new();
    for number in 0..MESSAGES {
        let words = format!("sealed {number}");
        let sender = Author::new();
        events.push(sender.draft(445).tag(&["h", GROUP]).content(&words).sign());
        if number % 10 == 0 {
            let wrap = sender.draft(1059).tag(&["p", &bob.pubkey()]);
            events.push(wrap.content(&words).sign());
        }
    }
    let last = bob.draft(1059).tag(&["p", &bob.pubkey()]);
    events.push(last.content("the last one").sign());
    let wraps = events
        .iter()
        .filter(|event| event.kind.as_u16() == 1059)
        .count();

    let relay = setup().start().await;
    let mut client = Client::connect(&relay).await;
    client.store_all(&events).await;
    // What was not archived yet when it was killed is archived when it runs again.
    let relay = relay.kill().start().await;
    until("the archive", async || {
        (archived(&relay, &bob).await == wraps).then_some(())
    })
    .await;
    let setup = relay.kill();
    fs::remove_dir_all(setup.home().join("data")).expect("the data directory");

    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    client.login(&bob).await;
    let mut wanted = ids(&events);
    wanted.sort();
    // A part is never given as if it were all, however often the relay dies on its way.
    for _ in 0..3 {
        let found = find(&mut client, &bob).await;
        assert!(found.is_none_or(|found| found.len() == wanted.len()));
    }
    let relay = relay.kill().start().await;
    let mut client = Client::connect(&relay).await;
    client.login(&bob).await;
    let found = until("everything", async || find(&mut client, &bob).await).await;
    let mut found = ids(&found);
    found.sort();
    assert_eq!(found, wanted);
    until("the archive", async || {
        (archived(&relay, &bob).await == wraps).then_some(())
    })
    .await;
}
