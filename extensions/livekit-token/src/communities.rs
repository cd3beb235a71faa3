//! Who belongs to a community (Communikeys): its definition is kind 10222, its members are on lists of kind 30000.
//!
//! The community's own key always belongs; others by the lists of the section that has spaces (kind 30312) among its kinds,
//! where they stand in `p` tags. Everybody belongs where that section has no condition, nobody else where there is no such
//! section.
//!
//! Invariant: answers are those of the newest events that are known; what cannot be read is an error and never a "no".

mod cache;
mod community;
mod definition;
#[cfg(test)]
mod tests;

pub(crate) use community::Refusal;
pub(crate) use definition::{DEFINITION, LIST};

use crate::config::Settings;
use crate::failure::{Code, Failure};
use crate::federation::Wishes;
use crate::operator::Operator;
use cache::Cache;
use community::{Community, lists_of};
use std::sync::Arc;
use trellis_relay::extension::prelude::*;
use trellis_relay::store::StoreError;

/// The communities that this operator serves.
pub(crate) struct Communities {
    host: Host,
    operator: Operator,
    /// Empty: all.
    served: Pubkeys,
    members_max: usize,
    cache: Cache,
    /// Those that other relays are asked about.
    wishes: Wishes,
}

impl Communities {
    pub(crate) fn new(host: &Host, settings: &Settings) -> Self {
        let bounds = settings.bounds;
        Communities {
            host: host.clone(),
            operator: Operator::new(settings.operator_url.as_deref()),
            served: settings.authorized_communities.clone(),
            members_max: bounds.community_members,
            cache: Cache::new(bounds.communities, bounds.community_members),
            wishes: Wishes::new(settings.federation, host.clock().clone()),
        }
    }

    /// Refuses whoever does not belong to a community that this operator serves.
    pub(crate) async fn membership(
        &self,
        community: &PublicKey,
        who: &PublicKey,
    ) -> Result<(), Failure> {
        match self.judge(community, who).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refusal)) => Err(refusal.into()),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// The same, for who can tell the reasons apart.
    pub(crate) async fn judge(
        &self,
        community: &PublicKey,
        who: &PublicKey,
    ) -> Result<Result<(), Refusal>, StoreError> {
        if !self.serves(community) {
            return Ok(Err(Refusal::NotServed));
        }
        self.wishes.add(community);
        Ok(match self.get(community).await? {
            Some(found) => found.judge(&self.operator, who),
            None => Err(Refusal::Unknown),
        })
    }

    /// Whether the operator serves this community, as far as the configuration says.
    pub(crate) fn serves(&self, community: &PublicKey) -> bool {
        self.served.is_empty() || self.served.contains(community)
    }

    /// Whether a list is one that its author, a community, names for rooms.
    pub(crate) async fn names_list(&self, list: &Event) -> Result<bool, StoreError> {
        let definition = self.definition(list.pubkey()).await?;
        let named = definition.map(|it| lists_of(&it)).unwrap_or_default();
        Ok(list
            .address()
            .is_some_and(|address| named.contains(&address)))
    }

    /// Communities that other relays shall be asked about.
    pub(crate) fn wishes(&self) -> &Wishes {
        &self.wishes
    }

    /// Whether anything is known of any community.
    pub(crate) fn is_any_known(&self) -> bool {
        self.cache.has_any()
    }

    /// Reads the definitions that are there, as far as there is place for them.
    pub(crate) async fn load(&self) -> Result<(), StoreError> {
        let served = self.served.iter().copied().collect::<Vec<_>>();
        let definitions = self.host.query(Filter {
            kinds: Some(vec![DEFINITION]),
            authors: (!served.is_empty()).then_some(served),
            limit: Some(PRELOADED_MAX),
            ..Filter::default()
        });
        for definition in definitions.await? {
            self.get(definition.pubkey()).await?;
        }
        Ok(())
    }

    /// The definition or a list of this community is another one now, or gone. Whether anything was known of it.
    pub(crate) fn forget(&self, community: &PublicKey) -> bool {
        self.cache.forget(community)
    }

    /// Any may have changed.
    pub(crate) fn forget_all(&self) {
        self.cache.forget_all();
    }

    async fn get(&self, key: &PublicKey) -> Result<Option<Arc<Community>>, StoreError> {
        let since = match self.cache.get(key) {
            Ok(kept) => return Ok(kept),
            Err(since) => since,
        };
        let read = self.read(key).await?.map(Arc::new);
        self.cache.keep(*key, read.clone(), &since);
        Ok(read)
    }

    async fn read(&self, key: &PublicKey) -> Result<Option<Community>, StoreError> {
        let Some(definition) = self.definition(key).await? else {
            return Ok(None);
        };
        let mut names: Vec<_> = lists_of(&definition).into_iter().map(|it| it.d).collect();
        names.sort_unstable();
        names.dedup();
        let lists = match names.len() {
            0 => Vec::new(),
            some => {
                let lists = Filter {
                    kinds: Some(vec![LIST]),
                    authors: Some(vec![*key]),
                    tags: [(b'd', names)].into(),
                    limit: Some(some),
                    ..Filter::default()
                };
                self.host.query(lists).await?
            }
        };
        let lists = lists.iter().map(|list| &**list);
        Ok(Some(Community::of(&definition, lists, self.members_max)))
    }

    async fn definition(&self, key: &PublicKey) -> Result<Option<Arc<Event>>, StoreError> {
        let found = self.host.query(Filter {
            kinds: Some(vec![DEFINITION]),
            authors: Some(vec![*key]),
            limit: Some(1),
            ..Filter::default()
        });
        Ok(found.await?.into_iter().next())
    }
}

/// Definitions that are read at the start.
const PRELOADED_MAX: usize = 1000;

/// What has to be known cannot be read.
pub(crate) fn unreadable(error: &StoreError) -> Failure {
    tracing::error!("communities or rooms could not be read: {error}");
    let message = "what has to be known for this cannot be read now; try again later";
    Failure::new(Code::LivekitUnavailable, message)
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let (code, message) = match refusal {
            Refusal::NotServed => (
                Code::CommunityNotAuthorized,
                "this operator does not serve this community",
            ),
            Refusal::Unknown => (
                Code::CommunityNotAuthorized,
                "this operator knows no definition (kind 10222) of this community",
            ),
            Refusal::OtherOperator => (
                Code::OperatorMismatch,
                "the community's livekit tag does not name this operator",
            ),
            Refusal::Stranger => (
                Code::NotCommunityMember,
                "you are no member of this community: its list for kind 30312 does not name you",
            ),
        };
        Failure::new(code, message)
    }
}
