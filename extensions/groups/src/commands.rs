//! `trellis groups ...`: what an operator asks about groups, and how the state is computed anew.

use crate::Groups;
use crate::rebuilding::{STATE, counts_differ, differences};
use crate::state::{COUNTS, FOUNDED};
use std::sync::Arc;
use trellis_relay::extension::prelude::*;

const USAGE: &str = "\
groups list              list groups: id, members, flags, name
groups check             compare the state of groups with their stored moderation events
groups rebuild --apply   compute the state anew from them; stop the relay first";

/// Registers the subcommand.
pub(crate) fn register(hooks: &mut Registrar<Groups>) {
    let about = "groups (NIP-29): list, check, rebuild";
    hooks.command("groups", about, async |me: Arc<Groups>, words| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["list"] => Ok(me.list()),
            ["check"] => me.check().await,
            ["rebuild", "--apply"] => me.rebuild_and_apply().await,
            ["help" | "--help" | "-h"] => Ok(USAGE.to_owned()),
            [] => Err(format!("groups wants to know what to do:\n{USAGE}")),
            _ => Err(format!(
                "groups cannot {:?}; it can:\n{USAGE}",
                words.join(" ")
            )),
        }
    });
}

impl Groups {
    fn list(&self) -> String {
        let lines = self.directory.ids().into_iter().filter_map(|id| {
            self.directory.look(&id, |known| {
                let group = &known.group;
                let flags = [
                    ("deleted", group.is_deleted),
                    ("private", group.is_private),
                    ("restricted", group.is_restricted),
                    ("hidden", group.is_hidden),
                    ("closed", group.is_closed),
                    ("livekit", group.has_livekit),
                ];
                let flags = flags.iter().filter(|(_, is_set)| *is_set);
                let flags: Vec<&str> = flags.map(|(name, _)| *name).collect();
                let name = known.display.name.as_deref().unwrap_or_default();
                let name = name.replace(char::is_control, " ");
                format!("{id}\t{}\t{}\t{name}", group.members, flags.join(","))
            })
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    async fn check(&self) -> Result<String, String> {
        let (rebuilt, refused) = self.rebuild().await.map_err(|error| failed(&error))?;
        let stored = self.stored_rows().await.map_err(|error| failed(&error))?;
        let differing = differences(&rebuilt, &stored);
        let refused = format!("{refused} stored events change nothing");
        match differing.len() {
            0 if counts_differ(&rebuilt, &stored) => Err(format!(
                "groups and their users are not counted right, which `groups rebuild --apply` mends; {refused}"
            )),
            0 => Ok(format!(
                "the state of all groups is what follows from their events; {refused}"
            )),
            count => {
                let ids: Vec<String> = differing.into_iter().take(100).collect();
                Err(format!(
                    "{count} groups differ from what follows from their events; {refused}:\n{}",
                    ids.join("\n")
                ))
            }
        }
    }

    async fn rebuild_and_apply(&self) -> Result<String, String> {
        if self.host.is_serving() {
            return Err(
                "the relay is running, and events that come meanwhile change the same rows; stop it first"
                    .to_owned(),
            );
        }
        let (rebuilt, _) = self.rebuild().await.map_err(|error| failed(&error))?;
        let stored = self.stored_rows().await.map_err(|error| failed(&error))?;
        let is_miscounted = counts_differ(&rebuilt, &stored);
        let mut written = 0;
        for key in rebuilt.keys().chain(stored.keys()) {
            let row = rebuilt.get(key);
            if row != stored.get(key) {
                let write = self.host.kv_put(key, row.cloned());
                write.await.map_err(|error| failed(&error))?;
                // The log of events that are gone is shortened without a word.
                let is_told = |letter: &u8| {
                    STATE.contains(letter) || (is_miscounted && [COUNTS, FOUNDED].contains(letter))
                };
                written += usize::from(key.first().is_some_and(is_told));
            }
        }
        let load = self.directory.load(&self.host);
        load.await.map_err(|error| failed(&error))?;
        Ok(format!("{written} rows were put right"))
    }
}

fn failed(error: &dyn std::error::Error) -> String {
    format!("the groups could not be read: {error}")
}
