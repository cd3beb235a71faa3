//! What one extension alone may have, wanted by two, or by the relay itself.

use trellis_relay::extension::{Compiled, prelude::*};
use trellis_relay::testing::{HookHarness, tables_of};

/// Wants methods, subcommands and routes by the names in its table.
struct Claimant<const NUMBER: u8> {
    config: Config,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Management methods.
    #[serde(default)]
    methods: Vec<String>,
    /// Subcommands.
    #[serde(default)]
    commands: Vec<String>,
    /// Plain scopes: a prefix, or a Host name after two slashes.
    #[serde(default)]
    scopes: Vec<String>,
    /// Described routes for GET: a prefix, which may be empty for the root, and a path, with a blank between.
    #[serde(default)]
    routes: Vec<String>,
}

impl<const NUMBER: u8> Extension for Claimant<NUMBER> {
    const NAME: &'static str = ["first", "second"][NUMBER as usize];
    type Config = Config;

    async fn build(config: Config, _: Host) -> Result<Self, BuildError> {
        Ok(Claimant { config })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        for method in &self.config.methods {
            hooks.rpc(method, async |_me, _params| Ok(true.into()));
        }
        for command in &self.config.commands {
            hooks.command(
                command,
                "does nothing",
                async |_me, _args| Ok(String::new()),
            );
        }
        for scope in &self.config.scopes {
            let mount = match scope.strip_prefix("//") {
                Some(host) => Mount::host(host),
                None => Mount::prefix(scope),
            };
            hooks.http(mount, |_routes| {});
        }
        for route in &self.config.routes {
            let (prefix, path) = route.split_once(' ').unwrap();
            let mount = match prefix {
                "" => Mount::root(),
                prefix => Mount::prefix(prefix),
            };
            hooks.api(mount, |api| {
                api.get(path, async || "here");
            });
        }
    }
}

const CLAIMANTS: &[Compiled] = &[Compiled::of::<Claimant<0>>(), Compiled::of::<Claimant<1>>()];

async fn problem(tables: &str) -> String {
    let started = HookHarness::start(CLAIMANTS, tables).await;
    started.unwrap_err().to_string()
}

#[tokio::test]
async fn c10_a_method_that_two_want_stops_the_start() {
    for (what, words) in [
        ("methods", "the management method close"),
        ("commands", "the subcommand close"),
    ] {
        let said = problem(&format!(
            "[first]\n{what} = ['close']\n[second]\n{what} = ['close']"
        ))
        .await;
        let says = format!("[extensions.first] and [extensions.second] both want {words}");
        assert_eq!(said, says);
        let said = problem(&format!("[first]\n{what} = ['close', 'close']")).await;
        let says = format!("[extensions.first] could not be started: it asks twice for {words}");
        assert_eq!(said, says);
    }
}

#[tokio::test]
async fn c10_a_method_or_path_of_the_relay_itself_is_not_to_be_had() {
    let said = problem("[second]\nmethods = ['mine', 'banpubkey']").await;
    let says =
        "[extensions.second] wants the management method banpubkey, which is the relay's own";
    assert!(said.starts_with(says), "{said}");
    let said = problem("[second]\nroutes = [' /health']").await;
    let says = "[extensions.second] wants the path /health, which is the relay's own";
    assert!(said.starts_with(says), "{said}");
    let relay = HookHarness::start(
        CLAIMANTS,
        "[first]\nmethods = ['mine']\n[second]\nmethods = ['other']",
    );
    relay.await.unwrap().host.shutdown().await;
}

/// Two tables with these values of a key.
fn both(key: &str, first: &str, second: &str) -> String {
    format!("[first]\n{key} = ['{first}']\n[second]\n{key} = ['{second}']")
}

#[tokio::test]
async fn e11_a_mount_or_a_route_that_two_want_stops_the_start() {
    for (key, first, second, what) in [
        ("scopes", "/api/x", "/api/x", "the routes under /api/x"),
        (
            "scopes",
            "//media.example",
            "//Media.Example",
            "the routes under //media.example/",
        ),
        ("routes", "/api /x", "/api /y", "the routes under /api"),
        ("routes", " /x/{id}", " /x/{name}", "GET /x/{}"),
        ("routes", "/api /a/b", "/api/a /b", "GET /api/a/b"),
        ("routes", "/api/a /", " /api/a", "GET /api/a"),
    ] {
        let said = problem(&both(key, first, second)).await;
        let says = format!("[extensions.first] and [extensions.second] both want {what}");
        assert_eq!(said, says);
    }
    let said = problem("[first]\nroutes = [' /x', ' /x']").await;
    let says = "[extensions.first] could not be started: it asks twice for GET /x";
    assert_eq!(said, says);
    for apart in [
        both("scopes", "/api/x", "/api/x/y"),
        both("scopes", "//a.example", "//b.example"),
        both("routes", " /x", " /y"),
        both("routes", " /x/{id}", " /x/all"),
    ] {
        let relay = HookHarness::start(CLAIMANTS, &apart).await;
        relay.unwrap().host.shutdown().await;
    }
}

#[tokio::test]
async fn e11_a_mount_that_two_want_is_not_reloaded() {
    let mut relay = HookHarness::start(CLAIMANTS, &both("scopes", "/a", "/b"))
        .await
        .unwrap();
    let before: Vec<_> = relay.handle.explain();
    let twice = tables_of(&both("scopes", "/a", "/a"));
    let refused = relay.host.apply_all(&twice).await.unwrap_err();
    let says = "[extensions.first] and [extensions.second] both want the routes under /a";
    assert_eq!(refused.to_string(), says);
    assert_eq!(relay.handle.explain(), before);
    let swapped = tables_of(&both("scopes", "/b", "/a"));
    relay.host.apply_all(&swapped).await.unwrap();
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e11_a_route_that_makes_no_sense_stops_the_start() {
    for (key, value, says) in [
        ("scopes", "/api/", "cannot mount routes at /api/"),
        ("scopes", "//a.example:80", "without scheme and port"),
        ("routes", "/api x", "a path begins with a slash"),
        ("routes", "/api /{id", "its parameters are {named}"),
    ] {
        let said = problem(&format!("[first]\n{key} = ['{value}']")).await;
        assert!(said.contains(says), "{said}");
    }
}
