//! Refuses words; shows kind 445 to the members that another extension knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use trellis_relay::extension::prelude::*;

/// Ends a hook that hangs.
pub(crate) static RELEASED: AtomicBool = AtomicBool::new(false);

/// What `gate` provides.
pub(crate) trait Membership: Send + Sync {
    fn members(&self, room: &str) -> Option<Arc<Pubkeys>>;
}

pub(crate) struct Words {
    config: Config,
    membership: ServiceRef<dyn Membership>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Words that notes may not hold.
    banned: Vec<String>,
    /// Where to look for them.
    kinds: Kinds,
}

impl Extension for Words {
    const NAME: &'static str = "words";
    const VERSION: &'static str = "1.2.3";
    type Config = Config;

    fn services(needs: &mut Needs) {
        needs.requires::<dyn Membership>();
    }

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        if config.banned.is_empty() {
            return Err("banned: found no word, wanted at least one".into());
        }
        let membership = host.service();
        Ok(Words { config, membership })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks
            .admit(&self.config.kinds, Self::admit)
            .deliver_many(445, Self::deliver);
    }
}

impl Words {
    fn admit(&self, event: &Event, _viewer: &Viewer) -> Result<Admit, HookError> {
        let content = event.content();
        match &*content {
            "panic" => panic!("a secret that no log may show"),
            "fail" => return Err("no answer".into()),
            "hang" => {
                while !RELEASED.load(Relaxed) {
                    std::thread::yield_now();
                }
            }
            "quiet" => return Ok(Admit::Shadow),
            _ => {}
        }
        let mut banned = self.config.banned.iter();
        Ok(match banned.any(|word| content.contains(word.as_str())) {
            true => Reason::blocked("a word").into(),
            false => Admit::Accept,
        })
    }

    fn deliver(&self, event: &Event, audience: &mut Audience<'_>) -> Result<(), HookError> {
        if event.content() == "panic" {
            panic!("a secret that no log may show");
        }
        let room = event.first_tag_value("h").unwrap_or_default();
        let members = self.membership.get().and_then(|it| it.members(&room));
        match members {
            Some(members) => audience.retain(|viewer| members.contains_any(viewer.pubkeys())),
            None => audience.hide_from_all(),
        }
        Ok(())
    }
}
