//! An extension that runs groups, as far as calls need to know of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use trellis_relay::extension::prelude::*;
use trellis_relay::extension::{GroupFacts, GroupMembership, GroupsUnavailable};

/// Groups that stand in its table, and one that cannot be told: `unloaded`.
pub(super) struct Club {
    config: Config,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Who is in which group.
    #[serde(default)]
    members: BTreeMap<String, Pubkeys>,
}

impl Extension for Club {
    const NAME: &'static str = "club";
    type Config = Config;

    fn services(needs: &mut Needs) {
        needs.provides::<dyn GroupMembership>();
    }

    async fn build(config: Config, _host: Host) -> Result<Self, BuildError> {
        Ok(Club { config })
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks.provide(|me| me as Arc<dyn GroupMembership>);
    }
}

impl Club {
    fn members(&self, id: &str) -> Result<Option<&Pubkeys>, GroupsUnavailable> {
        match id {
            "unloaded" => Err(GroupsUnavailable),
            id => Ok(self.config.members.get(id)),
        }
    }
}

impl GroupMembership for Club {
    fn group(&self, id: &str) -> Result<Option<GroupFacts>, GroupsUnavailable> {
        let members = self.members(id)?;
        Ok(members.map(|members| GroupFacts {
            members: members.len(),
            is_private: true,
            is_restricted: true,
            is_hidden: false,
            is_closed: true,
            has_livekit: !id.starts_with("silent"),
        }))
    }

    fn roles(
        &self,
        id: &str,
        pubkey: &PublicKey,
    ) -> Result<Option<Vec<String>>, GroupsUnavailable> {
        let members = self.members(id)?;
        let is_member = members.is_some_and(|members| members.contains(pubkey));
        Ok(is_member.then(Vec::new))
    }
}
