//! The published policy.

use trellis_test_support::http::{self, relay_information};
use trellis_test_support::{Front, json, trellis};

const POLICY: &str = r#"
[information]
name = "Relay <of> tests"
[policy]
jurisdiction = "Run in <b>Iceland</b>."
data_practices = """
Events are kept.

Addresses are "not" kept."""
legal_requests = "A court is answered."
contact = "legal@relay.example"
acceptable_use = "No floods & no spam."
payment_terms = "Nothing costs anything."
"#;

const IDS: [&str; 6] = [
    "jurisdiction",
    "data-practices",
    "legal-requests",
    "contact",
    "acceptable-use",
    "payment-terms",
];

#[tokio::test]
async fn c29_the_policy_has_six_sections_in_every_form() {
    let relay = trellis!().config(POLICY).start().await;
    let page = http::get(&relay, "/policy", &[("Accept", "text/html,*/*;q=0.8")]).await;
    assert_eq!(page.status, 200);
    let kind = page.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("text/html"), "{kind}");
    let at = IDS.map(|id| page.body.find(&format!("<h2 id=\"{id}\">")));
    assert!(at.iter().all(Option::is_some) && at.is_sorted(), "{at:?}");
    for shown in [
        "Policy of Relay &lt;of&gt; tests",
        "<p>Run in &lt;b&gt;Iceland&lt;/b&gt;.</p>",
        "<p>Events are kept.</p><p>Addresses are &quot;not&quot; kept.</p>",
        "width=device-width",
    ] {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    for outside in ["<script", "src=", "href=", "url(", "@import", "://"] {
        assert!(!page.body.contains(outside), "{outside}: {}", page.body);
    }
    let policy = page.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    let varies = page.headers.iter().filter(|(name, _)| name == "vary");
    assert!(varies.into_iter().any(|(_, value)| value == "Accept"));

    let json = http::get(&relay, "/policy", &[("Accept", "application/json")]).await;
    let sections = json.json()["sections"].clone();
    let ids = sections.as_array().expect("a list").iter();
    assert!(ids.map(|it| it["id"].clone()).eq(IDS.map(|id| json!(id))));
    assert_eq!(sections[4]["text"], "No floods & no spam.");
    let markdown = http::get(&relay, "/policy", &[("Accept", "text/markdown")]).await;
    let text = "## Legal requests\n\nA court is answered.\n";
    assert!(markdown.body.contains(text), "{}", markdown.body);
    let plain = http::get(&relay, "/policy", &[("Accept", "text/plain")]).await;
    let text = "CONTACT INFORMATION\n\nlegal@relay.example\n";
    assert!(plain.body.contains(text), "{}", plain.body);

    let none = http::get(&relay, "/policy", &[("Accept", "image/png")]).await;
    assert_eq!(
        (none.status, none.json()["code"].clone()),
        (406, json!(406))
    );
    let head = http::send(&relay, "HEAD", "/policy", &[]).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let options = http::send(&relay, "OPTIONS", "/policy", &[]).await;
    assert_eq!(options.status, 204);
    assert_eq!(http::post(&relay, "/policy", &[], "x").await.status, 405);
}

#[tokio::test]
async fn c29_the_information_document_points_to_the_policy() {
    let relay = trellis!().config(POLICY).start().await;
    let own = |path: &str| json!(format!("{}{path}", relay.http_url().trim_end_matches('/')));
    let information = relay_information(&relay).await;
    assert_eq!(information["terms_of_service"], own("/policy"));
    assert_eq!(information["privacy_policy"], own("/policy#data-practices"));
    assert_eq!(information["posting_policy"], own("/policy#acceptable-use"));
    let landing = http::get(&relay, "/", &[]).await.body;
    assert!(landing.contains("<a href=\"policy\">"), "{landing}");
    // Whoever writes another relay's name there is told nothing.
    let headers = [
        ("Accept", "application/nostr+json"),
        ("Host", "evil.example"),
    ];
    let elsewhere = http::get(&relay, "/", &headers).await.json();
    assert!(elsewhere["terms_of_service"].is_null(), "{elsewhere}");

    let (_, setup) = relay.stop().await;
    let more = format!("{POLICY}[network]\nrelay_url = \"wss://relay.example.com/\"\n");
    let more = more.replace(
        "[policy]",
        "posting_policy = \"https://example.com/posting\"\n[policy]",
    );
    let relay = setup.config(&more).start().await;
    let information = relay_information(&relay).await;
    assert_eq!(
        information["terms_of_service"],
        "https://relay.example.com/policy"
    );
    assert_eq!(information["posting_policy"], "https://example.com/posting");
    let landing = http::get(&relay, "/", &[]).await.body;
    let link = "<a href=\"https://relay.example.com/policy\">";
    assert!(landing.contains(link), "{landing}");
}

#[tokio::test]
async fn c29_a_relay_without_a_policy_has_no_page() {
    let relay = trellis!().start().await;
    let page = http::get(&relay, "/policy", &[]).await;
    assert_eq!(page.status, 404);
    assert_eq!(page.json()["code"], 404);
    let information = relay_information(&relay).await;
    for field in ["terms_of_service", "privacy_policy", "posting_policy"] {
        assert!(information[field].is_null(), "{field}");
    }
}

#[tokio::test]
async fn c29_what_is_missing_in_a_policy_is_told_and_what_is_empty_refused() {
    let some = "[network]\nrelay_url = \"wss://relay.example.com\"\n[policy]\ncontact = \"us\"\n";
    let setup = trellis!().front(Front::Server).config(some);
    let check = ["config", "check", "-c", "config.toml"];
    let output = setup.run(&check).await;
    output.assert_success();
    let note = "no section for policy.jurisdiction, policy.data_practices, policy.legal_requests, policy.acceptable_use";
    assert!(output.text().contains(note), "{}", output.text());
    let whole = trellis!().front(Front::Server).config(POLICY);
    let output = whole.run(&check).await;
    output.assert_success();
    assert!(!output.text().contains("no section"), "{}", output.text());
    let hint = "network.relay_url is not set";
    assert!(output.text().contains(hint), "{}", output.text());
    let empty = trellis!()
        .front(Front::Server)
        .config("[policy]\ncontact = \" \"\n");
    let output = empty.run(&check).await;
    output.assert_failure(&["policy.contact", "leave the key out"]);
}
