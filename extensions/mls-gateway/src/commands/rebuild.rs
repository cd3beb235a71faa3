//! `mls rebuild`: the roster of each group as its stored roster events (450) make it, beside the one in the database.
//!
//! The same rules decide as when an event comes, with the admins that are configured now. Invariant: nothing is written
//! without `--apply`, and with it only what is certain: every number from the founding on is there, and the last is later than
//! the roster of the database. To that roster the later events are applied, so that members who came by gift wraps stay and
//! nobody comes back whom an event took out that is gone. Of a group whose first events are gone (they are
//! kept for `roster_policy_ttl_days`), or that was founded otherwise than by an event, nothing can be computed.

mod difference;

use super::in_full;
use super::words::Words;
use crate::MlsGateway;
use crate::roster::{self, Authority, Roster, RosterChange, RosterRefusal};
use crate::roster_events;
use crate::rules;
use crate::storage::{PutRoster, VersionedRoster};
use crate::watch;
use difference::difference;
use std::fmt::Write as _;
use trellis_relay::event::PublicKey;

/// Shows the differences, of the groups that are named or of all, and with `--apply` writes what was computed.
pub(super) async fn run(me: &MlsGateway, mut words: Words) -> Result<String, String> {
    let is_to_apply = words.switch("--apply");
    let named = words.rest()?;
    let group_ids = match named.is_empty() {
        true => roster_events::group_ids(&me.host).await,
        false => Ok(named),
    };
    let group_ids = group_ids.map_err(|error| in_full(&error))?;
    let mut report = String::new();
    let (mut same, mut written) = (0, 0);
    for group_id in &group_ids {
        match rebuild(me, group_id, is_to_apply, &mut report).await? {
            Rebuilt::Same => same += 1,
            Rebuilt::Written => written += 1,
            Rebuilt::Left => {}
        }
    }
    let groups = group_ids.len();
    // Writing to a String cannot fail.
    let _ = writeln!(
        report,
        "{groups} groups with roster events: {same} as they should be, {written} written"
    );
    Ok(report)
}

enum Rebuilt {
    Same,
    Written,
    Left,
}

async fn rebuild(
    me: &MlsGateway,
    group_id: &str,
    is_to_apply: bool,
    report: &mut String,
) -> Result<Rebuilt, String> {
    let computed = compute(me, group_id).await?;
    let known = me.storage.rosters(&[group_id.to_owned()]).await;
    let known = known.map_err(|error| in_full(&error))?.pop();
    let known: Option<VersionedRoster> = known.map(|(_, versioned)| versioned);
    let mut tell = |words: &str| {
        let _ = writeln!(
            report,
            "{}: {words}",
            group_id.replace(char::is_control, "?")
        );
    };
    for refused in &computed.refused {
        tell(refused);
    }
    let Some(roster) = &computed.roster else {
        tell("cannot be computed: no event founds it; left as it is");
        return Ok(Rebuilt::Left);
    };
    let before = known.as_ref().map(|known| &known.roster);
    let differences = difference(before, roster);
    if differences.is_empty() {
        return Ok(Rebuilt::Same);
    }
    for line in differences {
        tell(&line);
    }
    if before.is_some_and(|before| before.seq > roster.seq) {
        tell("the database has a later roster than the stored events; left as it is");
        return Ok(Rebuilt::Left);
    }
    if before.is_some_and(|before| before.seq == roster.seq) {
        tell("the database has all of the stored events, and changes by other ways; left as it is");
        return Ok(Rebuilt::Left);
    }
    if let Some((last, next)) = computed.gap {
        tell(&format!(
            "events are missing between seq {last} and {next}; left as it is"
        ));
        return Ok(Rebuilt::Left);
    }
    let roster = match before {
        Some(before) => computed.onto(me, before),
        None => Ok(roster.clone()),
    };
    let roster = match roster {
        Ok(roster) => roster,
        Err(refusal) => {
            tell(&format!(
                "the later events do not fit the database's roster: {refusal}; left as it is"
            ));
            return Ok(Rebuilt::Left);
        }
    };
    if roster.members.len() > me.settings.max_group_members {
        tell("it has more than max_group_members; left as it is");
        return Ok(Rebuilt::Left);
    }
    if !is_to_apply {
        return Ok(Rebuilt::Left);
    }
    let revision = known.map(|known| known.revision);
    let now_s = me.host.clock().now_s();
    let put = me.storage.put_roster(group_id, &roster, revision, now_s);
    match put.await.map_err(|error| in_full(&error))? {
        PutRoster::Written(_) => {
            watch::membership_updated();
            tell("written");
            Ok(Rebuilt::Written)
        }
        PutRoster::Conflict => {
            tell("it was changed meanwhile; left as it is, run it again");
            Ok(Rebuilt::Left)
        }
    }
}

struct Computed {
    roster: Option<Roster>,
    /// Events that change nothing, and why.
    refused: Vec<String>,
    /// Those that change something, in their order.
    applied: Vec<(RosterChange, PublicKey)>,
    /// The first two numbers that do not follow each other.
    gap: Option<(u64, u64)>,
}

impl Computed {
    /// What the events that are later than this roster make of it.
    fn onto(&self, me: &MlsGateway, before: &Roster) -> Result<Roster, RosterRefusal> {
        let later = self.applied.iter().filter(|it| it.0.seq > before.seq);
        let mut roster = before.clone();
        for (change, by) in later {
            roster = roster::apply(Some(&roster), change, by, authority(me))?;
        }
        Ok(roster)
    }
}

fn authority(me: &MlsGateway) -> Authority<'_> {
    Authority {
        admins: &me.settings.admin_pubkeys,
        is_bootstrap_open: me.settings.allow_open_bootstrap,
    }
}

/// What the stored events of a group come to.
async fn compute(me: &MlsGateway, group_id: &str) -> Result<Computed, String> {
    let stored = roster_events::of_group(&me.host, group_id).await;
    let mut changes = Vec::new();
    let mut refused = Vec::new();
    for event in stored.map_err(|error| in_full(&error))? {
        match rules::roster_event::read(&event) {
            Ok(read) if read.group_id == group_id => changes.push((read.change, event)),
            Ok(_) => {}
            Err(reason) => refused.push(format!("event {}: {reason}", event.id().to_hex())),
        }
    }
    changes.sort_by_key(|(change, event)| (change.seq, event.created_at(), *event.id()));
    let mut applied: Vec<(RosterChange, PublicKey)> = Vec::new();
    let mut roster: Option<Roster> = None;
    for (change, event) in changes {
        match roster::apply(roster.as_ref(), &change, event.pubkey(), authority(me)) {
            Ok(changed) => {
                roster = Some(changed);
                applied.push((change, *event.pubkey()));
            }
            Err(RosterRefusal::Applied) => {}
            Err(refusal) => refused.push(format!(
                "event {} (seq {}) changes nothing: {refusal}",
                event.id().to_hex(),
                change.seq
            )),
        }
    }
    let seqs: Vec<u64> = applied.iter().map(|(change, _)| change.seq).collect();
    let mut pairs = seqs.windows(2).map(|pair| (pair[0], pair[1]));
    Ok(Computed {
        roster,
        refused,
        gap: pairs.find(|(last, next)| last + 1 != *next),
        applied,
    })
}
