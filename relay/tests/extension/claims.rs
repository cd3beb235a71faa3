//! What one extension alone may have, wanted by two, or by the relay itself.

use trellis_relay::extension::{Compiled, prelude::*};
use trellis_relay::testing::HookHarness;

/// Wants a method and a subcommand by the names in its table.
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
async fn c10_a_method_of_the_relay_itself_is_not_to_be_had() {
    let said = problem("[second]\nmethods = ['mine', 'banpubkey']").await;
    let says =
        "[extensions.second] wants the management method banpubkey, which is the relay's own";
    assert!(said.starts_with(says), "{said}");
    let relay = HookHarness::start(
        CLAIMANTS,
        "[first]\nmethods = ['mine']\n[second]\nmethods = ['other']",
    );
    relay.await.unwrap().host.shutdown().await;
}
