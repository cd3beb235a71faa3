//! Lists of files and blobs where something is missing: a history, an extension, a good copy on the disk.
#![allow(clippy::unwrap_used)]

use super::super::manifest;
use super::*;
use crate::extension::BackupFile;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

struct Ground {
    home: TempDir,
    target: Target,
}

impl Ground {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let url = format!("file://{}", home.path().join("copies").display());
        let target = Target::open(&url).unwrap();
        Ground { home, target }
    }

    fn write(&self, name: &str, bytes: &str) -> PathBuf {
        let path = self.home.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn blob(&self, bytes: &str) -> BackupBlob {
        let path = self.write(bytes, bytes);
        BackupBlob {
            sha256: Sha256::digest(bytes).into(),
            restore_to: path.file_name().unwrap().into(),
            path,
        }
    }

    /// A lineage that goes on from another one's segment, or took the place of one of the same database.
    fn begin(&self, name: &str, parent: Option<(&str, u64)>, replaces: Option<&str>) {
        let parent = match parent {
            Some((lineage, sequence)) => {
                format!(r#"{{"lineage":"{lineage}","sequence":{sequence}}}"#)
            }
            None => "null".to_owned(),
        };
        let replaces = replaces.map_or("null".to_owned(), |it| format!(r#""{it}""#));
        let note = format!(
            r#"{{"format":1,"begun_at_ms":1,"relay_version":"1","interval_ms":1,"parent":{parent},"replaces":{replaces},
                "goes_on":true}}"#
        );
        self.target.put(&names::lineage(name), note).unwrap();
    }

    /// Lists one file of an extension, or none.
    fn list_file(&self, lineage: &str, sequence: u64, extension: &str, file: Option<&str>) {
        let listed = |file: &str| ListedFile {
            restore_to: file.to_owned(),
            sha256: file.to_owned(),
            raw_bytes: 1,
        };
        let list = FileList {
            format: FORMAT,
            extension: extension.to_owned(),
            sequence,
            at_ms: 1,
            cursors: Default::default(),
            files: file.map(listed).into_iter().collect(),
        };
        let name = names::file_list(lineage, sequence, extension);
        self.target.put(&name, manifest::to_json(&list)).unwrap();
    }

    /// A lineage with a list of blobs.
    fn lineage(&self, name: &str, list: &BlobList) {
        let note =
            r#"{"format":1,"begun_at_ms":1,"relay_version":"1","interval_ms":1,"parent":null}"#;
        self.target.put(&names::lineage(name), note).unwrap();
        let list_name = names::blob_list(name, list.sequence);
        self.target
            .put(&list_name, manifest::to_json(list))
            .unwrap();
    }
}

fn list() -> BlobList {
    BlobList {
        format: FORMAT,
        at_ms: 1,
        sequence: 7,
        blobs: Vec::new(),
    }
}

fn names_in(list: &BlobList) -> Vec<(&str, &str)> {
    let all = list.blobs.iter();
    all.map(|(extension, blob)| (extension.as_str(), blob.restore_to.as_str()))
        .collect()
}

#[test]
fn d4_files_are_listed_again_in_a_new_history() {
    let ground = Ground::new();
    let file = BackupFile {
        written: ground.write("copy", "words"),
        restore_to: "diary.txt".into(),
    };
    let files = BackupFiles {
        files: vec![file],
        ..BackupFiles::default()
    };
    let given = [BackedUp {
        extension: "diary",
        outcome: Ok(files),
    }];
    let mut keeper = FileKeeper::default();
    let listed = |keeper: &mut FileKeeper| -> usize {
        let kept = keeper.keep(&ground.target, &given, ground.home.path());
        let kept = kept.unwrap().0;
        let count = kept.len();
        kept.into_iter().for_each(|it| keeper.note(&it.list()));
        count
    };
    assert!(keeper.follow(Some("one".to_owned())));
    assert_eq!(listed(&mut keeper), 1);
    assert!(!keeper.follow(Some("one".to_owned())));
    assert_eq!(listed(&mut keeper), 0);
    assert!(keeper.follow(Some("two".to_owned())));
    assert_eq!(listed(&mut keeper), 1);
}

#[test]
fn d4_a_blob_that_is_damaged_or_gone_on_disk_stays_in_the_list() {
    let ground = Ground::new();
    let page = [ground.blob("one"), ground.blob("two"), ground.blob("three")];
    let mut keeper = FileKeeper::default();
    let mut first = list();
    let sent = keeper.keep_blobs(&ground.target, "pictures", &page[..2], &mut first);
    assert_eq!(sent.unwrap(), 6);
    fs::write(&page[0].path, "other").unwrap();
    fs::remove_file(&page[1].path).unwrap();
    // Of this one there is nothing anywhere.
    fs::remove_file(&page[2].path).unwrap();
    let mut second = list();
    let sent = keeper.keep_blobs(&ground.target, "pictures", &page, &mut second);
    assert_eq!(sent.unwrap(), 0);
    assert_eq!(first, second);
}

#[test]
fn d4_blobs_of_those_who_did_not_tell_are_carried_over() {
    let ground = Ground::new();
    let (one, two) = (ground.blob("one"), ground.blob("two"));
    let mut before = list();
    let mut keeper = FileKeeper::default();
    for extension in ["off", "on", "cut"] {
        let page = [one.clone(), two.clone()];
        let kept = keeper.keep_blobs(&ground.target, extension, &page, &mut before);
        kept.unwrap();
    }
    ground.lineage("first", &before);
    // One has removed a blob, another was switched off when it had told of one.
    let mut now = list();
    for extension in ["on", "cut"] {
        let kept = keeper.keep_blobs(
            &ground.target,
            extension,
            std::slice::from_ref(&one),
            &mut now,
        );
        kept.unwrap();
    }
    let told = now.clone();
    keeper.follow(Some("first".to_owned()));
    keeper
        .carry_over(&ground.target, &["on"], &mut now)
        .unwrap();
    let all = [
        ("on", "one"),
        ("cut", "one"),
        ("off", "one"),
        ("off", "two"),
        ("cut", "two"),
    ];
    assert_eq!(names_in(&now), all);
    // A new history has no list yet, and the one before has.
    ground
        .target
        .put(
            &names::lineage("second"),
            r#"{"format":1,"begun_at_ms":2,"relay_version":"1","interval_ms":1,"parent":null}"#,
        )
        .unwrap();
    keeper.follow(Some("second".to_owned()));
    let mut now = told;
    keeper
        .carry_over(&ground.target, &["on"], &mut now)
        .unwrap();
    assert_eq!(names_in(&now), all);
}

#[test]
fn d4_files_of_those_who_did_not_tell_are_listed_in_a_new_history() {
    let ground = Ground::new();
    ground.begin("first", None, None);
    ground.list_file("first", 3, "off", Some("older"));
    ground.list_file("first", 5, "off", Some("newest"));
    // After what the next one goes on from.
    ground.list_file("first", 9, "off", Some("lost"));
    ground.list_file("first", 5, "on", Some("on"));
    ground.list_file("first", 4, "emptied", Some("before"));
    ground.list_file("first", 5, "emptied", None);
    ground.list_file("first", 5, "known", Some("old"));
    ground.begin("second", Some(("first", 7)), None);
    ground.list_file("second", 8, "known", Some("new"));
    let mut keeper = FileKeeper::default();
    let found = |keeper: &FileKeeper, told: &[&str]| -> Vec<String> {
        let lists = keeper.lists_before(&ground.target, told).unwrap();
        let files = lists.into_iter().flat_map(|list| list.files);
        files.map(|file| file.restore_to).collect()
    };
    keeper.follow(Some("second".to_owned()));
    assert_eq!(found(&keeper, &["on"]), ["newest"]);
    // Again, until they are listed.
    assert_eq!(found(&keeper, &["on"]), ["newest"]);
    keeper.note_all();
    assert!(found(&keeper, &["on"]).is_empty());
    // A gap, after which the same database begins anew; whether the relay has been started since or not.
    ground.begin("third", None, Some("second"));
    for mut keeper in [keeper, FileKeeper::default()] {
        keeper.follow(Some("third".to_owned()));
        assert_eq!(found(&keeper, &["on"]), ["new", "newest"]);
    }
    // Another database, or an older one: what would fit that is not known.
    let note = ground
        .target
        .get(&names::lineage("third"))
        .unwrap()
        .unwrap();
    let note = String::from_utf8_lossy(&note).replace("goes_on", "unknown");
    ground.target.put(&names::lineage("third"), note).unwrap();
    let mut keeper = FileKeeper::default();
    keeper.follow(Some("third".to_owned()));
    assert!(found(&keeper, &["on"]).is_empty());
}
