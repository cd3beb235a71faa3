//! Answers what is stored, itself included if it is told to.

use nostr::event::{EventBuilder, Kind};
use std::sync::Arc;
use trellis_relay::extension::prelude::*;

pub(crate) struct Chat {
    config: Config,
    host: Host,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    answers: String,
}

impl Extension for Chat {
    const NAME: &'static str = "chat";
    type Config = Config;

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        Ok(Chat { config, host })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks.stored(2000, StartAt::Now, Self::answer);
        if self.config.answers == "early" {
            hooks.phase(Phase::Guard);
        }
        hooks
            .admit([7, 2000], |_me, _event, _viewer| Ok(Admit::Accept))
            .rpc("chat_size", async |me: Arc<Self>, _params| {
                let filter = Filter {
                    kinds: Some(vec![2000]),
                    ..Filter::default()
                };
                let events = me.host.query(filter).await;
                Ok(events.map_err(|error| error.to_string())?.len().into())
            });
    }
}

impl Chat {
    async fn answer(self: Arc<Self>, page: Arc<[Change]>) -> Result<(), HookError> {
        for change in page.iter() {
            let Change::Stored(stored) = change else {
                continue;
            };
            let answer = format!("re: {}", stored.event.content());
            let answer = EventBuilder::new(Kind::from(2000), answer);
            // One that is cut off is no reason to see the page again.
            let _ = self.host.publish(answer).await;
        }
        Ok(())
    }
}
