//! C28: extensions are told of the mode, and what to say to those whom it keeps out.

use trellis_test_support::management::call;
use trellis_test_support::{Author, Relay, Value, http, json, probe, trellis_probe, wait};

async fn told(relay: &Relay) -> Value {
    http::get(relay, "/probe/mode", &[]).await.json()
}

#[tokio::test]
async fn c28_extensions_hear_of_modes_by_file_reload_and_management() {
    let operator = Author::new();
    let config = |operation: &str| {
        let pubkey = operator.pubkey();
        let table = probe::table(&[], "");
        format!("[information]\npubkey = \"{pubkey}\"\n[operation]\n{operation}\n{table}")
    };
    let first = config("mode = \"no_new_groups\"\ndrain_timeout = \"7m\"");
    let relay = trellis_probe!().config(&first).start().await;
    assert_eq!(
        told(&relay).await,
        json!({
            "mode": "no_new_groups",
            "new_group": "blocked: maintenance: no new groups are made for now",
            "drain_secs": 420
        })
    );
    relay.write_config(&config("mode = \"no_new_registrations\""));
    relay.hang_up();
    wait::until("the new mode", async || {
        (told(&relay).await["mode"] == "no_new_registrations").then_some(())
    })
    .await;
    assert_eq!(told(&relay).await["new_group"], "fine");
    call(
        &relay,
        &operator,
        "changerelaynotice",
        json!(["back at ten"]),
    )
    .await;
    call(&relay, &operator, "changerelaymode", json!(["maintenance"])).await;
    let words = "blocked: maintenance: nothing new begins for now. back at ten";
    assert_eq!(told(&relay).await["new_group"], words);
    call(&relay, &operator, "changerelaymode", json!([""])).await;
    assert_eq!(told(&relay).await["mode"], "no_new_registrations");
}
