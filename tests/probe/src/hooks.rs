//! The hooks of the probe. Each is registered only where the configuration names it.

use crate::action::Action;
use crate::{Probe, nonsense};
use serde_json::json;
use std::time::Duration;
use trellis_relay::event::PublicKey;
use trellis_relay::extension::prelude::*;

/// What async hooks get unless `timeout_ms` says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

impl Probe {
    fn has(&self, hook: &str) -> bool {
        self.hooks.contains(hook)
    }

    /// What is asked about single events.
    pub(crate) fn register_events(&self, hooks: &mut Registrar<Self>) {
        let kinds = &self.kinds;
        if self.has("admit") {
            hooks.admit(kinds, |me, event, _viewer| {
                Ok(admit(me.sync("admit", Action::of_event(event, "admit"))?))
            });
        }
        if self.has("admit_async") {
            hooks.admit_async(kinds, PATIENCE, async |me, request| {
                let asked = Action::of_event(&request.event, "admit_async");
                Ok(admit(me.run("admit_async", asked).await?))
            });
        }
        if self.has("commit") {
            hooks.commit(kinds, |me, event, tx| {
                // Written first, so that whatever follows has something to take back.
                tx.put(&row_key(event.id()), event.content().as_bytes())?;
                for removed in tx.removes().to_vec() {
                    tx.delete(&row_key(removed.id()))?;
                }
                Ok(
                    match me.sync("commit", Action::of_event(event, "commit"))? {
                        Action::No => Reason::blocked("vetoed by the probe").into(),
                        Action::Nonsense => nonsense::reason().into(),
                        Action::Flood => {
                            nonsense::rows(tx);
                            Commit::Accept
                        }
                        _ => Commit::Accept,
                    },
                )
            });
        }
        if self.has("guard_removal") {
            hooks.guard_removal(kinds, |me, event, _cause| {
                let asked = Action::of_event(event, "guard_removal");
                Ok(match me.sync("guard_removal", asked)? {
                    Action::No => Removal::Keep,
                    Action::Nonsense if me.is_odd("guard_removal") => Removal::Keep,
                    _ => Removal::Allow,
                })
            });
        }
        if self.has("stored") {
            hooks.stored(kinds, StartAt::Beginning, async |me, page| {
                for change in page.iter() {
                    me.note_change(change).await?;
                }
                Ok(())
            });
        }
        if self.has("deliver") {
            hooks.deliver(kinds, |me, event, viewer| {
                Ok(
                    match me.sync("deliver", Action::of_event(event, "deliver"))? {
                        Action::No => viewer.is(event.pubkey()),
                        Action::Loaded => me.has_loaded(viewer),
                        Action::Nonsense => me.is_odd("deliver"),
                        _ => true,
                    },
                )
            });
        }
        if self.has("deliver_many") {
            hooks.deliver_many(kinds, |me, event, audience| {
                let asked = Action::of_event(event, "deliver_many");
                match me.sync("deliver_many", asked)? {
                    Action::No => audience.retain(|viewer| viewer.is(event.pubkey())),
                    Action::Nonsense if me.is_odd("deliver_many") => audience.hide_from_all(),
                    _ => {}
                }
                Ok(())
            });
        }
    }

    async fn note_change(&self, change: &Change) -> Result<(), HookError> {
        let (note, asked) = match change {
            Change::Stored(stored) => (
                format!("stored {}", stored.event.id()),
                Action::of_event(&stored.event, "stored"),
            ),
            Change::Removed { id, .. } => (format!("removed {id}"), None),
            Change::Gap { .. } => ("gap".to_owned(), None),
        };
        self.run("stored", asked).await?;
        if let Change::Stored(stored) = change {
            // Durable before the cursor moves.
            let key = [b"s".as_slice(), stored.event.id().as_bytes()].concat();
            self.host.kv_put(&key, Some(Vec::new())).await?;
        }
        self.seen().changes.push(note);
        Ok(())
    }

    /// Whether this is the first, third, fifth ... call of a hook.
    fn is_odd(&self, hook: &str) -> bool {
        self.seen()
            .calls
            .get(hook)
            .is_some_and(|calls| calls % 2 == 1)
    }

    fn has_loaded(&self, viewer: &Viewer) -> bool {
        let seen = self.seen();
        viewer.pubkeys().iter().any(|key| seen.loaded.contains(key))
    }

    /// What is asked about filters and connections.
    pub(crate) fn register_requests(&self, hooks: &mut Registrar<Self>) {
        let kinds = &self.kinds;
        if self.has("request") {
            hooks.request(kinds, |me, viewer, _verb, filter| {
                let asked = Action::of_filter(filter.filter(), "request");
                match me.sync("request", asked)? {
                    Action::No => return Ok(Reason::restricted("closed by the probe").into()),
                    Action::Narrow if !viewer.is_authenticated() => {
                        filter.retain_tag(b't', ["open"]);
                    }
                    Action::Nonsense => nonsense::narrowing(filter),
                    Action::Flood => nonsense::many_authors(filter),
                    _ => {}
                }
                Ok(Access::Allow)
            });
        }
        if self.has("request_async") {
            hooks.request_async(kinds, PATIENCE, async |me, request| {
                let asked = Action::of_filter(&request.filter, "request_async");
                let action = me.run("request_async", asked).await?;
                let keys: Vec<PublicKey> = request.viewer.pubkeys().to_vec();
                me.seen().loaded.extend(keys);
                Ok(match action {
                    Action::No => Reason::restricted("closed by the probe").into(),
                    Action::Nonsense => nonsense::reason().into(),
                    _ => Access::Allow,
                })
            });
        }
        if self.has("session") {
            hooks.session(|me, note, viewer| {
                let word = match note {
                    SessionNote::Connected => "connected",
                    SessionNote::Authenticated => "authenticated",
                    SessionNote::Closed => "closed",
                };
                me.seen().notes.push(format!("{word} {}", viewer.session()));
                me.sync("session", None).map(drop)
            });
        }
    }

    /// What operators and their tools see.
    pub(crate) fn register_surface(&self, hooks: &mut Registrar<Self>) {
        if self.has("nip11") {
            hooks.nip11(|me, document| {
                document.insert("probe".to_owned(), json!(true));
                match me.sync("nip11", None)? {
                    Action::Nonsense => nonsense::information(document),
                    Action::Flood => drop(document.insert("x".to_owned(), nonsense::text().into())),
                    _ => {}
                }
                Ok(())
            });
        }
        if self.has("rpc") {
            hooks.rpc("probe", async |me, params| {
                let word = params
                    .first()
                    .and_then(|word| word.as_str())
                    .unwrap_or("pass");
                match me.run("rpc", Action::parse(word)).await {
                    Ok(Action::No) => Err("refused as asked".to_owned()),
                    Ok(Action::Nonsense) => Ok(nonsense::deep()),
                    Ok(Action::Flood) => Ok("x".repeat(9 << 20).into()),
                    Ok(_) => Ok(json!({ "params": params })),
                    Err(error) => Err(error.to_string()),
                }
            });
        }
        if self.has("command") {
            hooks.command(
                "probe-say",
                "says the words that follow",
                async |me, args| {
                    me.count("command");
                    Ok(args.join(" "))
                },
            );
            hooks.command(
                "probe-put",
                "writes the words that follow into a file",
                async |me, args| {
                    let file = me.host.data_dir().join("probe.kept");
                    let written = std::fs::write(file, args.join(" "));
                    written.map_err(|error| error.to_string())?;
                    Ok("kept".to_owned())
                },
            );
            hooks.command("probe-do", "does what the word says", async |me, args| {
                let action = args.first().and_then(|word| Action::parse(word));
                match me.run("command", action).await {
                    Ok(Action::No) => Err("refused as asked".to_owned()),
                    Ok(_) => Ok("done".to_owned()),
                    Err(error) => Err(error.to_string()),
                }
            });
        }
    }
}

/// Where the row of an event is.
pub(crate) fn row_key(id: &EventId) -> Vec<u8> {
    [b"e".as_slice(), id.as_bytes()].concat()
}

fn admit(action: Action) -> Admit {
    match action {
        Action::No => Reason::blocked("refused by the probe").into(),
        Action::Shadow => Admit::Shadow,
        Action::Nonsense => nonsense::reason().into(),
        _ => Admit::Accept,
    }
}
