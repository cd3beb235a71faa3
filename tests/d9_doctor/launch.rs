//! `--launch`: each item of the operators' guide, and nothing counts as done that nobody has seen.

use crate::ground::{Authority, Good, doctor, proxy, setup};
use trellis_test_support::{Front, trellis};

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

#[tokio::test]
async fn d9_what_is_there_before_the_launch_is_seen() {
    let authority = Authority::new();
    let home = trellis!().front(Front::Server);
    let trusted = authority.trusted(home.home());
    let relay = setup(
        "real_ip_header = 'X-Real-IP'\ntrusted_proxies = ['127.0.0.1']",
        &format!(
            "[information]\ncontact = 'mailto:security@relay.example.com'\n{trusted}\
             [pow]\n1 = 20\n[[rate_limiter.event]]\nname = 'notes'\nperiod = '1m'\nlimit = 60\n\
             [information.extra.synchrono_city]\nversion = '1.0.0'\nsidecar_url = 'https://calls.example.com'\n\
             blossom_url = 'https://media.example.com'\nlivekit_url = 'wss://livekit.example.com'\n\
             [extensions.blossom_policy]\n"
        ),
    );
    let relay = relay.start().await;
    let port = proxy(authority.tls("localhost", Good::Long), relay.address()).await;
    let url = format!("wss://localhost:{port}");
    // A page of the relay's own stands for the policy.
    let known = relay
        .setup()
        .clone()
        .env("TRELLIS_NETWORK__RELAY_URL", &url)
        .env(
            "TRELLIS_INFORMATION__TERMS_OF_SERVICE",
            &format!("https://localhost:{port}/livez"),
        );
    let told = doctor(&known, &["--launch"]).await;
    told.assert_well()
        .assert("all four components", "by_hand", &["calls (livekit_token)"])
        .assert(
            "TLS on all endpoints",
            "warn",
            &["Strict-Transport-Security"],
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
