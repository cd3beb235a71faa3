//! D3: where disks do not last the relay does not start unnoticed, listens where the platform says, and ends connections before
//! the platform cuts them off.

use trellis_test_support::{Author, Client, Front, Reply, Setup, free_port, http, json, trellis};

fn on_cloud_run() -> Setup {
    trellis!().front(Front::Server).env("K_SERVICE", "relay")
}

#[tokio::test]
async fn d3_a_start_on_a_disk_that_does_not_last_is_refused_with_what_is_lost_and_what_to_do() {
    let setup = on_cloud_run();
    let refused = setup.serve_to_end().await;
    refused.assert_failure(&[
        "data.path",
        "every event",
        "the relay's own key",
        "SQLite",
        "[backup] url",
        "data.allow_ephemeral = true",
        "TRELLIS_DATA__ALLOW_EPHEMERAL=true",
    ]);
    assert_eq!(refused.code, Some(2));
    assert!(!setup.home().join("data").exists(), "nothing was begun");
    let file = setup.config_file().display().to_string();
    let checked = setup.run(&["config", "check", "-c", &file]).await;
    checked.assert_failure(&["data.allow_ephemeral"]);
    assert_eq!(checked.code, Some(2));
    // What shows or moves data is no start.
    let explained = setup.run(&["config", "explain", "-c", &file]).await;
    explained.assert_success();
}

#[tokio::test]
async fn d3_whoever_says_that_the_store_may_be_lost_or_has_a_backup_may_start_without_a_lasting_disk()
 {
    #[cfg(feature = "backup")]
    let folder = tempfile::tempdir().expect("a folder");
    #[cfg(feature = "backup")]
    let place = format!("file://{}/copies", folder.path().display());
    for setup in [
        on_cloud_run().config("[data]\nallow_ephemeral = true"),
        on_cloud_run().env("TRELLIS_DATA__ALLOW_EPHEMERAL", "true"),
        #[cfg(feature = "backup")]
        on_cloud_run().env("TRELLIS_BACKUP__URL", &place),
    ] {
        let relay = setup.start().await;
        let mut client = Client::connect(&relay).await;
        client.store(&Author::new().note("for now")).await;
    }
    let elsewhere = trellis!().front(Front::Server).start().await;
    Client::connect(&elsewhere).await.assert_alive().await;
}

#[tokio::test]
async fn d3_the_port_of_the_platform_is_listened_to_on_every_address() {
    let port = free_port();
    let relay = on_cloud_run()
        .env("TRELLIS_DATA__ALLOW_EPHEMERAL", "true")
        .without_env("TRELLIS_NETWORK__PORT")
        .env("PORT", &port.to_string())
        .config("[network]\nport = 1")
        .start()
        .await;
    assert_eq!(relay.address().port(), port);
    let said = format!("listening on http://0.0.0.0:{port}");
    assert!(relay.log().contains(&said), "{}", relay.log());
    assert_eq!(http::get(&relay, "/livez", &[]).await.status, 200);
}

#[tokio::test]
async fn d3_connections_live_shorter_on_cloud_run_unless_somebody_says_otherwise() {
    let lifetime = async |setup: Setup| {
        let file = setup.config_file().display().to_string();
        let arguments = ["config", "explain", "--json", "-c", &file];
        let explained = setup.run(&arguments).await;
        let explained = &explained.assert_success().stdout;
        let line = explained.split("network.connection_lifetime").nth(1);
        line.expect("the key")
            .split('}')
            .next()
            .expect("its value")
            .to_owned()
    };
    let there = lifetime(on_cloud_run()).await;
    assert!(
        there.contains("58m") && there.contains("K_SERVICE"),
        "{there}"
    );
    let told = lifetime(on_cloud_run().config("[network]\nconnection_lifetime = 0")).await;
    assert!(told.contains("0s") && !told.contains("K_SERVICE"), "{told}");
    let elsewhere = lifetime(trellis!().front(Front::Server)).await;
    assert!(elsewhere.contains("0s"), "{elsewhere}");
}

#[tokio::test]
async fn d3_a_connection_that_has_lived_its_time_is_closed_with_1001_and_nothing_else() {
    let relay = trellis!()
        .config("[network]\nconnection_lifetime = '2s'")
        .start()
        .await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        let mut client = Client::connect(&relay).await;
        client.subscribe("s", &[json!({"kinds": [1]})]).await;
        clients.push(client);
    }
    for client in &mut clients {
        // On a machine that has much to do the end may come before the answer.
        while let Some(reply) = client.next().await {
            let is_answer = matches!(&reply, Reply::Eose(sub) if sub == "s");
            assert!(is_answer, "subscriptions are not closed: {reply:?}");
        }
        assert_eq!(client.closed_by_relay().await, Some(1001));
    }
    // They come back at once.
    Client::connect(&relay).await;
}
