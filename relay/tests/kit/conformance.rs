//! E1 and E10: the conformance kit passes what is right and names what is wrong.

use crate::guests::Guests;
use std::sync::Arc;
use std::time::Duration;
use trellis_relay::extension::prelude::*;
use trellis_relay::testing::{Conformance, conformance};

#[tokio::test]
async fn e10_a_good_extension_passes() {
    let kit = Conformance::of::<Guests>("admins = []").changed("admins = []\nper_minute = 5");
    let report = kit.run().await;
    report.assert_passed();
    let said = report.to_string();
    for passed in [
        "it is given another table while it runs",
        "its routes answer 404 while it is off",
        "it comes back after a crash",
    ] {
        assert!(said.contains(&format!("ok      {passed}")), "{said}");
    }
    assert_eq!(report.advice(), [""; 0]);
}

/// What goes wrong is told by the words of its table.
struct Bad {
    config: Config,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    does: String,
}

impl Extension for Bad {
    const NAME: &'static str = "bad";
    type Config = Config;

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        let is_first = host.kv_get(b"built").await.ok().flatten().is_none();
        if config.does == "build once" && !is_first {
            return Err("there was another one".into());
        }
        // Rows are durable before the instance is.
        if host.kv_put(b"built", Some(Vec::new())).await.is_err() {
            return Err("no row".into());
        }
        Ok(Bad { config })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks.admit([1, 9], |me, event, _viewer| {
            if me.config.does == "panic" && event.content().starts_with('{') {
                panic!("JSON was not expected");
            }
            Ok(Admit::Accept)
        });
        hooks.request(9, |me, _viewer, _verb, filter| {
            match filter.filter().limit {
                Some(0) if me.config.does == "fail on limit 0" => Err("no limit".into()),
                _ => Ok(Access::Allow),
            }
        });
        if self.config.does == "forget supported_nips" {
            hooks.nip11(|_me, document| {
                document.remove("supported_nips");
                Ok(())
            });
        }
        if self.config.does == "panic on words" {
            hooks.rpc("bad", async |_me, params| {
                Ok(params[0].as_str().unwrap().into())
            });
            hooks.command("bad", "", async |_me, words| Ok(words[0].clone()));
        }
        if self.config.does == "panic late" {
            hooks.stored(1, StartAt::Beginning, async |_me, _page| panic!("as asked"));
        }
        if self.config.does == "answer 500" {
            hooks.http(Mount::prefix("/api/bad"), |config| {
                let answer = async || actix_web::HttpResponse::InternalServerError().finish();
                config.default_service(actix_web::web::to(answer));
            });
        }
    }

    fn reload(&self, _new: &Config) -> Reload {
        match &*self.config.does {
            "panic in reload" => panic!("as asked"),
            _ => Reload::Rebuild,
        }
    }

    async fn shutdown(&self) {
        if self.config.does == "panic at the end" {
            panic!("as asked");
        }
    }

    async fn start(self: Arc<Self>, _stop: StopToken) -> Result<(), TaskError> {
        if self.config.does == "go on for ever" {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

#[tokio::test]
async fn e10_what_is_wrong_is_named_with_what_would_be_right() {
    for (does, found) in [
        ("panic", "random events brought its hooks to fault: admit"),
        (
            "panic late",
            "random events brought its hooks to fault: stored",
        ),
        ("panic on words", "its rpc bad is at fault, given [null]"),
        ("panic on words", "its command bad is at fault, given []"),
        ("panic in reload", "its `reload` panicked"),
        ("panic at the end", "its `shutdown` failed"),
        (
            "fail on limit 0",
            "REQ, COUNT and NEG-OPEN brought its hooks to fault",
        ),
        ("forget supported_nips", "the information document brought"),
        ("answer 500", "GET /api/bad answers 500"),
        ("go on for ever", "ms to stop"),
        ("build once", "it cannot be changed while it runs"),
    ] {
        let kit = Conformance::of::<Bad>(&format!("does = '{does}'"));
        let report = kit.changed("does = 'something else'").run().await;
        let problems = report.problems();
        let named = problems.iter().find(|it| it.found.contains(found));
        let named = named.unwrap_or_else(|| panic!("{does}: {report}"));
        assert!(!named.wanted.is_empty(), "{does}: {named:?}");
        if does == "panic late" {
            // Told once, and with what caused it.
            assert_eq!(problems.len(), 1, "{report}");
        }
        // A Config without doc comments gets advice and passes.
        assert_eq!(report.advice().len(), 1, "{report}");
    }
    let fine = Conformance::of::<Bad>("does = 'nothing wrong'").run().await;
    assert_eq!(fine.problems(), [], "{fine}");
    let advice = fine.advice();
    assert!(
        advice.iter().any(|it| it.contains("Conformance::changed")),
        "{fine}"
    );
}

/// Its Config takes anything.
struct Lax;

#[derive(Deserialize, JsonSchema)]
struct LaxConfig {}

impl Extension for Lax {
    const NAME: &'static str = "lax";
    type Config = LaxConfig;

    async fn build(_: LaxConfig, _: Host) -> Result<Self, BuildError> {
        Ok(Lax)
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks.admit_async(1, Duration::from_secs(1), async |_me, _request| {
            Ok(Admit::Accept)
        });
    }
}

#[tokio::test]
#[should_panic(expected = "add #[serde(deny_unknown_fields)] to its Config")]
async fn e10_a_table_that_takes_anything_is_found_out() {
    conformance::<Lax>("").await;
}
