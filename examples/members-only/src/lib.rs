//! Only members may publish, and only they see the kinds named in `private`.
//!
//! ```toml
//! [extensions.members_only]
//! members = ["npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6"]
//! private = [445, [30000, 30010]]
//! message = "ask ops@example.org to join"
//! ```

use trellis_relay::extension::prelude::*;

/// The extension: what its table says is all it needs to know.
#[derive(Debug)]
pub struct MembersOnly {
    config: Config,
}

/// `[extensions.members_only]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who may publish: npub1... or 64 hex digits.
    members: Pubkeys,
    /// Kinds that only members see.
    #[serde(default)]
    private: Kinds,
    /// What everybody else is told.
    message: String,
}

impl Extension for MembersOnly {
    const NAME: &'static str = "members_only";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;

    async fn build(config: Config, _host: Host) -> Result<Self, BuildError> {
        Ok(MembersOnly { config })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        let private = &self.config.private;
        hooks
            .admit(Kinds::all(), |me, _event, viewer| {
                Ok(me.refusal(viewer).into())
            })
            .request(private, |me, viewer, _verb, filter| {
                if let Some(reason) = me.refusal(viewer) {
                    if filter.asks_only_for(&me.config.private) {
                        return Ok(reason.into());
                    }
                    filter.drop_kinds(&me.config.private);
                }
                Ok(Access::Allow)
            })
            .deliver(private, |me, _event, viewer| {
                Ok(me.refusal(viewer).is_none())
            });
    }
}

impl MembersOnly {
    /// Why someone is no member; nothing for those who are.
    fn refusal(&self, viewer: &Viewer) -> Option<Reason> {
        let message = self.config.message.clone();
        if viewer.is_relay() || self.config.members.contains_any(viewer.pubkeys()) {
            None
        } else if viewer.is_authenticated() {
            Some(Reason::restricted(message))
        } else {
            Some(Reason::auth_required(message))
        }
    }
}
