//! C14: the configuration is reloaded whole or not at all, on SIGHUP and under `--watch`.

use std::fs;
use trellis_test_support::http::relay_information;
use trellis_test_support::reply::assert_reason;
use trellis_test_support::{Author, Client, Relay, json, trellis, wait};

const BEFORE: &str = "[information]\nname = \"before\"\n[limitation]\nmax_event_tags = 3";
const AFTER: &str = "[information]\nname = \"after\"\n[limitation]\nmax_event_tags = 5";

async fn wait_for_name(relay: &Relay, name: &str) {
    wait::until(&format!("the name {name}"), async || {
        (relay_information(relay).await["name"] == name).then_some(())
    })
    .await;
}

async fn tags_allowed(client: &mut Client) -> usize {
    let author = Author::new();
    for count in 1.. {
        let draft = (0..count).fold(author.draft(1), |draft, _| draft.tag(&["t", "x"]));
        if !client.publish(&draft.sign()).await.accepted {
            return count - 1;
        }
    }
    unreachable!("some number of tags is too many")
}

#[tokio::test]
async fn c14_hangup_reloads_and_clients_stay() {
    let relay = trellis!().config(BEFORE).start().await;
    let mut client = Client::connect(&relay).await;
    client.subscribe("s", &[json!({"kinds": [7]})]).await;
    assert_eq!(client.stored("s").await, Ok(vec![]));
    assert_eq!(tags_allowed(&mut client).await, 3);
    relay.write_config(AFTER);
    relay.hang_up();
    wait_for_name(&relay, "after").await;
    assert_eq!(tags_allowed(&mut client).await, 5);
    let limits = relay_information(&relay).await["limitation"].clone();
    assert_eq!(limits["max_event_tags"], 5, "stated is what is enforced");
    let live = Author::new().draft(7).sign();
    client.store(&live).await;
    assert_eq!(
        client.next_event("s").await,
        live,
        "the subscription survived"
    );
}

#[tokio::test]
async fn c14_without_a_signal_or_watch_nothing_changes() {
    let relay = trellis!().config(BEFORE).start().await;
    relay.write_config(AFTER);
    let mut client = Client::connect(&relay).await;
    assert_eq!(tags_allowed(&mut client).await, 3);
    assert_eq!(relay_information(&relay).await["name"], "before");
}

#[tokio::test]
async fn c14_watch_reloads_a_file_that_is_renamed_over_or_written_in_place() {
    let relay = trellis!().config(BEFORE).argument("--watch").start().await;
    let mut client = Client::connect(&relay).await;
    relay.write_config(AFTER);
    wait_for_name(&relay, "after").await;
    fs::write(relay.setup().config_file(), BEFORE).expect("write in place");
    wait_for_name(&relay, "before").await;
    relay.write_config(AFTER);
    wait_for_name(&relay, "after").await;
    client.assert_alive().await;
}

#[tokio::test]
async fn c14_a_bad_file_keeps_the_old_configuration_and_says_why() {
    let relay = trellis!().config(BEFORE).start().await;
    let mut client = Client::connect(&relay).await;
    for (bad, words) in [
        ("[information]\nname = \"bad\"\nnmae = \"x\"", "nmae"),
        (
            "[information]\nname = \"bad\"\n[limitation]\nmax_event_tags = \"lots\"",
            "max_event_tags",
        ),
        (
            "[information]\nname = \"bad\"\n[no_such_section]\nkey = 1",
            "no_such_section",
        ),
        ("[information\nname = ", "config.toml"),
    ] {
        let from = relay.log().len();
        relay.write_config(bad);
        relay.hang_up();
        relay.wait_for_log(from, words).await;
        assert_eq!(relay_information(&relay).await["name"], "before");
        assert_eq!(tags_allowed(&mut client).await, 3);
    }
    // And a good one afterwards still works.
    relay.write_config(AFTER);
    relay.hang_up();
    wait_for_name(&relay, "after").await;
}

#[tokio::test]
async fn c14_keys_that_need_a_restart_are_named() {
    let relay = trellis!()
        .without_env("TRELLIS_DATA__PATH")
        .config("[data]\npath = \"data\"\n[information]\nname = \"before\"")
        .start()
        .await;
    let from = relay.log().len();
    relay.write_config("[data]\npath = \"elsewhere\"\n[information]\nname = \"after\"");
    relay.hang_up();
    relay.wait_for_log(from, "data.path").await;
    wait_for_name(&relay, "after").await;
    let mut client = Client::connect(&relay).await;
    client.store(&Author::new().note("in the old place")).await;
    assert!(!relay.setup().home().join("elsewhere").exists());
}

#[tokio::test]
async fn c14_a_reload_ends_what_is_being_reconciled() {
    let relay = trellis!().config(BEFORE).start().await;
    let mut client = Client::connect(&relay).await;
    // Asks for all ids at once.
    let open = json!(["NEG-OPEN", "n", {"kinds": [1]}, "6100000200"]);
    let (verb, _) = client.reconcile(open).await;
    assert_eq!(verb, "NEG-MSG");
    let member = Author::new().pubkey();
    relay.write_config(&format!("[auth.req]\npubkey_whitelist = [\"{member}\"]"));
    relay.hang_up();
    let (verb, said) = client.reconciled(&json!("n")).await;
    assert_eq!(verb, "NEG-ERR");
    assert_reason(said[0].as_str().expect("words"), "closed:", "rules");
    let more = json!(["NEG-MSG", "n", "6100000200"]);
    let (verb, said) = client.reconcile(more).await;
    assert_eq!(verb, "NEG-ERR");
    assert_reason(said[0].as_str().expect("words"), "closed:", "NEG-OPEN");
}
