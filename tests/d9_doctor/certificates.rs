//! What clients see from outside: names, certificates, this relay and no other, WebSockets.

use crate::ground::{Authority, Good, doctor, proxy, setup, web, without_websockets};
use std::fs;
use trellis_test_support::{Relay, Setup, free_port};

const CERTIFICATE: &str = "certificate of the relay";
const RELAY: &str = "relay at the public address";

/// A relay that runs, and trusts an authority.
async fn relay(authority: &Authority) -> Relay {
    let setup = setup(
        "real_ip_header = 'X-Real-IP'\ntrusted_proxies = ['127.0.0.1']",
        "",
    );
    let text = authority.trusted(setup.home());
    let before = "[network]\nmax_connections = 100\nreal_ip_header = 'X-Real-IP'\ntrusted_proxies = ['127.0.0.1']\n\
                  [data]\nallow_ephemeral = true\nmap_size = '64MiB'\n";
    setup.config(&format!("{before}{text}")).start().await
}

/// The same relay as clients reach it at this address.
fn known_as(relay: &Relay, url: &str) -> Setup {
    relay.setup().clone().env("TRELLIS_NETWORK__RELAY_URL", url)
}

#[tokio::test]
async fn d9_a_relay_that_clients_reach_is_well() {
    let authority = Authority::new();
    let relay = relay(&authority).await;
    let port = proxy(authority.tls("localhost", Good::Long), relay.address()).await;
    let setup = known_as(&relay, &format!("wss://localhost:{port}"));
    let told = doctor(&setup, &[]).await;
    told.assert_well()
        .assert("public address", "ok", &["127.0.0.1"])
        .assert(
            CERTIFICATE,
            "warn",
            &["2090-01-01", "trusted_certificates", "TLS 1.3"],
        )
        .assert(RELAY, "ok", &["it is this one"])
        .assert("WebSockets at the public address", "ok", &[])
        .assert("database", "ok", &["a running relay", "well"])
        .assert("clients' addresses", "ok", &["X-Real-IP", "127.0.0.1"])
        .assert("open files", "ok", &["of the running relay"]);
    // The same for people, a line a check.
    let file = setup.config_file().display().to_string();
    let said = setup.run(&["doctor", "-c", &file]).await;
    let said = &said.assert_success().stdout;
    assert!(
        said.contains("\nwarn  certificate of the relay: localhost: good until"),
        "{said}"
    );
    assert!(said.contains(" 0 fail, "), "{said}");
}

#[tokio::test]
async fn d9_certificates_that_clients_would_refuse_fail_and_say_why() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let relay = relay(&authority).await;
    let to = relay.address();
    for (tls, words) in [
        (
            authority.tls("localhost", Good::Once),
            &["expired on 2021-01-01", "renew"][..],
        ),
        (
            authority.tls("relay.example.com", Good::Long),
            &["another name", "relay.example.com"],
        ),
        (
            stranger.tls("localhost", Good::Long),
            &["nobody whom browsers trust"],
        ),
    ] {
        let port = proxy(tls, to).await;
        let setup = known_as(&relay, &format!("wss://localhost:{port}"));
        let told = doctor(&setup, &[]).await;
        told.assert_ill().assert(CERTIFICATE, "fail", words);
        // Nothing is believed that came over such a connection.
        told.assert(RELAY, "fail", &[]);
    }
    let port = proxy(authority.tls("localhost", Good::Days(5)), to).await;
    let setup = known_as(&relay, &format!("wss://localhost:{port}"));
    let told = doctor(&setup, &[]).await;
    told.assert_well()
        .assert(CERTIFICATE, "warn", &["good until", "renew"]);
    let port = proxy(authority.tls("localhost", Good::Between(5)), to).await;
    let setup = known_as(&relay, &format!("wss://localhost:{port}"));
    let told = doctor(&setup, &[]).await;
    told.assert_well()
        .assert(CERTIFICATE, "warn", &["2090-01-01", "between the two ends"]);
}

#[tokio::test]
async fn d9_a_handshake_counts_only_if_it_is_answered_as_one() {
    let relay = setup("", "").start().await;
    let check = "WebSockets at the public address";
    for (answer, words) in [
        (
            "HTTP/1.1 301 Moved Permanently\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            &["301", "follow no redirect"][..],
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
            &["Sec-WebSocket-Accept"],
        ),
        (
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
            &["400", "deploy/nginx"],
        ),
    ] {
        let address = without_websockets(answer, relay.address()).await;
        let told = doctor(&known_as(&relay, &format!("ws://{address}")), &[]).await;
        told.assert_ill()
            .assert(RELAY, "ok", &["it is this one"])
            .assert(check, "fail", words);
    }
}

#[tokio::test]
async fn d9_addresses_that_lead_nowhere_or_elsewhere_fail() {
    let authority = Authority::new();
    let relay = relay(&authority).await;
    let told = doctor(&known_as(&relay, "wss://nobody.invalid"), &[]).await;
    told.assert_ill()
        .assert("public address", "fail", &["nobody.invalid"]);

    let silent = format!("wss://localhost:{}", free_port());
    let told = doctor(&known_as(&relay, &silent), &[]).await;
    told.assert_ill()
        .assert(CERTIFICATE, "fail", &["refused", "firewall"])
        .assert(RELAY, "fail", &["start the relay"]);

    let other = setup("", "").start().await;
    let port = proxy(authority.tls("localhost", Good::Long), other.address()).await;
    let told = doctor(&known_as(&relay, &format!("wss://localhost:{port}")), &[]).await;
    let key = fs::read_to_string(relay.setup().home().join("data/relay.key")).expect("a key");
    told.assert_ill().assert(CERTIFICATE, "warn", &[]).assert(
        RELAY,
        "fail",
        &["another relay answers"],
    );
    assert!(
        !format!("{told:?}").contains(key.trim()),
        "secrets are not told"
    );

    let page = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
    let page = web(page.to_owned()).await.replacen("http", "ws", 1);
    let told = doctor(&known_as(&relay, &page), &[]).await;
    told.assert_ill().assert(RELAY, "fail", &["200", "NIP-11"]);
}

#[tokio::test]
async fn d9_an_address_without_tls_is_for_this_machine_alone() {
    let relay = setup("", "").start().await;
    let url = relay.ws_url();
    let told = doctor(&known_as(&relay, &url), &[]).await;
    told.assert_well()
        .assert(CERTIFICATE, "warn", &["for this machine alone", "wss://"])
        .assert(RELAY, "ok", &[]);
    let told = doctor(relay.setup(), &[]).await;
    told.assert_well()
        .assert("public address", "warn", &["network.relay_url is not set"]);
}
