//! C28: modes in which the relay takes less, set by file, by reload and by the operator, and what users are told.

use trellis_test_support::http::{self, relay_information};
use trellis_test_support::management::call;
use trellis_test_support::{Author, Client, Front, Relay, Setup, Value, json, now, trellis, wait};

fn config(operator: &Author, operation: &str) -> String {
    let pubkey = operator.pubkey();
    format!("[information]\npubkey = \"{pubkey}\"\n[operation]\n{operation}\n")
}

fn setup(operator: &Author, operation: &str) -> Setup {
    trellis!().config(&config(operator, operation))
}

async fn status(relay: &Relay) -> Value {
    let answer = http::get(relay, "/status", &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// Seconds since 1970 as a parameter.
fn written(seconds: u64) -> Value {
    json!(seconds)
}

async fn statuses(client: &mut Client, relay: &Relay) -> Vec<trellis_test_support::Event> {
    let own = relay_information(relay).await["self"].clone();
    client
        .query(json!({"kinds": [30315], "authors": [own], "#d": ["general"]}))
        .await
}

async fn wait_for_status(
    client: &mut Client,
    relay: &Relay,
    content: &str,
) -> trellis_test_support::Event {
    wait::until(&format!("the status {content:?}"), async || {
        let found = statuses(client, relay).await;
        found.into_iter().find(|event| event.content == content)
    })
    .await
}

#[tokio::test]
async fn c28_read_only_takes_no_event_and_goes_on_reading() {
    let operator = Author::new();
    let relay = setup(&operator, "").start().await;
    let author = Author::new();
    let mut client = Client::connect(&relay).await;
    let stored = author.note("from before");
    client.store(&stored).await;
    call(&relay, &operator, "changerelaymode", json!(["read_only"])).await;
    call(
        &relay,
        &operator,
        "changerelaynotice",
        json!(["the disk is copied"]),
    )
    .await;
    let id = stored.id.to_hex();
    for event in [
        author.note("stored"),
        author.draft(20_000).sign(),
        author.deletion([["e", &id]]),
    ] {
        let verdict = client.publish(&event).await;
        verdict.assert_refused("blocked: maintenance", "the disk is copied");
    }
    client.login(&author).await;
    assert_eq!(
        client
            .query_ids(json!({"authors": [author.pubkey()]}))
            .await,
        [id]
    );
    call(&relay, &operator, "changerelaymode", json!(["normal"])).await;
    client.store(&author.note("again")).await;
}

#[tokio::test]
async fn c28_what_is_set_at_run_time_beats_the_file_and_survives_a_restart() {
    let operator = Author::new();
    let relay = setup(
        &operator,
        "mode = \"no_new_groups\"\nnotice = \"from the file\"",
    )
    .start()
    .await;
    assert_eq!(status(&relay).await["mode"], "no_new_groups");
    call(&relay, &operator, "changerelaymode", json!(["read_only"])).await;
    let relay = relay.kill().start().await;
    assert_eq!(status(&relay).await["mode"], "read_only");
    relay.wait_for_log(0, "operation.mode").await;
    let mut client = Client::connect(&relay).await;
    let verdict = client.publish(&Author::new().note("no")).await;
    verdict.assert_refused("blocked: maintenance", "from the file");
    call(&relay, &operator, "changerelaymode", json!([""])).await;
    assert_eq!(status(&relay).await["mode"], "no_new_groups");
    client.store(&Author::new().note("events go on")).await;
}

#[tokio::test]
async fn c28_a_reload_changes_the_mode() {
    let operator = Author::new();
    let relay = setup(&operator, "").front(Front::Server).start().await;
    let mut client = Client::connect(&relay).await;
    client.store(&Author::new().note("normal")).await;
    relay.write_config(&config(&operator, "mode = \"read_only\""));
    relay.hang_up();
    wait::until("the mode", async || {
        (status(&relay).await["mode"] == "read_only").then_some(())
    })
    .await;
    let verdict = client.publish(&Author::new().note("no")).await;
    verdict.assert_refused("blocked: maintenance", "reading goes on");
}

#[tokio::test]
async fn c28_an_announced_maintenance_shows_and_is_on_in_its_time() {
    let operator = Author::new();
    let relay = setup(&operator, "").start().await;
    let (from, until) = (now() + 80 * 3_600, now() + 81 * 3_600);
    let window = json!([written(from), written(until)]);
    call(&relay, &operator, "changemaintenance", window).await;
    let shown = status(&relay).await;
    assert_eq!(shown["mode"], "normal");
    assert!(shown["maintenance_from"].is_string(), "{shown}");
    let notice = shown["notice"].as_str().expect("a notice").to_owned();
    assert!(notice.starts_with("Maintenance from "), "{notice}");
    assert!(http::get(&relay, "/", &[]).await.body.contains(&notice));
    // Begun, by the clock alone.
    let window = json!([written(now() - 60), written(until)]);
    call(&relay, &operator, "changemaintenance", window).await;
    assert_eq!(status(&relay).await["mode"], "maintenance");
    assert!(
        http::get(&relay, "/", &[])
            .await
            .body
            .contains("maintenance")
    );
    // Over, and nothing of it shows.
    let window = json!([written(now() - 60), written(now() - 1)]);
    call(&relay, &operator, "changemaintenance", window).await;
    let shown = status(&relay).await;
    assert_eq!(
        (&shown["mode"], &shown["notice"]),
        (&json!("normal"), &Value::Null)
    );
    call(&relay, &operator, "changemaintenance", json!([null, null])).await;
    assert_eq!(status(&relay).await["maintenance_from"], Value::Null);
}

#[tokio::test]
async fn c28_the_notice_is_a_status_that_the_relay_signs_once() {
    let operator = Author::new();
    let relay = setup(&operator, "notice = \"moving on Thursday\"")
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    let first = wait_for_status(&mut client, &relay, "moving on Thursday").await;
    let relay = relay.kill().start().await;
    let mut client = Client::connect(&relay).await;
    call(
        &relay,
        &operator,
        "changerelaynotice",
        json!(["moved to Friday"]),
    )
    .await;
    let second = wait_for_status(&mut client, &relay, "moved to Friday").await;
    assert!(second.created_at > first.created_at);
    assert_eq!(statuses(&mut client, &relay).await.len(), 1, "replaced");
    // Not once more by a restart: what is stored then is what was stored before.
    let (_, setup) = relay.stop().await;
    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    let until = now() + 80 * 3_600;
    call(
        &relay,
        &operator,
        "changerelayname",
        json!(["something else"]),
    )
    .await;
    assert_eq!(
        wait_for_status(&mut client, &relay, "moved to Friday").await,
        second
    );
    let window = json!([written(until - 60), written(until)]);
    call(&relay, &operator, "changemaintenance", window).await;
    let third = wait::until("a status that expires", async || {
        let found = statuses(&mut client, &relay).await;
        found.into_iter().find(|event| *event != second)
    })
    .await;
    let expires = third
        .tags
        .iter()
        .any(|tag| tag.as_slice() == ["expiration", &until.to_string()]);
    assert!(expires, "{}", third.as_json());
}

#[tokio::test]
async fn c28_a_maintenance_in_less_than_72_hours_is_warned_of() {
    let operator = Author::new();
    let relay = setup(&operator, "").start().await;
    let from = now() + 3_600;
    call(
        &relay,
        &operator,
        "changemaintenance",
        json!([written(from), null]),
    )
    .await;
    relay.wait_for_log(0, "less than 72 hours").await;
}
