//! What a community says of itself (Communikeys, kind 10222): who its operator is, and which section has its rooms.
//!
//! A section begins at a `content` tag; the tags up to the next are its own: `k` for each kind, and conditions. Invariant: a
//! section with a condition that is not understood admits nobody but whom a list names, so that a stricter community is never
//! taken for an open one.

use trellis_relay::event::Address;
use trellis_relay::extension::prelude::*;

/// Kind of the definition.
pub(crate) const DEFINITION: u16 = 10222;
/// Kind of a list of members (a follow set of NIP-51).
pub(crate) const LIST: u16 = 30000;
/// What the section that counts has among its kinds: spaces (NIP-53).
const SPACE: &str = "30312";
/// Lists, and URLs of operators, that are looked at.
const TAGS_MAX: usize = 16;

/// A community by its own words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Definition {
    /// The values of its `livekit` tags.
    pub(super) operators: Vec<String>,
    pub(super) access: Access,
}

/// Whom the sections that list spaces admit, beside the community itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// There is no such section, or its condition names no list of the community's own.
    Nobody,
    /// A section without a condition.
    Everybody,
    /// Whoever is on one of these lists, all of which the community has written.
    Listed(Vec<Address>),
}

/// What is known of a section so far.
#[derive(Default)]
struct Section {
    has_spaces: bool,
    has_condition: bool,
    lists: Vec<Address>,
}

impl Definition {
    /// Reads a definition; its kind is taken for granted.
    pub(super) fn of(event: &Event) -> Self {
        let mut operators = Vec::new();
        let mut sections: Vec<Section> = Vec::new();
        for tag in event.tags() {
            let value = tag.value().unwrap_or_default();
            match (&*tag.name(), sections.last_mut()) {
                ("livekit", _) if operators.len() < TAGS_MAX => operators.push(value.into_owned()),
                ("content", _) => sections.push(Section::default()),
                ("k", Some(section)) => section.has_spaces |= value == SPACE,
                ("a", Some(section)) => section.condition(event.pubkey(), &value),
                ("access" | "badge" | "fee" | "role", Some(section)) => {
                    section.has_condition = true;
                }
                _ => {}
            }
        }
        let sections = sections.into_iter().filter(|it| it.has_spaces);
        Definition {
            operators,
            access: sections.fold(Access::Nobody, Access::or),
        }
    }
}

impl Section {
    /// An `a` tag: a list of members, or a badge that members bear. Others, such as a form to fill in, are no conditions.
    fn condition(&mut self, community: &PublicKey, value: &str) {
        let kind = value.split(':').next().unwrap_or_default();
        self.has_condition |= matches!(kind, "30000" | "30009");
        let list = Address::parse(value).filter(|it| it.kind == LIST && it.pubkey == *community);
        if let Some(list) = list
            && self.lists.len() < TAGS_MAX
        {
            self.lists.push(list);
        }
    }
}

impl Access {
    /// What one more section adds.
    fn or(self, section: Section) -> Self {
        match (self, section) {
            (Access::Everybody, _) => Access::Everybody,
            (_, section) if !section.has_condition => Access::Everybody,
            (so_far, section) if section.lists.is_empty() => so_far,
            (Access::Nobody, section) => Access::Listed(section.lists),
            (Access::Listed(mut lists), section) => {
                lists.extend(section.lists);
                lists.truncate(TAGS_MAX);
                Access::Listed(lists)
            }
        }
    }
}
