//! Who wants to publish needs an invite. Admins make invites; a join request (kind 9021, as in NIP-29) redeems one.
//!
//! ```toml
//! [extensions.invite_only]
//! admins = ["npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6"]
//! ```
//!
//! Invariant: an invite is redeemed as often as it says and no oftener, since its row changes in the transaction that
//! stores the join request. Members are in memory as well, for `admit`, and follow the commits: a new member may publish a
//! moment after the OK to the join request, and whoever deletes that request leaves.
//!
//! Metrics: `invite_only_members`, a gauge, and `invite_only_redemptions_total`, a counter.
//!
//! The rows are in `rows`, the HTTP routes in `routes`.

mod routes;
mod rows;

use metrics::{Counter, Gauge};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

/// A join request; its tag `code` names the invite.
const JOIN: u16 = 9021;
/// One invite is for so many people at most.
const USES_MAX: u32 = 10_000;

/// The extension.
#[derive(Debug)]
pub struct InviteOnly {
    config: Config,
    host: Host,
    members: RwLock<HashSet<PublicKey>>,
    members_gauge: Gauge,
    redemptions: Counter,
}

/// `[extensions.invite_only]`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who makes invites, and may publish without one: npub1... or 64 hex digits.
    admins: Pubkeys,
    /// Where the routes are.
    #[serde(default = "default_path")]
    path: String,
}

fn default_path() -> String {
    "/api/invites".to_owned()
}

impl Extension for InviteOnly {
    const NAME: &'static str = "invite_only";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Config;

    async fn build(config: Config, host: Host) -> Result<Self, BuildError> {
        if config.admins.is_empty() {
            return Err("admins: found none, but somebody has to make invites".into());
        }
        let metrics = host.metrics();
        let me = InviteOnly {
            config,
            members: RwLock::default(),
            members_gauge: metrics.gauge("invite_only_members"),
            redemptions: metrics.counter("invite_only_redemptions_total"),
            host,
        };
        me.read_members().await?;
        Ok(me)
    }

    fn register(&self, hooks: &mut Registrar<Self>) {
        hooks
            .phase(Phase::Auth)
            .admit(!Kinds::from(JOIN), |me, event, viewer| {
                Ok(me.refusal(event, viewer).into())
            })
            .commit(JOIN, |_me, event, tx| Ok(rows::redeem(event, tx)?.into()))
            // From the beginning, so that nobody is missed who joins between `build` and the first page.
            .stored(JOIN, StartAt::Beginning, async |me: Arc<Self>, page| {
                Ok(me.follow(&page).await?)
            })
            .api(Mount::prefix(&self.config.path), routes::declare)
            .rpc("createinvite", async |me: Arc<Self>, params| {
                me.create_for_operator(&params).await
            })
            .nip11(|me, document| {
                let about = json!({ "join_kind": JOIN, "members": me.count() });
                document.insert(Self::NAME.to_owned(), about);
                Ok(())
            });
    }
}

impl InviteOnly {
    /// Why this event may not come in. What counts is who wrote it: members may send through whom they like.
    fn refusal(&self, event: &Event, viewer: &Viewer) -> Option<Reason> {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        let may_publish = viewer.is_relay()
            || self.config.admins.contains(event.pubkey())
            || members.contains(event.pubkey());
        let text = "this relay is for members; send a join request (kind 9021) with an invite code";
        (!may_publish).then(|| Reason::restricted(text))
    }

    /// Keeps memory in step with what was committed. A page may come twice.
    async fn follow(&self, page: &[Change]) -> Result<(), StoreError> {
        for change in page {
            match change {
                Change::Stored(stored) => {
                    // A request from before the extension was on has redeemed nothing.
                    let (pubkey, id) = (stored.event.pubkey(), stored.event.id());
                    if !rows::has_joined_by(&self.host, pubkey, id).await? {
                        continue;
                    }
                    if self.change(|members| members.insert(*stored.event.pubkey())) {
                        self.redemptions.increment(1);
                    }
                }
                Change::Removed { id, pubkey, .. } => {
                    if rows::forget_member(&self.host, pubkey, id).await? {
                        self.change(|members| members.remove(pubkey));
                    }
                }
                Change::Gap { .. } => self.read_members().await?,
            }
        }
        Ok(())
    }

    async fn read_members(&self) -> Result<(), StoreError> {
        let found = rows::all_members(&self.host).await?;
        self.change(|members| *members = found);
        Ok(())
    }

    fn change<R>(&self, change: impl FnOnce(&mut HashSet<PublicKey>) -> R) -> R {
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut members);
        self.members_gauge.set(members.len() as f64);
        changed
    }

    fn count(&self) -> usize {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        members.len()
    }

    /// A new invite that so many people may redeem.
    async fn create(&self, uses: u32) -> Result<rows::Invite, StoreError> {
        let code = const_hex::encode(rand::random::<[u8; 16]>());
        let invite = rows::Invite { code, uses };
        invite.save(&self.host).await?;
        Ok(invite)
    }

    /// `createinvite [uses]`, for the operator.
    async fn create_for_operator(&self, params: &[Value]) -> Result<Value, String> {
        let uses = match params {
            [] => Some(1),
            [uses] => uses.as_u64().and_then(|uses| u32::try_from(uses).ok()),
            _ => None,
        };
        let uses = uses.filter(|uses| (1..=USES_MAX).contains(uses));
        let uses = uses.ok_or_else(|| format!("createinvite takes [uses], 1 to {USES_MAX}"))?;
        match self.create(uses).await {
            Ok(invite) => Ok(invite.code.into()),
            Err(error) => Err(format!("the invite was not saved: {error}")),
        }
    }
}
