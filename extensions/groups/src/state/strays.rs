//! Events that name a group and are not the group's: strangers have sent them to a hidden one, of which they must not learn
//! by a refusal. They are public, as they would be if there were no such group.
//!
//! Invariant: decided when the event is stored, and never again: what a member wrote stays the group's when the member goes.

use super::{Refusal, STRAY, State, key};
use trellis_relay::event::EventId;

/// An event that names a hidden group and is not the group's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stray {
    /// By the group's rules a stranger could not have written it.
    pub(crate) is_kept_from_members: bool,
}

impl State<'_> {
    /// Notes whether an event that names a hidden group is not the group's.
    pub(crate) fn set_stray(
        &mut self,
        id: &str,
        event: &EventId,
        stray: Option<Stray>,
    ) -> Result<(), Refusal> {
        self.strays.push((id.to_owned(), stray));
        let row = key(STRAY, id, event.as_bytes());
        match stray {
            Some(stray) => self.rows.set(&row, Some(vec![stray.row()]))?,
            None if self.rows.get(&row)?.is_some() => self.rows.set(&row, None)?,
            None => {}
        }
        Ok(())
    }

    /// What [`State::set_stray`] was told, for memory.
    pub(crate) fn into_strays(self) -> Vec<(String, Option<Stray>)> {
        self.strays
    }
}

impl Stray {
    /// What its row holds.
    fn row(self) -> u8 {
        u8::from(self.is_kept_from_members)
    }

    /// What a row says. What cannot be read is kept from members.
    pub(crate) fn of_row(row: &[u8]) -> Self {
        Stray {
            is_kept_from_members: row != [0],
        }
    }
}
