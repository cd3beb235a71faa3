//! `/.well-known/security.txt` (RFC 9116).

use trellis_test_support::http;
use trellis_test_support::{Front, trellis};

const PATH: &str = "/.well-known/security.txt";

#[tokio::test]
async fn c29_security_txt_names_whom_to_tell() {
    let config = r#"
[network]
relay_url = "wss://relay.example.com"
[security_contact]
contact = ["mailto:security@example.com", "https://example.com/report"]
expires = "2040-01-31T00:00:00Z"
policy = "https://example.com/disclosure"
preferred_languages = ["en", "de"]
"#;
    let relay = trellis!().config(config).start().await;
    let file = http::get(&relay, PATH, &[]).await;
    assert_eq!(file.status, 200);
    let kind = file.header("content-type").unwrap_or_default();
    assert_eq!(kind, "text/plain; charset=utf-8");
    let wanted = "Contact: mailto:security@example.com\n\
                  Contact: https://example.com/report\n\
                  Expires: 2040-01-31T00:00:00Z\n\
                  Policy: https://example.com/disclosure\n\
                  Preferred-Languages: en, de\n\
                  Canonical: https://relay.example.com/.well-known/security.txt\n";
    assert_eq!(file.body, wanted);
    assert_eq!(http::send(&relay, "HEAD", PATH, &[]).await.status, 200);
    assert_eq!(http::post(&relay, PATH, &[], "x").await.status, 405);
}

#[tokio::test]
async fn c29_without_a_security_contact_there_is_no_file() {
    let relay = trellis!().start().await;
    assert_eq!(http::get(&relay, PATH, &[]).await.status, 404);
}

#[tokio::test]
async fn c29_a_security_contact_that_nobody_can_use_is_refused() {
    let good = "expires = \"2040-01-31T00:00:00Z\"";
    for (table, words) in [
        (
            "contact = [\"mailto:a@example.com\"]",
            "security_contact.expires",
        ),
        (good, "security_contact.contact"),
        (
            &format!("{good}\ncontact = [\"a@example.com\"]"),
            "mailto: or https:// or tel:",
        ),
        (
            &format!("{good}\ncontact = [\"mailto:a@example.com\\nPolicy: x\"]"),
            "security_contact.contact",
        ),
        (
            &format!("{good}\ncontact = [\"tel:+1\"]\npolicy = \"http://a.example\""),
            "security_contact.policy",
        ),
        (
            &format!("{good}\ncontact = [\"tel:+1\"]\npreferred_languages = [\"en, de\"]"),
            "preferred_languages",
        ),
    ] {
        let config = format!("[security_contact]\n{table}\n");
        let setup = trellis!().front(Front::Server).config(&config);
        let output = setup.run(&["config", "check", "-c", "config.toml"]).await;
        output.assert_failure(&[words]);
    }
}

#[tokio::test]
async fn c29_the_operator_hears_when_the_security_contact_has_expired() {
    let config = "[security_contact]\ncontact = [\"tel:+1\"]\nexpires = \"2020-01-31T00:00:00Z\"\n";
    let setup = trellis!().front(Front::Server).config(config);
    let output = setup.run(&["config", "check", "-c", "config.toml"]).await;
    output.assert_success();
    let note = "security_contact.expires has passed";
    assert!(output.text().contains(note), "{}", output.text());
}

#[test]
fn c29_who_reports_a_weakness_of_the_software_is_told_when_to_expect_what() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("SECURITY.md")).expect("SECURITY.md");
    for promise in ["Within **7 days**", "Within **90 days**"] {
        assert!(page.contains(promise), "{promise}");
    }
}
