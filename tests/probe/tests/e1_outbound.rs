//! E1: how extensions ask other servers, in a relay as operators run it.

use trellis_test_support::{Relay, http, probe, trellis_probe, wait};

/// The probe, and with this in `[outbound]`.
fn config(outbound: &str) -> String {
    let metrics = "[metrics]\nenabled = true\n";
    format!(
        "{metrics}[outbound]\n{outbound}\n{}",
        probe::table(&["http"], "")
    )
}

/// What comes of asking the relay itself, which is as private as any service beside it.
async fn fetch(relay: &Relay) -> String {
    let url = format!("{}/livez?key=confidential", relay.http_url());
    http::post(relay, "/probe/fetch", &[], &url).await.body
}

async fn expect_counted(relay: &Relay, outcome: &str) {
    let line =
        format!(r#"trellis_outbound_requests_total{{extension="probe",outcome="{outcome}"}} 1"#);
    wait::until(&line, async || {
        let page = http::get(relay, "/metrics", &[]).await.body;
        page.lines().any(|found| found == line).then_some(())
    })
    .await;
}

#[tokio::test]
async fn e1_outbound_is_bounded_by_the_config_in_force() {
    let relay = trellis_probe!()
        .config(&config(""))
        .env("RUST_LOG", "trace")
        .start()
        .await;
    let refused = fetch(&relay).await;
    assert!(
        refused.contains("127.0.0.1") && refused.contains("outbound.allow_private"),
        "{refused}"
    );
    expect_counted(&relay, "refused").await;

    relay.write_config(&config("allow_private = ['127.0.0.0/8']"));
    relay.hang_up();
    wait::until("the address to be allowed", async || {
        (fetch(&relay).await == "200").then_some(())
    })
    .await;
    let (_, log) = relay.stop_with_log().await;
    let of_requests = log
        .lines()
        .filter(|line| !line.contains("trellis_relay::http"));
    let told: Vec<_> = of_requests
        .filter(|line| line.contains("confidential"))
        .collect();
    assert_eq!(told, Vec::<&str>::new());
}
