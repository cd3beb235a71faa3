//! `mls import`: groups and letters from JSON lines, as another server has exported them.
//!
//! A line is taken or named with its number and what is wrong with it; the others are taken all the same. What is there
//! already stays: an import that is run again, or after the relay has gone on, changes nothing back. Bounded in memory by
//! one line and by what is to be told.

mod input;

use super::in_full;
use super::lines::{GroupLine, read_letter};
use super::words::Words;
use crate::MlsGateway;
use crate::roster::Roster;
use crate::storage::{Group, PutRoster, StorageError};
use crate::watch;
use input::Input;
use std::fmt::Write as _;

/// What became of a line.
enum Taken {
    /// It is stored now, or would be.
    New,
    /// All of it was there.
    Known,
    /// It was not taken, for this reason, which is no mistake of the line's.
    Left(String),
    /// It cannot be taken.
    Wrong(String),
}

#[derive(Default)]
struct Totals {
    lines: u64,
    new: u64,
    known: u64,
    left: u64,
    wrong: u64,
}

/// Does it; the report is an error where any line was wrong.
pub(super) async fn run(me: &MlsGateway, mut words: Words) -> Result<String, String> {
    let groups = words.value("--groups")?;
    let mailboxes = words.value("--mailboxes")?;
    let is_dry = words.switch("--dry-run");
    words.end()?;
    if groups.is_none() && mailboxes.is_none() {
        return Err("mls import wants --groups FILE, --mailboxes FILE, or both".to_owned());
    }
    // Both are opened before anything is written.
    let groups = groups.map(|path| Input::open(&path)).transpose()?;
    let mailboxes = mailboxes.map(|path| Input::open(&path)).transpose()?;
    let import = Import { me, is_dry };
    let mut report = String::new();
    let mut wrong = 0;
    for (what, input) in [(What::Groups, groups), (What::Mailboxes, mailboxes)] {
        if let Some(input) = input {
            wrong += import.read(what, input, &mut report).await?;
        }
    }
    if is_dry {
        report.push_str("nothing was written: --dry-run\n");
    }
    match wrong {
        0 => Ok(report),
        _ => Err(report),
    }
}

#[derive(Clone, Copy)]
enum What {
    Groups,
    Mailboxes,
}

struct Import<'m> {
    me: &'m MlsGateway,
    is_dry: bool,
}

impl Import<'_> {
    /// Takes one file; says how many lines were wrong.
    async fn read(&self, what: What, mut input: Input, report: &mut String) -> Result<u64, String> {
        let mut totals = Totals::default();
        while let Some((number, line)) = input.next_line()? {
            totals.lines += 1;
            let taken = match (line, what) {
                (Err(problem), _) => Ok(Taken::Wrong(problem)),
                (Ok(line), What::Groups) => self.group(line).await,
                (Ok(line), What::Mailboxes) => self.letter(line).await,
            };
            // What the database does not take, or has and cannot read, is this line's affair. If it is away, what follows
            // would fail as well.
            let taken = match taken {
                Err(error @ (StorageError::Refused { .. } | StorageError::Corrupt(_))) => {
                    Ok(Taken::Wrong(in_full(&error)))
                }
                taken => taken,
            };
            let taken = taken.map_err(|error| {
                let at = format!("{}:{number}", input.path());
                format!(
                    "{report}{at}: stopped: {}\nrun it again: what is there stays",
                    in_full(&error)
                )
            })?;
            let told = match taken {
                Taken::New => totals.count_new(),
                Taken::Known => totals.count_known(),
                Taken::Left(why) => totals.count_left(why),
                Taken::Wrong(problem) => totals.count_wrong(problem),
            };
            if let Some(told) = told {
                // Writing to a String cannot fail.
                let _ = writeln!(report, "{}:{number}: {told}", input.path());
            }
        }
        let Totals {
            lines,
            new,
            known,
            left,
            wrong,
        } = totals;
        let _ = writeln!(
            report,
            "{}: {lines} lines: {new} new, {known} there before, {left} left out, {wrong} wrong",
            input.path()
        );
        Ok(wrong)
    }

    async fn group(&self, line: &[u8]) -> Result<Taken, StorageError> {
        let (group, roster) = match GroupLine::read(line) {
            Ok(read) => read,
            Err(problem) => return Ok(Taken::Wrong(problem)),
        };
        let known = self.me.storage.group(&group.group_id).await?;
        let merged = merge(&group, known.as_ref());
        let is_new = known.as_ref() != Some(&merged);
        if is_new && !self.is_dry {
            self.me.storage.import_group(&merged).await?;
            watch::groups_updated(1);
        }
        let roster = match roster {
            Some(roster) => self.roster(&merged, &roster).await?,
            None => Taken::Known,
        };
        Ok(match roster {
            Taken::Known if is_new => Taken::New,
            other => other,
        })
    }

    /// Gives a group its roster, if it has none.
    async fn roster(&self, group: &Group, roster: &Roster) -> Result<Taken, StorageError> {
        let storage = &self.me.storage;
        let known = storage
            .rosters(std::slice::from_ref(&group.group_id))
            .await?;
        let why = "the group has another roster, which stays; its members are for roster events (450) to change";
        match known.first() {
            Some((_, known)) if known.roster == *roster => return Ok(Taken::Known),
            Some(_) => return Ok(Taken::Left(why.to_owned())),
            None if roster.members.len() > self.me.settings.max_group_members => {
                return Ok(Taken::Left("it has more than max_group_members".to_owned()));
            }
            None if self.is_dry => return Ok(Taken::New),
            None => {}
        }
        let now_s = self.me.host.clock().now_s();
        let put = storage.put_roster(&group.group_id, roster, None, now_s);
        match put.await? {
            PutRoster::Written(_) => {
                watch::membership_updated();
                // It is the group's last word, and not of today.
                storage.import_group(group).await?;
                Ok(Taken::New)
            }
            PutRoster::Conflict => Ok(Taken::Left(why.to_owned())),
        }
    }

    async fn letter(&self, line: &[u8]) -> Result<Taken, StorageError> {
        let (letter_box, letter) = match read_letter(line) {
            Ok(read) => read,
            Err(problem) => return Ok(Taken::Wrong(problem)),
        };
        if letter.expires_at_s <= self.me.host.clock().now_s() {
            return Ok(Taken::Left("it has expired".to_owned()));
        }
        let storage = &self.me.storage;
        let is_there = match self.is_dry {
            true => storage.letter(letter_box, &letter.id).await?.is_some(),
            false => !storage.deposit(letter_box, &letter).await?,
        };
        if !is_there && !self.is_dry {
            watch::deposited(letter_box);
        }
        Ok(if is_there { Taken::Known } else { Taken::New })
    }
}

impl Totals {
    fn count_new(&mut self) -> Option<String> {
        self.new += 1;
        None
    }

    fn count_known(&mut self) -> Option<String> {
        self.known += 1;
        None
    }

    fn count_left(&mut self, why: String) -> Option<String> {
        self.left += 1;
        Some(format!("left out: {why}"))
    }

    fn count_wrong(&mut self, problem: String) -> Option<String> {
        self.wrong += 1;
        Some(problem)
    }
}

/// The group of a line over what is known of it: what the relay has seen since stays.
fn merge(line: &Group, known: Option<&Group>) -> Group {
    let Some(known) = known else {
        return line.clone();
    };
    let (newer, older) = match known.updated_at_s >= line.updated_at_s {
        true => (known, line),
        false => (line, known),
    };
    let or = |newer: &Option<String>, older: &Option<String>| newer.clone().or(older.clone());
    Group {
        group_id: known.group_id.clone(),
        display_name: or(&newer.display_name, &older.display_name),
        avatar_url: or(&newer.avatar_url, &older.avatar_url),
        owner: known.owner.or(line.owner),
        member_count: known.member_count,
        last_epoch: known.last_epoch.max(line.last_epoch),
        last_event_s: known.last_event_s.max(line.last_event_s),
        relays: match newer.relays.is_empty() {
            true => older.relays.clone(),
            false => newer.relays.clone(),
        },
        created_at_s: known.created_at_s.min(line.created_at_s),
        updated_at_s: newer.updated_at_s,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m32_an_old_line_takes_nothing_back() {
        let line = Group {
            group_id: "g".to_owned(),
            display_name: Some("old".to_owned()),
            avatar_url: Some("https://a".to_owned()),
            last_epoch: Some(3),
            created_at_s: 10,
            updated_at_s: 20,
            ..Group::default()
        };
        assert_eq!(merge(&line, None), line);
        let known = Group {
            group_id: "g".to_owned(),
            display_name: Some("new".to_owned()),
            last_epoch: Some(5),
            member_count: 2,
            created_at_s: 15,
            updated_at_s: 30,
            ..Group::default()
        };
        let merged = merge(&line, Some(&known));
        let wanted = Group {
            avatar_url: Some("https://a".to_owned()),
            created_at_s: 10,
            ..known.clone()
        };
        assert_eq!(merged, wanted);
        assert_eq!(merge(&line, Some(&merged)), merged, "once more");
        let newer = Group {
            updated_at_s: 40,
            ..line
        };
        let merged = merge(&newer, Some(&known));
        assert_eq!(merged.display_name.as_deref(), Some("old"));
        assert_eq!((merged.last_epoch, merged.member_count), (Some(5), 2));
    }
}
