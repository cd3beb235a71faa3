//! Finds files and blobs that no list names any more, and deletes them, a little at each look.
//!
//! Invariant: nothing is deleted unless every list that is there has been read: those that may be written over yet, the
//! newest of the lineage that is written, in the very look that deletes. A list that is not found is not one that names
//! nothing: then nothing is deleted by this search. What a list of files names is remembered for as
//! long as the list is there, so that each is read once. Whoever brings files and blobs to their place calls this, between
//! that and nothing else: what is in its place and in no list yet would be taken for something that nothing names.

use super::listed::named_by;
use super::target::Target;
use super::{BackupError, names};
use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Lists that are read at a look.
pub(super) const LISTS_AT_ONCE: usize = 64;
/// Objects that are deleted at a look.
pub(super) const DELETED_AT_ONCE: usize = 1_000;

/// What is known of lists and of what they name.
#[derive(Debug, Default)]
pub(super) struct Unnamed {
    /// What lists of files name that nobody writes any more, by the names of these.
    remembered: HashMap<String, Vec<Arc<str>>>,
    /// All that is in there, each once.
    names: HashSet<Arc<str>>,
    /// A search that is under way.
    search: Option<Search>,
}

#[derive(Debug, Default)]
struct Search {
    /// Lists that are to be read.
    unread: Vec<String>,
    /// Lists of blobs that were read. They are few, and each names everything: so they are not remembered for longer.
    read: HashSet<String>,
    /// What these name.
    named: HashSet<Arc<str>>,
}

impl Unnamed {
    /// Has a search made, unless one is under way.
    pub(super) fn want(&mut self) {
        self.search.get_or_insert_default();
    }

    /// Goes on with a search that is wanted: reads some lists, or deletes some objects where all lists were read, if the
    /// place `is_ours` still: another relay may have brought some since that are in no list yet. `own` is the lineage that
    /// is written. Says how many went. After an error the search is over, and what was read is remembered.
    pub(super) fn look(
        &mut self,
        target: &Target,
        own: &str,
        is_ours: &dyn Fn() -> Result<bool, BackupError>,
    ) -> Result<u64, BackupError> {
        let Some(mut search) = self.search.take() else {
            return Ok(0);
        };
        let mut unsettled = None;
        if search.unread.is_empty() {
            let lists = Lists::of(target, own)?;
            self.forget_all_but(&lists);
            let is_unread =
                |name: &String| !self.remembered.contains_key(name) && !search.read.contains(name);
            search.unread = lists.settled.into_iter().filter(is_unread).collect();
            // Otherwise more of them may be written before all are read.
            unsettled = (search.unread.len() <= LISTS_AT_ONCE).then_some(lists.unsettled);
        }
        let left = search.unread.len().saturating_sub(LISTS_AT_ONCE);
        let some = search.unread.split_off(left);
        if !self.read(target, &some, &mut search)? {
            return Ok(0);
        }
        let Some(unsettled) = unsettled else {
            self.search = Some(search);
            return Ok(0);
        };
        let mut named_now = HashSet::new();
        for list in &unsettled {
            let Some(named) = named_in(list, target.get(list)?)? else {
                return Ok(0);
            };
            named_now.extend(named);
        }
        let is_named = |name: &str| {
            self.names.contains(name) || search.named.contains(name) || named_now.contains(name)
        };
        let mut unnamed = Vec::new();
        for folder in [names::FILES, names::BLOBS] {
            let objects = target.list(folder, None)?.into_iter();
            unnamed.extend(objects.map(|it| it.name).filter(|name| !is_named(name)));
        }
        if unnamed.is_empty() || !is_ours()? {
            return Ok(0);
        }
        if unnamed.len() > DELETED_AT_ONCE {
            unnamed.truncate(DELETED_AT_ONCE);
            // The rest at the next look, which sees first whether it is still named by nothing.
            self.search = Some(search);
        }
        let deleted = unnamed.len() as u64;
        target.delete(unnamed)?;
        Ok(deleted)
    }

    /// Whether all were there.
    fn read(
        &mut self,
        target: &Target,
        lists: &[String],
        search: &mut Search,
    ) -> Result<bool, BackupError> {
        let (of_blobs, of_files): (Vec<_>, Vec<_>) = lists
            .iter()
            .cloned()
            .partition(|list| names::is_of_blobs(list));
        let read = target.get_all(&of_files)?;
        for (list, json) in of_files.into_iter().zip(read) {
            let Some(named) = named_in(&list, json)? else {
                return Ok(false);
            };
            let named = named.into_iter().map(|name| match self.names.get(&name) {
                Some(known) => known.clone(),
                None => {
                    self.names.insert(name.clone());
                    name
                }
            });
            self.remembered.insert(list, named.collect());
        }
        // One at a time, and each name once: these may be long, and most name the same.
        for list in of_blobs {
            let Some(named) = named_in(&list, target.get(&list)?)? else {
                return Ok(false);
            };
            search.named.extend(named);
            search.read.insert(list);
        }
        Ok(true)
    }

    fn forget_all_but(&mut self, lists: &Lists) {
        let there: HashSet<&String> = lists.settled.iter().collect();
        self.remembered.retain(|list, _| there.contains(list));
        self.names.retain(|name| Arc::strong_count(name) > 1);
    }
}

/// Lists of files and blobs that are there, of all lineages.
struct Lists {
    /// Nobody writes these over.
    settled: Vec<String>,
    /// The newest of the lineage that is written: the next ones have the same names where nothing was committed since.
    unsettled: Vec<String>,
}

impl Lists {
    fn of(target: &Target, own: &str) -> Result<Self, BackupError> {
        let (mut settled, mut unsettled) = (Vec::new(), Vec::new());
        for lineage in target.folders("")? {
            for folder in [names::file_lists(&lineage), names::blob_lists(&lineage)] {
                let lists = target.list(&folder, None)?.into_iter();
                let lists: Vec<String> = lists.map(|it| it.name).collect();
                // In the order of their numbers, as names are.
                let newest = lists.last().map(|it| number(it).to_owned());
                let may_change =
                    |list: &String| lineage == own && newest.as_deref() == Some(number(list));
                let (changing, others): (Vec<_>, Vec<_>) = lists.into_iter().partition(may_change);
                settled.extend(others);
                unsettled.extend(changing);
            }
        }
        Ok(Lists { settled, unsettled })
    }
}

/// What the number of a list looks like in its name.
fn number(list: &str) -> &str {
    let last = list.rsplit('/').next().unwrap_or(list);
    last.split('.').next().unwrap_or(last)
}

/// What a list names; nothing at all is told of one that is not found.
fn named_in(list: &str, json: Option<Bytes>) -> Result<Option<Vec<Arc<str>>>, BackupError> {
    let Some(json) = json else {
        tracing::warn!(
            list,
            "a list of what a backup holds is not found: what no list names stays until the next search"
        );
        return Ok(None);
    };
    let named = named_by(list, &json)?.into_iter();
    Ok(Some(named.map(|it| it.name.into()).collect()))
}

#[cfg(test)]
mod tests;
