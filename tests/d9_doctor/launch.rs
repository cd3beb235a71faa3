//! `--launch`: each item of the operators' guide, and nothing counts as done that nobody has seen.

use crate::ground::{Authority, Good, doctor, proxy, setup};
use trellis_test_support::{Front, Relay, Setup, free_port, trellis};

const ITEMS: [&str; 12] = [
    "all four components",
    "TLS on all endpoints",
    "the parts in NIP-11",
    "proof of work",
    "LiveKit records nothing",
    "types of media",
    "rate limits",
    "monitoring and alerts",
    "backups tested",
    "public policy",
    "security contact",
    "retention of logs",
];

#[tokio::test]
async fn d9_each_item_before_the_launch_has_a_line_and_a_new_relay_passes_none() {
    let told = doctor(&setup("", ""), &["--launch"]).await;
    told.assert_ill();
    let found: usize = ["ok", "warn", "fail", "by_hand"]
        .iter()
        .map(|grade| told.count("launch", grade))
        .sum();
    assert_eq!(found, ITEMS.len());
    assert_eq!(told.count("launch", "ok"), 0, "{told:?}");
    for (item, grade) in ITEMS.into_iter().zip([
        "fail", "fail", "fail", "fail", "by_hand", "by_hand", "fail", "by_hand", "by_hand", "fail",
        "fail", "by_hand",
    ]) {
        told.assert(item, grade, &[]);
    }
    // Without the word they are not looked at.
    assert_eq!(doctor(&setup("", ""), &[]).await.count("launch", "fail"), 0);
}

/// A relay behind a proxy, which tells clients of these parts. `URL` stands for its own address.
async fn behind(authority: &Authority, parts: &str) -> (Relay, u16, Setup) {
    let home = trellis!().front(Front::Server);
    let trusted = authority.trusted(home.home());
    let own = free_port();
    let to = format!("127.0.0.1:{own}").parse().expect("an address");
    let port = proxy(authority.tls("localhost", Good::Long), to).await;
    let url = format!("localhost:{port}");
    let relay = setup(
        "real_ip_header = 'X-Real-IP'\ntrusted_proxies = ['127.0.0.1']",
        &format!(
            "[information]\ncontact = 'mailto:security@relay.example.com'\n{trusted}\
             [pow]\n1 = 20\n[[rate_limiter.event]]\nname = 'notes'\nperiod = '1m'\nlimit = 60\n\
             [information.extra.synchrono_city]\nversion = '1.0.0'\n{}\n[extensions.blossom_policy]\n",
            parts.replace("URL", &url)
        ),
    )
    .env("TRELLIS_NETWORK__PORT", &own.to_string())
    .env("TRELLIS_NETWORK__RELAY_URL", &format!("wss://{url}"));
    // The authority's file is in a home of its own, which has to stay.
    (relay.start().await, port, home)
}

const ALL_PARTS: &str = "sidecar_url = 'https://URL'\nblossom_url = 'https://URL/media'\nlivekit_url = 'wss://URL/livekit'";

#[tokio::test]
async fn d9_what_is_there_before_the_launch_is_seen() {
    let authority = Authority::new();
    let (relay, port, _home) = behind(&authority, ALL_PARTS).await;
    // A page of the relay's own stands for the policy.
    let known = relay.setup().clone().env(
        "TRELLIS_INFORMATION__TERMS_OF_SERVICE",
        &format!("https://localhost:{port}/livez"),
    );
    let told = doctor(&known, &["--launch"]).await;
    told.assert_well()
        .assert(
            "all four components",
            "by_hand",
            &["calls and LiveKit (livekit_token is not"],
        )
        // Only clients that trust the test's authority come in.
        .assert(
            "TLS on all endpoints",
            "warn",
            &["certificate of the relay"],
        )
        .assert("the parts in NIP-11", "ok", &["synchrono_city"])
        .assert("proof of work", "ok", &["kind 1: 20 bits"])
        .assert("LiveKit records nothing", "by_hand", &[])
        .assert("types of media", "ok", &["image/jpeg"])
        .assert("rate limits", "ok", &["1 rules"])
        .assert("monitoring and alerts", "by_hand", &["config/alerts"])
        .assert("public policy", "ok", &["livez"])
        .assert(
            "security contact",
            "warn",
            &["security@relay.example.com", "security.txt"],
        );
    let missing = known.env(
        "TRELLIS_INFORMATION__TERMS_OF_SERVICE",
        &format!("https://localhost:{port}/no-such-page"),
    );
    let told = doctor(&missing, &["--launch"]).await;
    told.assert_ill().assert("public policy", "fail", &["404"]);
}

#[tokio::test]
async fn d9_parts_that_clients_are_told_are_asked_and_their_certificates_looked_at() {
    let authority = Authority::new();
    let nobody = format!("localhost:{}", free_port());
    let parts = format!(
        "sidecar_url = 'https://URL'\nblossom_url = 'https://{nobody}'\nlivekit_url = 'ws://{nobody}'"
    );
    let (relay, _, _home) = behind(&authority, &parts).await;
    let told = doctor(relay.setup(), &["--launch"]).await;
    told.assert_ill()
        .assert("certificate of blossom_url in NIP-11", "fail", &["refused"])
        .assert("all four components", "fail", &["media (", "refused"])
        .assert(
            "TLS on all endpoints",
            "fail",
            &["livekit_url in NIP-11", "blossom_url in NIP-11"],
        );
    let (relay, _, _home) = behind(&authority, "sidecar_url = 'https://URL'").await;
    let told = doctor(relay.setup(), &["--launch"]).await;
    told.assert_ill()
        .assert(
            "TLS on all endpoints",
            "by_hand",
            &["livekit_url", "blossom_url"],
        )
        .assert(
            "all four components",
            "by_hand",
            &["media (clients are told no address of it"],
        )
        .assert("the parts in NIP-11", "fail", &["lacks"]);
}
