//! Who may ask for what: hooks on REQ, COUNT and NEG-OPEN.
//!
//! First the groups that a request is about come into memory, where `delivery` will look for them. Then whoever asks for
//! nothing but what is closed to them is told so, and from other filters that is taken away without a word. Not here: the
//! protection of single events, which is `delivery`'s, but for messages of groups without a roster: those come out only
//! through a filter that names their group, and the filter is seen here.

mod rights;

use crate::MlsGateway;
use crate::config::Settings;
use crate::delivery::gated_kinds;
use crate::directory::{Known, Unreadable};
use crate::kinds::{GROUP_MESSAGE, ROSTER};
use crate::watch::{self, Stage, WayOut};
use rights::{Denial, Right};
use std::sync::Arc;
use std::time::Duration;
use trellis_relay::extension::prelude::*;

/// How long the relay waits for the hook, which is done sooner, whatever the database does: a hook that is late is at fault,
/// and after some faults the relay closes every request that asks for messages among other things.
const HOOK_PATIENCE: Duration = Duration::from_secs(10);
/// How long a request may wait for the database.
const PATIENCE: Duration = Duration::from_secs(3);

/// Registers the hooks.
pub(crate) fn register(settings: &Settings, hooks: &mut Registrar<MlsGateway>) {
    let gated = gated_kinds(settings);
    let asked = gated.clone();
    hooks
        .request_async(
            [GROUP_MESSAGE, ROSTER],
            HOOK_PATIENCE,
            async |me: Arc<MlsGateway>, request| {
                me.load_for(&request).await;
                // Whether anything is left to ask for is said by `narrow`, from memory.
                Ok(Access::Allow)
            },
        )
        .request(gated, move |me, viewer, verb, filter| {
            Ok(me.narrow(&asked, viewer, verb, filter))
        })
        .session(|me, note, viewer| {
            match note {
                SessionNote::Connected => me.directory.open_session(viewer.session()),
                SessionNote::Closed => me.directory.close_session(viewer.session()),
                SessionNote::Authenticated => {}
            }
            Ok(())
        });
}

impl MlsGateway {
    /// Brings into memory what a filter is about: the groups that it names, or else those of whoever asks. What cannot be
    /// had in time stays unknown.
    pub(crate) async fn load_for(&self, request: &AccessRequest) {
        let (filter, viewer) = (&request.filter, &request.viewer);
        let named = filter.tags.get(&b'h');
        let load = async {
            match named {
                Some(named) => self.load_groups(named).await,
                None => self.load_groups_of_all(viewer.pubkeys()).await,
            }
        };
        // While the database hangs, those who wait must not become more and more.
        let loaded = match self.directory.is_hanging() {
            true => Err(Unreadable),
            false => tokio::time::timeout(PATIENCE, load)
                .await
                .unwrap_or_else(|_| {
                    self.directory.note_hanging();
                    Err(Unreadable)
                }),
        };
        if loaded.is_err() {
            watch::failed(Stage::Request, None);
        }
        if let Some(named) = named {
            self.directory.pin(viewer.session(), named);
        }
    }

    async fn load_groups_of_all(&self, pubkeys: &[PublicKey]) -> Result<(), Unreadable> {
        for pubkey in pubkeys {
            self.load_groups_of(pubkey).await?;
        }
        Ok(())
    }

    fn narrow(
        &self,
        gated: &Kinds,
        viewer: &Viewer,
        verb: Verb,
        filter: &mut Narrow<'_>,
    ) -> Access {
        let asked = filter.filter().kinds.as_deref();
        let is_asked = |kind: &u16| asked.is_none_or(|asked| asked.contains(kind));
        let rights = gated.iter().filter(is_asked);
        let rights: Vec<(u16, Right)> = rights
            .map(|kind| (kind, self.right(kind, viewer, filter.filter())))
            .collect();
        let denied = |(kind, right): &(u16, Right)| match right {
            Right::Denied(denial) => Some((*kind, *denial)),
            Right::Some | Right::ManagedOnly => None,
        };
        let denied: Vec<(u16, Denial)> = rights.iter().filter_map(denied).collect();
        let wanted_kinds = asked.map(<[u16]>::len);
        if wanted_kinds.is_some() {
            for (kind, _) in &denied {
                watch::denied(*kind, WayOut::Verb(verb));
            }
        }
        // Everything that is wanted is denied.
        if wanted_kinds == Some(denied.len())
            && let Some(denial) = denied.iter().map(|(_, denial)| *denial).max()
        {
            return Reason::from(denial).into();
        }
        // What cannot be read now is hidden event by event, so that it comes through later.
        let dropped = denied.iter().filter(|it| it.1 != Denial::Unreadable);
        let dropped: Kinds = dropped.map(|(kind, _)| *kind).collect();
        if !dropped.is_empty() {
            filter.drop_kinds(&dropped);
        }
        let names_no_group = !filter.filter().tags.contains_key(&b'h');
        let managed_only = [Right::ManagedOnly, Right::Denied(Denial::Unreadable)];
        let is_managed_only =
            |(kind, right): &(u16, Right)| *kind == GROUP_MESSAGE && managed_only.contains(right);
        if names_no_group && rights.iter().any(is_managed_only) {
            let directory = self.directory.clone();
            filter.retain_events(&GROUP_MESSAGE.into(), move |event| {
                let group_id = event.first_tag_value("h").unwrap_or_default();
                matches!(directory.get(&group_id), Some(Known::Managed(_)))
            });
        }
        Access::Allow
    }
}
