//! What the relay says of a group (NIP-29): 39000 metadata, 39001 admins, 39002 members, 39003 roles, 39005 pins; one event
//! each, addressed by the group's id. 39004, the participants of a call, is not said.

use crate::directory::Known;
use crate::group::Standing;
use crate::kinds::{ADMINS, CALL_PARTICIPANTS, MEMBERS, METADATA, PINS, ROLES};
use crate::rules::Rules;
use crate::state::{Refusal, State};
use trellis_relay::extension::prelude::*;

/// The kinds that the relay says of each group.
pub(crate) const SAID: [u16; 5] = [METADATA, ADMINS, MEMBERS, ROLES, PINS];

/// A tag: its name and what follows.
pub(crate) type Tag = Vec<String>;

/// Whether an event of these kinds may be stored: the relay signed it, and the group is there.
pub(crate) fn may_be_said(event: &Event, state: &State<'_>, rules: &Rules) -> Result<(), Refusal> {
    if *event.pubkey() != rules.relay || event.kind() == CALL_PARTICIPANTS {
        return Err(not_yours().into());
    }
    let id = event.tag_values(b'd').next().unwrap_or_default();
    match state.group(&id)?.is_some_and(|group| !group.is_deleted) {
        true => Ok(()),
        false => Err(Reason::blocked("this relay runs no group of this id").into()),
    }
}

/// What everybody else is told.
pub(crate) fn not_yours() -> Reason {
    Reason::blocked("only this relay says what its groups are (kinds 39000 to 39005)")
}

/// The tags of an event of this kind as they are now; nothing where there is no such event. Of the groups above and below,
/// hidden ones are named to nobody, since members of one are not members of the other.
pub(crate) fn tags(
    kind: u16,
    id: &str,
    known: &Known,
    rules: &Rules,
    is_hidden: impl Fn(&str) -> bool,
) -> Option<Vec<Tag>> {
    let mut tags = vec![tag(["d", id])];
    match kind {
        METADATA => tags.extend(described(known, is_hidden)),
        ADMINS => {
            let staff = known.staff.iter();
            let admins = staff.filter(|(_, roles)| !rules.roles.rights_of(*roles).is_empty());
            tags.extend(admins.map(|(pubkey, roles)| {
                let mut tag = tag(["p", &pubkey.to_hex()]);
                tag.extend(roles.iter().cloned());
                tag
            }));
        }
        MEMBERS if rules.max_listed == 0 => return None,
        MEMBERS => tags.extend(listed(known, rules.max_listed)),
        ROLES => tags.extend(
            rules
                .roles
                .iter()
                .map(|role| match role.description.as_str() {
                    "" => tag(["role", &role.name]),
                    description => tag(["role", &role.name, description]),
                }),
        ),
        PINS => {
            let pins = known.display.pins.iter();
            tags.extend(pins.map(|pin| tag([&pin.letter.to_string(), &pin.value])));
        }
        _ => return None,
    }
    Some(tags)
}

fn described(known: &Known, is_hidden: impl Fn(&str) -> bool) -> Vec<Tag> {
    let (group, display) = (&known.group, &known.display);
    let texts = [
        ("name", &display.name),
        ("picture", &display.picture),
        ("banner", &display.banner),
        ("about", &display.about),
    ];
    let texts = texts
        .into_iter()
        .filter_map(|(name, text)| Some(tag([name, text.as_deref()?])));
    let flags = [
        ("private", group.is_private),
        ("restricted", group.is_restricted),
        ("hidden", group.is_hidden),
        ("closed", group.is_closed),
        ("livekit", group.has_livekit),
    ];
    let flags = flags
        .into_iter()
        .filter(|(_, is_set)| *is_set)
        .map(|(name, _)| tag([name]));
    let kinds = group.supported_kinds.iter().map(|kinds| {
        let mut tag = tag(["supported_kinds"]);
        tag.extend(kinds.iter().map(u16::to_string));
        tag
    });
    let is_shown = |id: &&String| !is_hidden(id.as_str());
    let parent = group.parent.iter().filter(is_shown);
    let parent = parent.map(|parent| tag(["parent", parent]));
    let children = display.children.iter().filter(is_shown);
    let children = children.map(|child| tag(["child", child]));
    let all = texts.chain(flags).chain(kinds);
    all.chain(parent).chain(children).collect()
}

/// Those with roles first, then others, each in the order of their keys, so that the same members make the same list.
fn listed(known: &Known, max: usize) -> Vec<Tag> {
    let is_other = |user: &&PublicKey| !known.staff.contains_key(*user);
    let members = known.users.iter();
    let members = members.filter(|(_, standing)| **standing == Standing::Member);
    let mut others: Vec<&PublicKey> = members.map(|(user, _)| user).filter(is_other).collect();
    others.sort_unstable();
    let all = known.staff.keys().chain(others).take(max);
    all.map(|user| tag(["p", &user.to_hex()])).collect()
}

fn tag<const N: usize>(items: [&str; N]) -> Tag {
    items.map(str::to_owned).to_vec()
}
