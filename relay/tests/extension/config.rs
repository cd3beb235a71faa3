//! E8: tables are typed, and what is wrong with one is said.

use crate::support::*;
use trellis_relay::extension::prelude::*;
use trellis_relay::extension::{Compiled, ExtensionHost, HostHandle, HostOptions, Tables};

async fn refusal(tables: &str) -> String {
    match try_start(tables).await {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn e8_what_is_wrong_is_named_with_what_would_be_right() {
    for (tables, says) in [
        ("[wrods]".to_owned(), "did you mean `words`?"),
        ("[wrods]".to_owned(), "compiled in: words, gate, chat"),
        (
            WORDS.to_owned(),
            "[extensions.words] needs dyn extension::words::Membership",
        ),
        (format!("{GATE}enabeld = false"), "did you mean `enabled`?"),
        (
            format!("{GATE}enabled = 'no'"),
            "[extensions.gate]: invalid type",
        ),
        (
            format!("{GATE}on_fault = 'ajar'"),
            "expected `closed` or `open`",
        ),
        (
            format!("{GATE}timeout_ms = 0"),
            "timeout_ms: found 0, wanted at least 1",
        ),
        (
            format!("{GATE}max_concurrent = 0"),
            "max_concurrent: found 0",
        ),
        (
            "[gate]\nroom = 'g'\nmembers = ['bob']".to_owned(),
            "npub1... or 64 hex",
        ),
    ] {
        let refusal = refusal(&tables).await;
        assert!(refusal.contains(says), "{refusal}");
    }
}

#[test]
fn e8_a_table_is_checked_without_building_anything() {
    let gate = EXTENSIONS[1];
    assert_eq!(gate.name(), "gate");
    let mut tables = tables_of(GATE);
    assert_eq!(gate.check(tables.remove("gate").unwrap()), Ok(()));
    let missing = gate.check(tables_of("[gate]").remove("gate").unwrap());
    assert!(missing.unwrap_err().contains("missing field `room`"));
}

#[test]
fn e8_the_schema_holds_the_authors_keys_and_the_cores() {
    let words = EXTENSIONS[0];
    assert_eq!(words.version(), "1.2.3");
    let schema = words.schema();
    let properties = schema["properties"].as_object().unwrap();
    for key in ["banned", "kinds", "enabled", "on_fault", "priority"] {
        assert!(properties.contains_key(key), "{key}");
    }
    assert_eq!(schema["additionalProperties"], false);
    assert!(!schema.to_string().contains("$ref"));
}

struct Lax;

#[derive(Deserialize, JsonSchema)]
struct LaxConfig {}

impl Extension for Lax {
    const NAME: &'static str = "lax";
    type Config = LaxConfig;

    async fn build(_: LaxConfig, _: Host) -> Result<Self, BuildError> {
        Ok(Lax)
    }

    fn register(&self, _: &mut Registrar<Self>) {}
}

#[test]
fn e8_a_config_type_that_accepts_unknown_keys_is_found_out() {
    let problem = Compiled::of::<Lax>().check(Default::default());
    assert!(problem.unwrap_err().contains("deny_unknown_fields"));
}

#[tokio::test]
async fn e8_names_are_checked() {
    const TWICE: &[Compiled] = &[Compiled::of::<Lax>(), Compiled::of::<Lax>()];
    let relay = start("").await;
    let handle = HostHandle::new(TWICE);
    let core = relay.core.clone();
    let (tables, options) = (Tables::new(), HostOptions::default());
    let started = ExtensionHost::start(handle, &tables, core, options);
    let Err(error) = started.await else {
        panic!("accepted");
    };
    assert!(error.to_string().contains("twice"), "{error}");
}

/// Two extensions that differ in their names alone, and promise a service that they do not provide.
struct Twin<const PROMISES: bool, const NUMBER: u8>;

trait Promised: Send + Sync {}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl<const PROMISES: bool, const NUMBER: u8> Extension for Twin<PROMISES, NUMBER> {
    const NAME: &'static str = ["first", "second"][NUMBER as usize];
    type Config = Nothing;

    fn services(needs: &mut Needs) {
        if PROMISES {
            needs.provides::<dyn Promised>();
        }
    }

    async fn build(_: Nothing, _: Host) -> Result<Self, BuildError> {
        Ok(Twin)
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks
            .http(Mount::root(), |_| {})
            .http(Mount::prefix("/twin"), |_| {});
    }
}

#[tokio::test]
async fn e11_the_same_mount_twice_stops_the_start() {
    const TWINS: &[Compiled] = &[
        Compiled::of::<Twin<false, 0>>(),
        Compiled::of::<Twin<false, 1>>(),
    ];
    let error = HookHarness::start(TWINS, "[first]\n[second]").await;
    let error = error.unwrap_err().to_string();
    let says = "[extensions.first] and [extensions.second] both want the routes under /twin";
    assert_eq!(error, says);
}

#[tokio::test]
async fn e8_a_service_that_is_promised_must_be_provided() {
    const BOASTER: &[Compiled] = &[Compiled::of::<Twin<true, 0>>()];
    let error = HookHarness::start(BOASTER, "[first]").await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("what `services` promises"), "{error}");
}
