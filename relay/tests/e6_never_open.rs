//! E6: an operator may let things pass where a hook fails, but not through a hook that protects.

use trellis_relay::extension::prelude::*;
use trellis_relay::testing::{TestRelay, json};

/// Fails in `request`: for kind 1 as the operator likes, for kind 2 closed.
struct Failing;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

impl Extension for Failing {
    const NAME: &'static str = "failing";
    type Config = Config;

    async fn build(_config: Config, _host: Host) -> Result<Self, BuildError> {
        Ok(Failing)
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks
            .request(1, |_me, _viewer, _verb, _filter| Err("it fails".into()))
            .never_open()
            .request(2, |_me, _viewer, _verb, _filter| Err("it fails".into()))
            .admit(2, |_me, _event, _viewer| Err("it fails".into()));
    }
}

#[tokio::test]
async fn e6_a_hook_that_protects_never_fails_open() {
    let table = "[extensions.failing]\non_fault = 'open'";
    let relay = TestRelay::of::<Failing>().config(table).start().await;
    let mut client = relay.connect().await;
    assert_eq!(client.query(json!({"kinds": [1]})).await, Ok(vec![]));
    let closed = client.query(json!({"kinds": [2]})).await;
    assert!(closed.is_err_and(|reason| reason.starts_with("error:")));
    let refused = client.publish(&relay.author(1).draft(2).sign()).await;
    assert!(!refused.is_accepted() && refused.reason().starts_with("error:"));
}
