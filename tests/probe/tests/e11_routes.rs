//! E11: where routes of extensions are found, what is said where none is, and who may call them from a web page.

use trellis_test_support::http::{self, Response};
use trellis_test_support::{Author, Relay, Setup, json, probe, trellis_probe, wait};

fn mounts(mounts: &[&str]) -> Setup {
    trellis_probe!().config(&probe::table(&[], &format!("mounts = {mounts:?}")))
}

async fn where_is(relay: &Relay, path: &str, host: &str) -> Response {
    http::get(relay, path, &[("Host", host)]).await
}

#[tokio::test]
async fn e11_the_longest_prefix_wins_and_a_host_name_comes_before_all() {
    let all = ["/", "/a", "/a/b", "/a/b/c", "//media.example/"];
    let relay = mounts(&all).start().await;
    for (path, host, answers) in [
        ("/where", "relay.example", "/"),
        ("/a/where", "relay.example", "/a"),
        ("/a/b/where", "relay.example", "/a/b"),
        ("/a/b/c/where", "relay.example", "/a/b/c"),
        ("/where", "media.example", "//media.example/"),
        ("/where", "MEDIA.Example:8443", "//media.example/"),
        ("/where", "media.example.", "//media.example/"),
        ("/a/where", "media.example", "/a"),
    ] {
        let answer = where_is(&relay, path, host).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, answers),
            "{path} at {host}"
        );
    }
    for (path, host) in [
        ("/ab/where", "relay.example"),
        ("/a/bc/where", "relay.example"),
        ("/a//where", "relay.example"),
        ("/A/where", "relay.example"),
        ("/health", "media.example"),
    ] {
        let answer = where_is(&relay, path, host).await;
        assert_eq!(answer.status, 404, "{path} at {host}: {}", answer.body);
        assert_eq!(answer.json()["code"], 404);
    }
    let elsewhere = where_is(&relay, "/where", "xmedia.example").await;
    assert_eq!(elsewhere.body, "/");
}

#[tokio::test]
async fn e11_the_relays_own_host_name_is_not_to_be_had() {
    let setup =
        mounts(&["//Relay.example/"]).env("TRELLIS_NETWORK__RELAY_URL", "wss://relay.EXAMPLE/");
    let output = setup.serve_to_end().await;
    output.assert_failure(&[
        "[extensions.probe]",
        "//relay.example/ would hide the relay's own pages",
    ]);
}

#[tokio::test]
async fn e11_the_same_mount_twice_stops_the_start() {
    for (twice, says) in [
        (["/a", "/a"], "it asks twice for the routes under /a"),
        (
            ["/probe", "/b"],
            "it asks twice for the routes under /probe",
        ),
        (
            ["//Media.example/", "//media.EXAMPLE/"],
            "it asks twice for the routes under //media.example/",
        ),
        (["/", "/"], "it asks twice for GET /where"),
        (["/a/", "/b"], "cannot mount routes at /a/"),
        (
            ["/health", "/b"],
            "wants the path /health, which is the relay's own",
        ),
        (["/openapi.json", "/b"], "wants the path /openapi.json"),
    ] {
        let output = mounts(&twice).serve_to_end().await;
        output.assert_failure(&["[extensions.probe]", says]);
    }
}

#[tokio::test]
async fn e11_a_reload_to_the_same_mount_twice_is_refused() {
    let relay = mounts(&["/a", "/b"]).start().await;
    let log_bytes = relay.log().len();
    relay.write_config(&probe::table(&[], "mounts = ['/a', '/a']"));
    relay.hang_up();
    relay
        .wait_for_log(log_bytes, "it asks twice for the routes under /a")
        .await;
    for path in ["/a/where", "/b/where"] {
        assert_eq!(http::get(&relay, path, &[]).await.status, 200, "{path}");
    }
    relay.write_config(&probe::table(&[], "mounts = ['/c']"));
    relay.hang_up();
    wait::until("the other mount", async || {
        let there = http::get(&relay, "/c/where", &[]).await.status == 200;
        let gone = http::get(&relay, "/a/where", &[]).await.status == 404;
        (there && gone).then_some(())
    })
    .await;
}

#[tokio::test]
async fn e11_methods_are_answered_alike_by_the_relay_and_by_extensions() {
    let relay = mounts(&[]).start().await;
    for path in [
        "/health",
        "/openapi.json",
        "/probe/api/numbers",
        "/probe/api/ip",
    ] {
        let got = http::get(&relay, path, &[]).await;
        assert_eq!(got.status, 200, "{path}");
        let head = http::send(&relay, "HEAD", path, &[]).await;
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert_eq!(head.header("content-type"), got.header("content-type"));
        for method in ["POST", "DELETE", "BREW"] {
            let refused = http::send(&relay, method, path, &[("Content-Length", "0")]).await;
            assert_eq!(refused.status, 405, "{method} {path}: {}", refused.body);
            assert_eq!(refused.header("allow"), Some("GET, HEAD, OPTIONS"));
            assert_eq!(refused.json()["code"], 405);
        }
        let options = http::send(&relay, "OPTIONS", path, &[]).await;
        assert_eq!(options.status, 204, "{path}");
        assert_eq!(options.header("allow"), Some("GET, HEAD, OPTIONS"));
    }
    let refused = http::send(&relay, "PATCH", "/probe/api/items/7", &[]).await;
    assert_eq!(refused.header("allow"), Some("GET, DELETE, HEAD, OPTIONS"));
    let nothing = http::send(&relay, "PATCH", "/probe/api/nothing", &[]).await;
    assert_eq!(
        (nothing.status, &nothing.json()["code"]),
        (404, &json!(404))
    );
}

#[tokio::test]
async fn e11_pages_of_other_origins_may_call_what_the_relay_or_the_extension_allows() {
    let table = probe::table(&[], "mounts = ['//media.example/']");
    let network = "[network]\nallowed_origins = ['https://app.example']\n";
    let relay = trellis_probe!()
        .config(&format!("{network}{table}"))
        .start()
        .await;
    let ask = async |method, path, host, origin| {
        let headers = [
            ("Host", host),
            ("Origin", origin),
            ("Access-Control-Request-Method", "PUT"),
            ("Access-Control-Request-Headers", "authorization"),
        ];
        http::send(&relay, method, path, &headers).await
    };
    let allowed = |response: &Response| {
        let origin = response.header("access-control-allow-origin");
        origin.map(str::to_owned)
    };
    let (app, other) = ("https://app.example", "https://other.example");
    for method in ["OPTIONS", "GET"] {
        // Errors, too.
        for path in ["/probe/api/ip", "/probe/api/fail", "/probe/api/nothing"] {
            let answer = ask(method, path, "relay.example", app).await;
            assert_eq!(allowed(&answer).as_deref(), Some(app), "{method} {path}");
            let answer = ask(method, path, "relay.example", other).await;
            assert_eq!(allowed(&answer), None, "{method} {path}");
        }
        for path in ["/where", "/nothing"] {
            let answer = ask(method, path, "media.example", other).await;
            assert_eq!(allowed(&answer).as_deref(), Some("*"), "{method} {path}");
        }
    }
    let preflight = ask("OPTIONS", "/where", "media.example", other).await;
    assert_eq!(preflight.status, 204);
    let headers = preflight.header("access-control-allow-headers");
    assert!(headers.is_some_and(|headers| headers.contains("Authorization")));
}

#[tokio::test]
async fn e11_a_root_mount_opens_no_page_of_the_relay_to_other_origins() {
    let network = "[network]\nallowed_origins = []\n";
    let table = probe::table(&[], "mounts = ['/']\nany_origin = true");
    let setup = trellis_probe!().config(&format!("{network}{table}"));
    let relay = setup.start().await;
    for (path, is_open) in [
        ("/where", true),
        ("/", false),
        ("/metrics", false),
        ("/health", false),
        ("/openapi.json", false),
        ("/probe/api/ip", false),
    ] {
        for method in ["GET", "OPTIONS"] {
            let headers = [
                ("Origin", "https://other.example"),
                ("Access-Control-Request-Method", "GET"),
            ];
            let answer = http::send(&relay, method, path, &headers).await;
            let origin = answer.header("access-control-allow-origin");
            assert_eq!(origin.is_some(), is_open, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn e11_a_handler_that_fails_or_panics_answers_500_and_says_nothing() {
    let relay = mounts(&[]).start().await;
    for path in ["/probe/api/fail", "/probe/api/panic", "/probe/panic"] {
        let answer = http::get(&relay, path, &[]).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (500, &json!(500)),
            "{path}"
        );
        assert!(!answer.body.contains("secret") && !answer.body.contains("as asked"));
    }
    relay.wait_for_log(0, "a secret of the database").await;
    assert_eq!(probe::health(&relay, "probe").await["faults"], 2);
    assert_eq!(http::get(&relay, "/probe/api/ip", &[]).await.status, 200);
}

#[tokio::test]
async fn e11_requests_at_a_host_name_are_signed_for_that_name() {
    let config = format!(
        "[network]\nrelay_url = 'wss://relay.example'\n{}",
        probe::table(&[], "mounts = ['//media.example/', '/a']")
    );
    let relay = trellis_probe!().config(&config).start().await;
    let author = Author::new();
    for (host, path, url, status) in [
        (
            "media.example",
            "/signer",
            "https://media.example/signer",
            200,
        ),
        (
            "media.example:8443",
            "/signer",
            "https://media.example:8443/signer",
            200,
        ),
        (
            "media.example",
            "/signer",
            "https://relay.example/signer",
            401,
        ),
        (
            "relay.example",
            "/a/signer",
            "https://relay.example/a/signer",
            200,
        ),
        (
            "relay.example",
            "/a/signer",
            "wss://relay.example/a/signer",
            200,
        ),
        (
            "other.example",
            "/a/signer",
            "https://relay.example/a/signer",
            200,
        ),
        (
            "other.example",
            "/a/signer",
            "https://other.example/a/signer",
            401,
        ),
    ] {
        let authorization = author.authorization("GET", url, "");
        let headers = [("Host", host), ("Authorization", authorization.as_str())];
        let answer = http::get(&relay, path, &headers).await;
        assert_eq!(answer.status, status, "{url} at {host}: {}", answer.body);
        if status == 200 {
            assert_eq!(answer.body, author.pubkey());
        }
    }
}
