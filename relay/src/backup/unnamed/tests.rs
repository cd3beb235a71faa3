//! More lists than are read at a look, lists that change meanwhile, and one that cannot be read.
#![allow(clippy::unwrap_used)]

use super::super::manifest::{BlobList, FORMAT, FileList, ListedFile, to_json};
use super::*;
use tempfile::TempDir;

const OWN: &str = "own";

struct Ground {
    _home: TempDir,
    target: Target,
    unnamed: Unnamed,
}

impl Ground {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let url = format!("file://{}", home.path().display());
        Ground {
            target: Target::open(&url).unwrap(),
            _home: home,
            unnamed: Unnamed::default(),
        }
    }

    fn file(&self, name: &str) {
        self.target.put(&names::file(name), "bytes").unwrap();
    }

    fn list(&self, lineage: &str, sequence: u64, files: &[&str]) {
        let listed = |name: &&str| ListedFile {
            restore_to: (*name).to_owned(),
            sha256: (*name).to_owned(),
            raw_bytes: 5,
        };
        let list = FileList {
            format: FORMAT,
            extension: "diary".to_owned(),
            sequence,
            at_ms: 1,
            cursors: Default::default(),
            files: files.iter().map(listed).collect(),
        };
        let name = names::file_list(lineage, sequence, "diary");
        self.target.put(&name, to_json(&list)).unwrap();
    }

    fn look(&mut self) -> Result<u64, BackupError> {
        self.unnamed.look(&self.target, OWN, &|| Ok(true))
    }

    /// Looks until the search is over.
    fn search(&mut self) -> Result<u64, BackupError> {
        self.unnamed.want();
        let mut deleted = 0;
        while self.unnamed.search.is_some() {
            deleted += self.look()?;
        }
        Ok(deleted)
    }

    fn has(&self, name: &str) -> bool {
        self.target.size(&names::file(name)).unwrap().is_some()
    }

    /// Makes a list one that cannot be read.
    fn damage(&self, lineage: &str, sequence: u64) {
        let name = names::file_list(lineage, sequence, "diary");
        self.target.put(&name, "no list").unwrap();
    }
}

#[test]
fn d4_a_look_reads_some_lists_and_deletes_nothing_before_it_knows_all() {
    let mut ground = Ground::new();
    let many = 2 * LISTS_AT_ONCE as u64 + 3;
    for sequence in 0..many {
        let name = format!("f{sequence}");
        ground.file(&name);
        ground.list("old", sequence, &[&name]);
    }
    ground.file("unnamed");
    ground.list(OWN, 7, &["f0"]);
    ground.unnamed.want();
    for looks in 1..=2 {
        assert_eq!(ground.look().unwrap(), 0);
        assert_eq!(ground.unnamed.remembered.len(), looks * LISTS_AT_ONCE);
        assert!(ground.has("unnamed"));
    }
    // What was brought and listed meanwhile is named as well.
    ground.file("meanwhile");
    ground.list(OWN, 8, &["meanwhile"]);
    let mut deleted = 0;
    while ground.unnamed.search.is_some() {
        deleted += ground.look().unwrap();
    }
    assert_eq!(deleted, 1);
    assert!(!ground.has("unnamed") && ground.has("meanwhile"));
    assert!((0..many).all(|sequence| ground.has(&format!("f{sequence}"))));
}

#[test]
fn d4_a_list_that_is_not_found_ends_the_search_and_nothing_goes() {
    let mut ground = Ground::new();
    for sequence in 0..2 * LISTS_AT_ONCE as u64 {
        let name = format!("f{sequence}");
        ground.file(&name);
        ground.list("old", sequence, &[&name]);
    }
    ground.file("unnamed");
    ground.unnamed.want();
    assert_eq!(ground.look().unwrap(), 0);
    let unread = names::file_list("old", 0, "diary");
    ground.target.delete(vec![unread]).unwrap();
    while ground.unnamed.search.is_some() {
        assert_eq!(ground.look().unwrap(), 0);
    }
    assert!(ground.has("unnamed") && ground.has("f0"));
    assert_eq!(
        ground.search().unwrap(),
        2,
        "by then nobody says it is there"
    );
}

#[test]
fn d4_a_list_is_read_once_and_forgotten_when_it_is_gone() {
    let mut ground = Ground::new();
    for name in ["one", "two", "three"] {
        ground.file(name);
    }
    ground.list("old", 1, &["one", "two"]);
    ground.list("old", 2, &["two"]);
    ground.list(OWN, 5, &["three"]);
    assert_eq!(ground.search().unwrap(), 0);
    // Nobody sees that it cannot be read any more.
    ground.damage("old", 1);
    assert_eq!(ground.search().unwrap(), 0);
    let first = names::file_list("old", 1, "diary");
    ground.target.delete(vec![first]).unwrap();
    assert_eq!(ground.search().unwrap(), 1);
    assert!(!ground.has("one") && ground.has("two") && ground.has("three"));
    assert_eq!(ground.unnamed.names.len(), 1);
}

#[test]
fn d4_a_list_that_was_written_over_counts_as_it_is_now() {
    let mut ground = Ground::new();
    ground.file("before");
    ground.list(OWN, 5, &["before"]);
    assert_eq!(ground.search().unwrap(), 0);
    // Nothing was committed since, so that the next list has the same name.
    ground.file("after");
    ground.list(OWN, 5, &["after"]);
    assert_eq!(ground.search().unwrap(), 1);
    assert!(ground.has("after"));
    // It is not the newest any more, and was written over before that.
    ground.file("later");
    ground.list(OWN, 5, &["later"]);
    ground.list(OWN, 6, &[]);
    assert_eq!(ground.search().unwrap(), 1);
    assert!(ground.has("later") && !ground.has("after"));
}

#[test]
fn d4_nothing_is_deleted_where_a_list_cannot_be_read_or_the_place_is_anothers() {
    let mut ground = Ground::new();
    ground.file("named");
    ground.file("unnamed");
    ground.list("old", 1, &["named"]);
    ground.damage("old", 1);
    assert!(ground.search().is_err());
    assert!(ground.has("named") && ground.has("unnamed"));
    ground.list("old", 1, &["named"]);
    ground.unnamed.want();
    let looked = ground.unnamed.look(&ground.target, OWN, &|| Ok(false));
    assert_eq!(looked.unwrap(), 0);
    assert!(ground.has("unnamed"));
    assert_eq!(ground.search().unwrap(), 1);
    assert!(ground.has("named"));
}

#[test]
fn d4_more_than_is_deleted_at_a_look_goes_at_the_next() {
    let mut ground = Ground::new();
    for number in 0..=DELETED_AT_ONCE {
        ground.file(&number.to_string());
    }
    ground.unnamed.want();
    assert_eq!(ground.look().unwrap(), DELETED_AT_ONCE as u64);
    assert_eq!(ground.look().unwrap(), 1);
    assert!(ground.unnamed.search.is_none());
}

#[test]
fn d4_blobs_of_every_list_are_named() {
    let mut ground = Ground::new();
    for (sequence, name) in [(1, "one"), (2, "two")] {
        ground.target.put(&names::blob(name), "bytes").unwrap();
        let file = ListedFile {
            restore_to: name.to_owned(),
            sha256: name.to_owned(),
            raw_bytes: 5,
        };
        let list = BlobList {
            format: FORMAT,
            at_ms: 1,
            sequence,
            blobs: vec![("pictures".to_owned(), file)],
        };
        let list_name = names::blob_list(OWN, sequence);
        ground.target.put(&list_name, to_json(&list)).unwrap();
    }
    ground.target.put(&names::blob("none"), "bytes").unwrap();
    assert_eq!(ground.search().unwrap(), 1);
    let left = ground.target.list(names::BLOBS, None).unwrap();
    assert_eq!(left.len(), 2);
}
