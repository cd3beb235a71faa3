//! E11: `/openapi.json` and the page that shows it.

use std::path::Path;
use std::process::Command;
use trellis_test_support::http::{self, Response};
use trellis_test_support::{Author, Relay, Value, command, json, probe, trellis_probe, wait};

async fn relay(network: &str, mounts: &str) -> Relay {
    let config = format!("[network]\n{network}\n{}", probe::table(&[], mounts));
    trellis_probe!().config(&config).start().await
}

async fn document(relay: &Relay) -> Value {
    let response = http::get(relay, "/openapi.json", &[]).await;
    assert_eq!(response.status, 200, "{}", response.body);
    assert_eq!(response.header("content-type"), Some("application/json"));
    response.json()
}

#[tokio::test]
async fn e11_the_document_describes_what_is_mounted() {
    let relay = relay("relay_url = 'wss://relay.example/'", "").await;
    let document = document(&relay).await;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(
        document["servers"],
        json!([{ "url": "https://relay.example" }])
    );
    let paths = &document["paths"];
    for own in [
        "/",
        "/livez",
        "/health",
        "/ready",
        "/status",
        "/metrics",
        "/openapi.json",
        "/openapi",
    ] {
        assert_eq!(paths[own]["get"]["tags"], json!(["relay"]), "{own}");
    }
    let whoami = &paths["/probe/api/whoami"]["get"];
    assert_eq!(whoami["security"], json!([{ "nip98": [] }]));
    assert_eq!(whoami["summary"], "Who signed the request");
    let service = &paths["/probe/api/service"]["get"];
    assert_eq!(service["security"], json!([{ "bearer": [] }]));

    let either = &paths["/probe/api/caller"]["get"]["security"];
    assert_eq!(*either, json!([{ "nip98": [] }, { "bearer": [] }]));
    let both = &paths["/probe/api/both"]["get"]["security"];
    assert_eq!(*both, json!([{ "bearer": [], "nip98": [] }]));

    // What the handler takes is read from its signature.
    let note = &paths["/probe/api/notes"]["post"];
    assert_eq!(note["security"], json!([{ "nip98": [] }]));
    let schema = &note["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(schema["$ref"], "#/components/schemas/probe.Note");
    let schema = &document["components"]["schemas"]["probe.Note"];
    assert_eq!(schema["properties"]["text"]["description"], "What it says.");
    let answers = &schema["properties"]["answers"]["items"];
    assert_eq!(answers["$ref"], "#/components/schemas/probe.Note");
    assert!(note["responses"]["201"].is_object() && note["responses"]["409"].is_object());
    let parameters = |path: &str| paths[path]["get"]["parameters"].clone();
    let of_item = parameters("/probe/api/items/{id}");
    let names: Vec<_> = of_item.as_array().expect("a list").iter().collect();
    let named = |name: &str| names.iter().find(|it| it["name"] == name).expect("it");
    assert_eq!(
        (&named("id")["in"], &named("id")["required"]),
        (&json!("path"), &json!(true))
    );
    assert_eq!(named("id")["schema"]["type"], "integer");
    assert_eq!(named("times")["required"], true);
    assert_eq!(named("before")["required"], Value::Null);
    let limit = &parameters("/probe/api/numbers")[0];
    assert_eq!(
        (&limit["name"], &limit["schema"]["maximum"]),
        (&json!("limit"), &json!(20))
    );

    // A plain scope is named, and no more.
    let tags = document["tags"].as_array().expect("tags").clone();
    let probe = tags
        .iter()
        .find(|tag| tag["name"] == "probe")
        .expect("the probe");
    let said = probe["description"].as_str().unwrap_or_default();
    assert!(
        said.contains("`/probe`") && said.contains("What the extractors"),
        "{said}"
    );
    assert_eq!(paths["/probe/calls"], Value::Null);
}

#[tokio::test]
async fn e11_what_is_mounted_for_another_host_name_is_not_told() {
    let relay = relay("", "mounts = ['//media.example/', '/a']").await;
    let at = async |host| {
        let response = http::get(&relay, "/openapi.json", &[("Host", host)]).await;
        assert_eq!(response.status, 200, "{host}: {}", response.body);
        response.json()["paths"].clone()
    };
    let here = at("relay.example").await;
    assert!(here["/a/where"].is_object() && here["/health"].is_object());
    assert_eq!(here["/where"], Value::Null);
    for host in ["media.example", "Media.Example:8443"] {
        let there = at(host).await;
        assert!(there["/where"].is_object() && there["/a/where"].is_object());
        assert_eq!(there["/health"], Value::Null, "not to be found at {host}");
    }
    let page = http::get(&relay, "/openapi", &[("Host", "media.example")]).await;
    assert_eq!(page.status, 200);
}

#[tokio::test]
async fn e11_what_is_known_under_another_address_is_described_there() {
    for (mount, url, server, path) in [
        (
            "/a",
            "https://op.example/v1",
            "https://op.example/v1",
            "/where",
        ),
        (
            "/a",
            "https://op.example/v1/a/",
            "https://op.example/v1",
            "/a/where",
        ),
        (
            "/",
            "https://op.example/v1",
            "https://op.example/v1",
            "/where",
        ),
    ] {
        let relay = relay("", &format!("mounts = [{mount:?}]\nknown_as = {url:?}")).await;
        let document = document(&relay).await;
        let servers = &document["paths"][path]["get"]["servers"];
        assert_eq!(*servers, json!([{ "url": server }]), "{mount} as {url}");
    }
}

#[tokio::test]
async fn e11_the_document_follows_what_is_switched_on() {
    let relay = relay("", "mounts = ['/a']").await;
    assert!(document(&relay).await["paths"]["/a/where"].is_object());
    let becomes = async |config: &str, is_wanted: &dyn Fn(&Value) -> bool| {
        relay.write_config(config);
        relay.hang_up();
        wait::until("another document", async || {
            is_wanted(&document(&relay).await).then_some(())
        })
        .await;
    };
    becomes(&probe::table(&[], "mounts = ['/b']"), &|document| {
        let paths = &document["paths"];
        paths["/b/where"].is_object() && paths["/a/where"].is_null()
    })
    .await;
    becomes(&probe::table(&[], "enabled = false"), &|document| {
        let text = document.to_string();
        !text.contains("probe") && document["paths"]["/health"].is_object()
    })
    .await;
}

#[tokio::test]
async fn e11_the_description_can_be_switched_off() {
    let relay = relay("openapi = false", "").await;
    for path in ["/openapi.json", "/openapi"] {
        let response = http::get(&relay, path, &[]).await;
        assert_eq!(
            (response.status, &response.json()["code"]),
            (404, &json!(404)),
            "{path}"
        );
    }
    relay.write_config(&probe::table(&[], ""));
    relay.hang_up();
    wait::until("the document", async || {
        let status = http::get(&relay, "/openapi.json", &[]).await.status;
        (status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn e11_the_page_runs_its_own_script_and_nothing_else() {
    let relay = relay("", "").await;
    let page: Response = http::get(&relay, "/openapi", &[]).await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap_or_default();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(
        !policy.contains("unsafe") && !policy.contains('*'),
        "{policy}"
    );
    for (tag, directive) in [("script", "script-src"), ("style", "style-src")] {
        let (_, rest) = page.body.split_once(&format!("<{tag}>")).expect("it");
        let (text, _) = rest.split_once(&format!("</{tag}>")).expect("its end");
        let allowed = format!("{directive} '{}'", http::csp_hash(text));
        assert!(policy.contains(&allowed), "{policy}");
    }
}

/// With somebody else's validator, where Node.js is.
#[tokio::test]
async fn e11_the_document_is_valid() {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients");
    if !clients.join("node_modules").is_dir() {
        assert!(std::env::var_os("TRELLIS_REQUIRE_CLIENTS").is_none());
        eprintln!("SKIPPED: the validator of OpenAPI: run `npm ci` in tests/clients");
        return;
    }
    let operator = Author::new().pubkey();
    let config = format!(
        "[information]\npubkey = '{operator}'\n{}",
        probe::table(&[], "mounts = ['/', '/a']")
    );
    let relay = trellis_probe!().config(&config).start().await;
    let mut command = Command::new("node");
    command
        .args(["--test", "--test-force-exit"])
        .arg(clients.join("openapi/validate.test.js"))
        .env("TRELLIS_HTTP_URL", relay.http_url());
    command::run(command, "").await.assert_success();
}
