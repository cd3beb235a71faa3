//! `/groups`: what the relay knows of groups, none of it secret. MLS says who belongs; rosters say who is served.
//!
//! Invariant: to whoever is no member a group is not there.

use super::asker::{Asker, AskerJson};
use super::membership;
use super::wire;
use crate::MlsGateway;
use crate::archive::CATCH_UP;
use crate::directory::Written;
use crate::roster::Roster;
use crate::storage::{self, Group, PutRoster};
use crate::watch;
use actix_web::web::{Json, Path};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use trellis_relay::config::{Mode, Timestamp};
use trellis_relay::extension::prelude::*;

/// Characters of a group's name.
const NAME_CHARS_MAX: usize = 256;
/// Bytes of the address of a group's picture.
const URL_BYTES_MAX: usize = 2_048;

pub(super) fn declare(api: &mut Api) {
    api.get("/groups", list)
        .summary("One's own groups")
        .description("By id. A service gets all groups.")
        .answers::<GroupList>(200);
    api.get("/groups/{id}", show)
        .summary("One group")
        .description("For its members and for services.")
        .answers::<GroupShown>(200)
        .fails(404, "There is no such group, or not for you.");
    api.post("/groups", create)
        .summary("Found a group")
        .description(
            "Makes a roster with its owner alone. For those in `admin_pubkeys`, and for services.",
        )
        .answers::<Created>(200)
        .fails(400, "A field is not what it should be.")
        .fails(403, "You are no admin.")
        .fails(
            409,
            "The group has a roster already, or rosters are kept elsewhere.",
        );
}

/// A group.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "MlsGroup")]
struct GroupShown {
    /// What its messages carry in `h`.
    group_id: String,
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar_url: Option<String>,
    /// Of its roster.
    member_count: u64,
    /// The highest epoch that a message named.
    last_epoch: Option<u64>,
    created_at: Timestamp,
}

/// Groups, and where the list goes on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "MlsGroupList")]
struct GroupList {
    /// Always true.
    ok: bool,
    /// By id.
    items: Vec<GroupShown>,
    /// What to send as `cursor` for the next page; missing on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

async fn list(
    me: Current<MlsGateway>,
    asker: Asker,
    page: Page,
) -> Result<Json<GroupList>, ApiError> {
    let after: Option<String> = page.after_as()?;
    let wanted = storage::Page {
        after: after.as_deref(),
        max: page.fetch(),
    };
    // For the epochs that messages have named.
    me.host.catch_up(CATCH_UP).await;
    // A server that says who is in a group does not say which groups there are: each has to be asked for.
    let lists_own = me.directory.lists_groups();
    let member = asker.signer().filter(|_| lists_own);
    let groups = me.storage.groups(member, wanted).await?;
    let page = page.of(groups, |group| group.group_id.clone());
    let mut items = Vec::new();
    for group in page.items {
        items.extend(GroupShown::to(&me, &asker, group).await?);
    }
    Ok(Json(GroupList {
        ok: true,
        items,
        cursor: page.next,
    }))
}

async fn show(
    me: Current<MlsGateway>,
    asker: Asker,
    group_id: Path<String>,
) -> Result<Json<GroupShown>, ApiError> {
    me.host.catch_up(CATCH_UP).await;
    let shown = match me.storage.group(&group_id).await? {
        Some(group) => GroupShown::to(&me, &asker, group).await?,
        None => None,
    };
    let shown = shown.ok_or_else(|| ApiError::not_found("there is no such group, or not for you"));
    Ok(Json(shown?))
}

impl GroupShown {
    /// The group, if whoever asks is a member of it or a service.
    async fn to(me: &MlsGateway, asker: &Asker, group: Group) -> Result<Option<Self>, ApiError> {
        let Some(signer) = asker.signer() else {
            return Ok(Some(Self::of(group)));
        };
        let roster = membership::roster_for(me, signer, &group.group_id).await?;
        Ok(roster.map(|roster| GroupShown {
            member_count: roster.members.len() as u64,
            ..Self::of(group)
        }))
    }

    fn of(group: Group) -> Self {
        GroupShown {
            group_id: group.group_id,
            display_name: group.display_name,
            avatar_url: group.avatar_url,
            member_count: group.member_count,
            last_epoch: group.last_epoch,
            created_at: wire::time(group.created_at_s),
        }
    }
}

/// A group to be founded.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "MlsNewGroup")]
struct NewGroup {
    /// What its messages will carry in `h`: 1 to 256 bytes.
    group_id: String,
    /// At most 256 characters.
    display_name: Option<String>,
    /// At most 2048 bytes, http or https.
    avatar_url: Option<String>,
    /// Who owns it, and is its only member so far.
    owner_pubkey: Pubkey,
}

/// The group that was founded.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "MlsCreatedGroup")]
struct Created {
    /// Always true.
    ok: bool,
    #[serde(flatten)]
    group: GroupShown,
}

async fn create(
    me: Current<MlsGateway>,
    request: AskerJson<NewGroup>,
) -> Result<Json<Created>, ApiError> {
    let AskerJson { asker, body } = request;
    let is_admin = |signer| me.settings.admin_pubkeys.contains(signer);
    if !asker.signer().is_none_or(is_admin) {
        return Err(ApiError::forbidden(
            "groups are founded by admins and services",
        ));
    }
    me.host
        .refuse_during(&[Mode::ReadOnly, Mode::NoNewGroups])?;
    body.check()?;
    if !me.directory.lists_groups() {
        return Err(ApiError::conflict(
            "who belongs to groups is said by another server (membership_source)",
        ));
    }
    let taken = || ApiError::conflict("this group has a roster already");
    let (id, now_s) = (&body.group_id, me.host.clock().now_s());
    if !me
        .storage
        .rosters(std::slice::from_ref(id))
        .await?
        .is_empty()
    {
        return Err(taken());
    }
    let roster = Roster::of_owner(*body.owner_pubkey.key());
    let is_followed = me.directory.has_begun();
    match me.storage.put_roster(id, &roster, None, now_s).await? {
        PutRoster::Written(revision) => {
            watch::membership_updated();
            let written = Written {
                before: None,
                after: Arc::new(roster),
                revision,
                is_followed,
            };
            me.roster_written(id, written);
        }
        PutRoster::Conflict => return Err(taken()),
    }
    // After the roster, so that the words are those of whoever founded the group.
    let (name, avatar) = (body.display_name.as_deref(), body.avatar_url.as_deref());
    me.storage.describe_group(id, name, avatar, now_s).await?;
    watch::groups_updated(1);
    let group = me.storage.group(id).await?;
    let group = group.ok_or_else(|| ApiError::internal("a group is not there that was founded"))?;
    Ok(Json(Created {
        ok: true,
        group: GroupShown::of(group),
    }))
}

impl NewGroup {
    fn check(&self) -> Result<(), ApiError> {
        wire::check_group_id(&self.group_id)?;
        let name = self.display_name.as_deref().unwrap_or_default();
        if name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(ApiError::bad_request(format!(
                "display_name may have {NAME_CHARS_MAX} characters, and none that control"
            )));
        }
        let is_url = |url: &str| {
            let is_web = url.starts_with("https://") || url.starts_with("http://");
            is_web && url.len() <= URL_BYTES_MAX && !url.chars().any(char::is_control)
        };
        match self.avatar_url.as_deref().is_none_or(is_url) {
            true => Ok(()),
            false => Err(ApiError::bad_request(format!(
                "avatar_url must be a http or https URL of at most {URL_BYTES_MAX} bytes"
            ))),
        }
    }
}
