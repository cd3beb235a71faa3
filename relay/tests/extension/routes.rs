//! E11: routes of several mounts at one path, and for whom requests are signed.

use crate::support::{HookHarness, alice, sign, tables_of};
use actix_web::http::{Method, header};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nostr::event::{EventBuilder, Kind, Tag};
use trellis_relay::extension::prelude::*;
use trellis_relay::extension::{Compiled, ExtensionHost, HostHandle, HostOptions, http};
use trellis_relay::testing::START_S;

/// What both take: where each has which route, as `METHOD /mount /route`, and what a handler answers is its own name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    routes: Vec<String>,
    #[serde(default)]
    known_as: Option<String>,
    #[serde(default)]
    nip98_window_s: Option<u64>,
}

macro_rules! extension {
    ($type:ident, $name:literal) => {
        struct $type(Config);

        impl Extension for $type {
            const NAME: &'static str = $name;
            type Config = Config;

            async fn build(config: Config, _: Host) -> Result<Self, BuildError> {
                Ok($type(config))
            }

            fn register(&self, hooks: &mut Registrar<Self>) {
                register(&self.0, $name, hooks);
            }
        }
    };
}

extension!(First, "first");
extension!(Second, "second");

const BOTH: &[Compiled] = &[Compiled::of::<First>(), Compiled::of::<Second>()];

fn register<E: Extension>(config: &Config, name: &'static str, hooks: &mut Registrar<E>) {
    let routes = config.routes.iter().map(|route| {
        let mut words = route.splitn(3, ' ');
        let mut next = || words.next().unwrap().to_owned();
        (next(), next(), next())
    });
    let routes: Vec<_> = routes.collect();
    let mut mounts: Vec<&String> = routes.iter().map(|(_, mount, _)| mount).collect();
    mounts.dedup();
    for mount in mounts {
        let place = match mount.as_str() {
            "/" => Mount::root(),
            prefix => Mount::prefix(prefix),
        };
        hooks.api(place, |api| {
            if let Some(url) = &config.known_as {
                api.known_as(url);
            }
            if let Some(seconds) = config.nip98_window_s {
                api.nip98_window(std::time::Duration::from_secs(seconds));
            }
            for (method, _, path) in routes.iter().filter(|(_, at, _)| at == mount) {
                let says = format!("{name} {method} {path}");
                if method == "SIGNED" {
                    api.get(path, async |signer: Nip98| signer.pubkey.to_hex());
                    continue;
                }
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let answer = move || std::future::ready(says.clone());
                api.route(method, path, answer);
            }
        });
    }
}

async fn start(first: &[&str], second: &[&str]) -> Result<HookHarness, String> {
    let tables = format!("[first]\nroutes = {first:?}\n[second]\nroutes = {second:?}\n");
    let started = HookHarness::start(BOTH, &tables).await;
    started.map_err(|error| error.to_string())
}

/// Status and body, or what stands in `Allow`.
async fn ask(relay: &HookHarness, method: &str, path: &str) -> (u16, String) {
    let app = init_service(App::new().configure(http::configure(&relay.handle))).await;
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = TestRequest::with_uri(path).method(method).to_request();
    let response = call_service(&app, request).await;
    let status = response.status().as_u16();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        return (status, allow.to_str().unwrap().to_owned());
    }
    let body = read_body(response).await;
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[actix_web::test]
async fn e11_a_path_of_one_route_hides_no_method_of_another() {
    let first = [
        "GET /api /{id}",
        "DELETE /api /{pubkey}",
        "GET /api /a/b",
        "GET / /x",
        "GET / /{sha256}",
    ];
    let second = ["POST /api/a /b", "POST / /x", "PUT / /upload"];
    let relay = start(&first, &second).await.unwrap();
    for (method, path, says) in [
        ("GET", "/api/1", "first GET /{id}"),
        ("DELETE", "/api/1", "first DELETE /{pubkey}"),
        ("GET", "/api/a/b", "first GET /a/b"),
        ("POST", "/api/a/b", "second POST /b"),
        ("GET", "/x", "first GET /x"),
        ("POST", "/x", "second POST /x"),
        ("PUT", "/upload", "second PUT /upload"),
    ] {
        let answer = ask(&relay, method, path).await;
        assert_eq!(answer, (200, says.to_owned()), "{method} {path}");
    }
    for (method, path, status, allow) in [
        ("PUT", "/api/1", 405, "GET, DELETE, HEAD, OPTIONS"),
        ("PUT", "/api/a/b", 405, "POST, GET, HEAD, OPTIONS"),
        ("OPTIONS", "/x", 204, "GET, POST, HEAD, OPTIONS"),
    ] {
        let answer = ask(&relay, method, path).await;
        assert_eq!(answer, (status, allow.to_owned()), "{method} {path}");
    }
    assert_eq!(ask(&relay, "PUT", "/api/a/b/c").await.0, 404);
    relay.host.shutdown().await;
}

#[actix_web::test]
async fn e11_what_is_more_open_is_asked_later() {
    let first = [
        "GET /api /{tail:.*}",
        "GET /api /{p:[^/]+}/b",
        "GET /api /{n:[0-9]+}",
        "GET /api /{any}",
    ];
    let relay = start(&first, &[]).await.unwrap();
    for (path, says) in [
        ("/api/x/b", "/{p:[^/]+}/b"),
        ("/api/7", "/{n:[0-9]+}"),
        ("/api/x", "/{any}"),
        ("/api/x/y/z", "/{tail:.*}"),
    ] {
        let answer = ask(&relay, "GET", path).await;
        assert_eq!(answer, (200, format!("first GET {says}")), "{path}");
    }
    relay.host.shutdown().await;
}

/// Status for a request that Alice signed for a URL at a time.
async fn signed(relay: &HookHarness, request: TestRequest, url: &str, at_s: u64) -> u16 {
    let tags = [["u", url], ["method", "GET"]].map(|tag| Tag::parse(tag).unwrap());
    let event = EventBuilder::new(Kind::HttpAuth, "")
        .tags(tags)
        .custom_created_at(at_s.into());
    let header = format!("Nostr {}", STANDARD.encode(sign(event, &alice()).json()));
    let app = init_service(
        App::new()
            .configure(http::configure(&relay.handle))
            .default_service(web::to(HttpResponse::NotFound)),
    )
    .await;
    let request = request
        .insert_header((header::AUTHORIZATION, header))
        .to_request();
    call_service(&app, request).await.status().as_u16()
}

#[actix_web::test]
async fn e11_requests_are_signed_for_what_the_mount_is_known_as() {
    let tables = "[first]\nroutes = ['SIGNED /api /']\nknown_as = 'https://op.example/v1'\nnip98_window_s = 10";
    let relay = HookHarness::start(BOTH, tables).await.unwrap();
    for (path, url, status) in [
        ("/api?limit=5", "https://op.example/v1?limit=5", 200),
        ("/api/?limit=5", "https://op.example/v1/?limit=5", 200),
        ("/api", "https://op.example/v1", 200),
        ("/api?limit=5", "https://op.example/v1?limit=6", 401),
        ("/api?limit=5", "http://localhost/api?limit=5", 401),
    ] {
        let request = TestRequest::with_uri(path);
        let got = signed(&relay, request, url, START_S).await;
        assert_eq!(got, status, "{path} as {url}");
    }
    for (later_s, status) in [(10, 200), (11, 401)] {
        let request = TestRequest::with_uri("/api");
        let got = signed(&relay, request, "https://op.example/v1", START_S + later_s).await;
        assert_eq!(got, status, "{later_s} s");
    }
    relay.host.shutdown().await;
}

#[actix_web::test]
async fn e11_an_address_that_is_none_stops_the_start() {
    for bad in [
        "op.example",
        "ftp://op.example",
        "https://op.example/?a=1",
        "/v1",
    ] {
        let tables = format!("[first]\nroutes = ['GET /api /']\nknown_as = {bad:?}");
        let error = HookHarness::start(BOTH, &tables).await.err().unwrap();
        assert!(error.to_string().contains("known_as"), "{bad}: {error}");
    }
}

#[actix_web::test]
async fn e11_a_body_that_the_head_does_not_tell_of_is_refused() {
    let tables = "[first]\nroutes = ['SIGNED /api /']\nknown_as = 'https://op.example'";
    let relay = HookHarness::start(BOTH, tables).await.unwrap();
    for (later_s, body, status) in [(0, "", 200), (1, "smuggled", 400)] {
        // As HTTP/2 may send it.
        let request = TestRequest::with_uri("/api")
            .set_payload(body)
            .insert_header((header::CONTENT_LENGTH, "0"));
        let got = signed(&relay, request, "https://op.example/", START_S + later_s).await;
        assert_eq!(got, status, "{body}");
    }
    relay.host.shutdown().await;
}

#[actix_web::test]
async fn e11_what_the_relay_answers_at_its_root_no_route_can_have() {
    let around = start(&[], &[]).await.unwrap();
    for (route, is_free) in [
        ("GET / /", false),
        ("HEAD / /", false),
        ("POST / /", true),
        ("GET / /health", false),
        ("GET /api /", true),
    ] {
        let options = HostOptions {
            clock: around.clock.clone(),
            reserved_paths: trellis_relay::http::own_paths(),
            ..HostOptions::default()
        };
        let tables = tables_of(&format!("[first]\nroutes = [{route:?}]"));
        let handle = HostHandle::new(BOTH);
        let started = ExtensionHost::start(handle, &tables, around.core.clone(), options).await;
        match started {
            Ok(host) => {
                host.shutdown().await;
                assert!(is_free, "{route}");
            }
            Err(error) => assert!(!is_free && error.to_string().contains("own"), "{error}"),
        }
    }
    around.host.shutdown().await;
}
