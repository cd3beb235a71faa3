//! C25: what is counted of extensions.

use trellis_test_support::{Author, Client, Relay, http, json, probe, trellis_probe, wait};

async fn expect(relay: &Relay, line: &str) {
    wait::until(line, async || {
        let page = http::get(relay, "/metrics", &[]).await.body;
        page.lines().any(|found| found == line).then_some(())
    })
    .await;
}

#[tokio::test]
async fn c25_calls_faults_and_health_of_extensions_are_counted() {
    let relay = trellis_probe!()
        .config(&probe::table(&["admit", "deliver", "http"], ""))
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    client.store(&author.draft(7000).sign()).await;
    client.query(json!({"kinds": [7000]})).await;
    let bad = author.draft(7000).probe("admit", "panic").sign();
    assert!(!client.publish(&bad).await.accepted);
    for line in [
        r#"trellis_extension_hook_calls_total{extension="probe",hook="admit"} 2"#,
        r#"trellis_extension_hook_calls_total{extension="probe",hook="deliver"} 1"#,
        r#"trellis_extension_hook_seconds_count{extension="probe",hook="deliver"} 1"#,
        r#"trellis_extension_faults_total{extension="probe",hook="admit"} 1"#,
        r#"trellis_extension_health{extension="probe",state="ok"} 1"#,
        r#"trellis_extension_health{extension="probe",state="off"} 0"#,
    ] {
        expect(&relay, line).await;
    }
}

#[tokio::test]
async fn c25_an_extension_that_is_off_is_said_to_be_off() {
    let relay = trellis_probe!().start().await;
    let off = r#"trellis_extension_health{extension="probe",state="off"} 1"#;
    expect(&relay, off).await;
    let ok = r#"trellis_extension_health{extension="probe",state="ok"} 0"#;
    expect(&relay, ok).await;
}
