//! D1: `trellis health`, by which an image asks its own relay, with nothing else in the image.

use std::net::TcpListener;
use trellis_test_support::{Front, Setup, free_port, trellis};

fn setup() -> Setup {
    trellis!().front(Front::Server)
}

/// A port that was free a moment ago.
#[tokio::test]
async fn d1_health_asks_the_port_of_the_platform_without_any_configuration() {
    let relay = setup()
        .without_config()
        .without_env("TRELLIS_NETWORK__PORT")
        .env("PORT", &free_port().to_string())
        .start()
        .await;
    let said = relay.setup().run(&["health"]).await;
    said.assert_success();
    assert!(said.stdout.contains(r#""status":"healthy""#), "{said:?}");
}

#[tokio::test]
async fn d1_health_asks_where_the_configuration_says() {
    let port = free_port();
    let config = format!("[network]\nport = {port}");
    let relay = setup()
        .without_env("TRELLIS_NETWORK__PORT")
        .config(&config)
        .start()
        .await;
    let file = relay.setup().config_file();
    let file = file.to_str().expect("text");
    relay
        .setup()
        .run(&["health", "-c", file])
        .await
        .assert_success();
}

#[tokio::test]
async fn d1_health_fails_while_something_that_is_needed_is_down() {
    let config = format!(
        "[extensions.livekit_token]\nlivekit_api_key = 'test_key'\n\
         livekit_api_secret = 'a_secret_that_only_the_tests_have_0123456789'\n\
         livekit_url = 'ws://127.0.0.1:{}'",
        free_port()
    );
    let relay = setup().config(&config).start().await;
    relay.wait_for_log(0, "LiveKit does not answer").await;
    let url = relay.http_url();
    let said = relay.setup().run(&["health", "--url", &url]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stdout.contains("livekit_token"), "{said:?}");
    said.assert_failure(&["/health answers 503"]);
    // Traffic may come all the same, and nobody needs to start it again.
    for path in ["/ready", "/livez"] {
        let url = format!("{url}{path}");
        let said = relay.setup().run(&["health", "--url", &url]).await;
        said.assert_success();
    }
}

#[tokio::test]
async fn d1_health_fails_where_nobody_answers_and_says_what_would_be_right() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("bind");
    let silent = silent.local_addr().expect("an address");
    let url = format!("http://{silent}");
    let said = setup().run(&["health", "--url", &url]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    said.assert_failure(&["does not answer"]);
    let said = setup()
        .run(&["health", "--url", "https://relay.example.com"])
        .await;
    assert_eq!(said.code, Some(2), "{said:?}");
    said.assert_failure(&["only http", "http://HOST:PORT"]);
}
