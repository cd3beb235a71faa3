//! After the commit: memory learns of what has changed, and what follows from it goes on the agenda.
//!
//! Invariant: this never waits for anything but rows, since what it has not come to is not seen by anybody yet. What goes on
//! the agenda can be found again in the rows after a crash.

use crate::Groups;
use crate::agenda::Said;
use crate::directory::Reload;
use crate::kinds::{
    self, CREATE_GROUP, DELETE_EVENT, DELETE_GROUP, EDIT_METADATA, JOIN, LEAVE, PUT_USER,
    REMOVE_USER, UPDATE_PIN_LIST,
};
use crate::tags;
use crate::watch;
use std::sync::Arc;
use trellis_relay::extension::prelude::*;

/// Registers the hook.
pub(crate) fn register(hooks: &mut Registrar<Groups>) {
    hooks.stored(
        kinds::followed(),
        StartAt::Beginning,
        async |me: Arc<Groups>, page| {
            let events = page.iter().filter_map(|change| match change {
                Change::Stored(stored) => Some(&stored.event),
                Change::Removed { .. } | Change::Gap { .. } => None,
            });
            for event in events {
                me.follow(event).await?;
            }
            watch::sizes(me.directory.sizes());
            Ok(())
        },
    );
}

impl Groups {
    async fn follow(&self, event: &Event) -> Result<(), HookError> {
        // One from before groups were switched on may name none, or several.
        let Ok(id) = tags::group(event) else {
            return Ok(());
        };
        if !tags::may_be_id(&id) {
            return Ok(());
        }
        if [JOIN, LEAVE].contains(&event.kind()) {
            self.agenda.answer(&id, event.pubkey());
            return Ok(());
        }
        let users = match event.kind() {
            PUT_USER | REMOVE_USER => {
                let users = tags::users(event).unwrap_or_default();
                users.into_iter().map(|(user, _)| user).collect()
            }
            CREATE_GROUP => vec![*event.pubkey()],
            _ => Vec::new(),
        };
        let reload = match event.kind() {
            DELETE_GROUP => Reload::Facts,
            _ => Reload::Users(users.clone()),
        };
        let is_member = |user| self.directory.look(&id, |known| known.is_member(user));
        let are_new = !users.iter().any(|user| is_member(user) == Some(true));
        let touched = self.directory.refresh(&self.host, &id, &reload).await?;
        self.directory.settle(event.id());
        watch::followed();
        if !self.directory.has(&id) {
            return Ok(());
        }
        self.plan(event, &id);
        // Groups above and below that have changed with it.
        for kin in touched.iter().filter(|kin| **kin != *id) {
            self.agenda.say(kin, Said::METADATA);
        }
        let news = |users| AccessNews::of(users, &Kinds::all()).tagged(b'h', id.as_ref());
        match event.kind() {
            DELETE_GROUP => self.host.tell_access(news(&self.directory.members(&id))),
            REMOVE_USER => self.host.tell_access(news(&users)),
            // Who changes roles may take some away.
            _ if !are_new => self.host.tell_access(news(&users)),
            _ => self.host.tell_access(news(&users).gain()),
        }
        Ok(())
    }

    fn plan(&self, event: &Event, id: &str) {
        match event.kind() {
            CREATE_GROUP => {
                self.agenda.say(id, Said::ALL);
                self.agenda.answer(id, event.pubkey());
            }
            PUT_USER | REMOVE_USER => self.agenda.say(id, Said::USERS),
            EDIT_METADATA => self.agenda.say(id, Said::METADATA),
            DELETE_EVENT => {
                self.agenda.say(id, Said::PINS);
                self.agenda.erase();
            }
            UPDATE_PIN_LIST => self.agenda.say(id, Said::PINS),
            DELETE_GROUP => self.agenda.erase(),
            _ => {}
        }
    }
}
