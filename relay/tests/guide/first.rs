//! The first test of the guide.

use trellis_relay::extension::prelude::*;

pub struct InviteOnly {
    config: Config,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who may publish.
    guests: Pubkeys,
}

impl Extension for InviteOnly {
    const NAME: &'static str = "invite_only";
    type Config = Config;

    async fn build(config: Config, _host: Host) -> Result<Self, BuildError> {
        Ok(InviteOnly { config })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks.admit(1, |me, event, _viewer| {
            if me.config.guests.contains(event.pubkey()) {
                return Ok(Admit::Accept);
            }
            Ok(Reason::blocked("ask for an invitation").into())
        });
    }
}

use trellis_relay::testing::{Author, TestRelay, json};

#[tokio::test]
async fn strangers_are_refused() {
    let (guest, stranger) = (Author::new(1), Author::new(2));
    let table = format!("[extensions.invite_only]\nguests = ['{}']", guest.pubkey());
    let relay = TestRelay::of::<InviteOnly>().config(&table).start().await;

    let mut client = relay.connect().await;
    let note = guest.note("hello");
    client.store(&note).await;
    let refused = client.publish(&stranger.note("hello")).await;
    refused.assert_refused("blocked: ask for an invitation");
    assert_eq!(client.query(json!({"kinds": [1]})).await, Ok(vec![note]));
}
