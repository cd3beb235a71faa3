//! SQLite's part of the suite, and what only a file can show.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::storage::columns::stored;
use crate::storage::conformance::samples::archived;
use crate::storage::conformance::{Scratch, agreement, suite};
use sqlx::migrate::Migration;
use sqlx::sqlite::SqliteConnection;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use tempfile::TempDir;

/// A file in a folder of its own.
struct File(TempDir);

impl File {
    fn url(&self) -> Secret {
        let path = self.0.path().join("mls.db");
        format!("sqlite://{}", path.display()).as_str().into()
    }

    /// Made without the gateway.
    async fn make(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::from_str(self.url().reveal()).unwrap();
        options.create_if_missing(true).connect().await.unwrap()
    }

    /// As the gateway made it when it had so many migrations.
    async fn of_version(&self, version: i64) -> SqliteConnection {
        let mut connection = self.make().await;
        let mut migrations = sqlx::migrate!("migrations/sqlite");
        let before = |it: &Migration| it.version <= version;
        migrations.migrations.to_mut().retain(before);
        let run = migrations.run_direct(None, &mut connection, false);
        run.await.unwrap();
        connection
    }
}

#[async_trait]
impl Scratch for File {
    async fn create() -> Option<Self> {
        Some(File(tempfile::tempdir().unwrap()))
    }

    async fn open(&self) -> Arc<dyn Storage> {
        Arc::new(SqliteStorage::open(&self.url(), 4).await.unwrap())
    }
}

suite!(m28_sqlite, super::super::File);

#[test]
fn m28_sqlite_agrees_with_the_plain_model() {
    agreement::agrees_with_the_model::<File>(64);
}

/// The tables of an older gateway, which had no list of migrations, with a row in each.
const OLD_DATABASE: &str = "
CREATE TABLE groups (group_id TEXT PRIMARY KEY, display_name TEXT, avatar_url TEXT, owner_pubkey TEXT,
  last_epoch INTEGER, last_event_ts INTEGER, relays TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL);
CREATE TABLE mail_keypackages (id TEXT PRIMARY KEY, recipient_pubkey TEXT NOT NULL, sender_pubkey TEXT NOT NULL,
  content_b64 TEXT NOT NULL, tags TEXT, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
  picked_up_at INTEGER);
CREATE TABLE mail_welcomes (id TEXT PRIMARY KEY, recipient_pubkey TEXT NOT NULL, sender_pubkey TEXT NOT NULL,
  group_id TEXT NOT NULL, welcome_b64 TEXT NOT NULL, ratchet_tree_b64 TEXT, created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL, picked_up_at INTEGER);
CREATE INDEX idx_groups_updated ON groups(updated_at);
CREATE INDEX idx_keypackages_recipient ON mail_keypackages(recipient_pubkey);
CREATE INDEX idx_welcomes_recipient ON mail_welcomes(recipient_pubkey);
INSERT INTO groups VALUES ('g', 'Team', NULL, 'OWNER', 4, 90, 'wss://a, wss://b', 80, 91);
INSERT INTO mail_keypackages VALUES ('k', 'OWNER', 'OWNER', 'aGk=', NULL, 80, 200, NULL);
INSERT INTO mail_welcomes VALUES ('w', 'OWNER', 'OWNER', 'g', 'aGk=', NULL, 80, 200, 95);
";

#[tokio::test]
async fn m29_an_older_database_is_taken_over() {
    let file = File::create().await.unwrap();
    let owner = PublicKey::from_byte_array([0xab; 32]);
    let mut old = file.make().await;
    let script = OLD_DATABASE.replace("OWNER", &owner.to_hex());
    sqlx::raw_sql(sqlx::AssertSqlSafe(script))
        .execute(&mut old)
        .await
        .unwrap();
    sqlx::Connection::close(old).await.unwrap();

    for _ in 0..2 {
        let storage = file.open().await;
        let group = storage.group("g").await.unwrap().unwrap();
        assert_eq!(group.display_name.as_deref(), Some("Team"));
        assert_eq!((group.owner, group.member_count), (Some(owner), 0));
        assert_eq!((group.last_epoch, group.last_event_s), (Some(4), Some(90)));
        assert_eq!(group.relays, ["wss://a", "wss://b"]);
        let boxes = [(LetterBox::KeyPackages, "k"), (LetterBox::Welcomes, "w")];
        for (letter_box, id) in boxes {
            let letter = storage.letter(letter_box, id).await.unwrap().unwrap();
            assert_eq!((letter.recipient, letter.acknowledged_at_s), (owner, None));
            let letters = storage.pick_up(letter_box, &owner, 9, 100).await.unwrap();
            assert_eq!(letters.len(), 1);
        }
        assert_eq!(storage.rosters(&["g".to_owned()]).await.unwrap(), []);
    }
}

#[tokio::test]
async fn m29_an_archive_with_keys_in_digits_is_taken_over() {
    let file = File::create().await.unwrap();
    let mut old = file.of_version(5).await;
    let (group, recipient) = (archived(1, Some("g"), None), archived(2, None, Some(5)));
    for (event, position) in [(&group, 3), (&recipient, 7)] {
        let insert = "INSERT INTO archived_events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let insert = sqlx::query(insert)
            .bind(position)
            .bind(event.id.to_hex())
            .bind(i64::from(event.kind))
            .bind(event.pubkey.to_hex())
            .bind(event.group_id.clone())
            .bind(event.recipient.map(|key| key.to_hex()))
            .bind(event.created_at_s as i64)
            .bind(event.archived_at_s as i64)
            .bind(event.json.clone());
        insert.execute(&mut old).await.unwrap();
    }
    let set = "INSERT INTO archived_events VALUES (9, 'no id', 445, '', 'g', NULL, 1, 1, ''); \
               UPDATE counters SET value = 9 WHERE name = 'archive'";
    sqlx::raw_sql(set).execute(&mut old).await.unwrap();
    sqlx::Connection::close(old).await.unwrap();

    let storage = file.open().await;
    let all = ArchiveQuery {
        max: 9,
        ..ArchiveQuery::default()
    };
    let at = |event: &Archived, position| Archived {
        position,
        ..event.clone()
    };
    let before = [at(&group, 3), at(&recipient, 7)];
    assert_eq!(storage.archived(&all).await.unwrap(), before);
    let groups = ["g".to_owned()];
    let of_group = ArchiveQuery {
        groups: Some(&groups),
        ..all
    };
    assert_eq!(storage.archived(&of_group).await.unwrap(), before[..1]);
    let next = archived(3, None, Some(5));
    let events = [group.clone(), next.clone()];
    assert_eq!(storage.archive(&events).await.unwrap(), 1);
    assert_eq!(storage.forget(&[group.id]).await.unwrap(), 1);
    let recipients = [next.recipient.unwrap()];
    let to_them = ArchiveQuery {
        recipients: Some(&recipients),
        ..all
    };
    let found = storage.archived(&to_them).await.unwrap();
    assert_eq!(found, [at(&recipient, 7), at(&next, 11)]);
}

#[tokio::test]
async fn m30_what_was_archived_before_is_found_by_its_group_and_its_author() {
    let file = File::create().await.unwrap();
    let mut old = file.of_version(7).await;
    let names = [
        "g".to_owned(),
        "0123456789abcdef".repeat(4),
        "many letters é日本語 of some bytes 日本語".to_owned(),
        "nul\0inside\0".to_owned(),
    ];
    let events: Vec<Archived> = names
        .iter()
        .zip(1..)
        .map(|(name, number)| archived(number, Some(name), None))
        .collect();
    for (event, position) in events.iter().zip(1..) {
        let insert = "INSERT INTO archived_events VALUES (?, ?, ?, ?, ?, NULL, ?, ?, ?)";
        let insert = sqlx::query(insert)
            .bind(position)
            .bind(event.id.as_bytes().as_slice())
            .bind(i64::from(event.kind))
            .bind(event.pubkey.as_bytes().as_slice())
            .bind(event.group_id.as_deref().map(stored))
            .bind(event.created_at_s as i64)
            .bind(event.archived_at_s as i64)
            .bind(event.json.clone());
        insert.execute(&mut old).await.unwrap();
    }
    let set = "UPDATE counters SET value = 4 WHERE name = 'archive'";
    sqlx::query(set).execute(&mut old).await.unwrap();
    sqlx::Connection::close(old).await.unwrap();

    let storage = file.open().await;
    assert_eq!(storage.archive(&events).await.unwrap(), 0, "all are there");
    for (event, name) in events.iter().zip(&names) {
        let groups = [name.clone()];
        let of_group = ArchiveQuery {
            groups: Some(&groups),
            max: 9,
            ..ArchiveQuery::default()
        };
        let found = storage.archived(&of_group).await.unwrap();
        let ids: Vec<_> = found.iter().map(|copy| copy.id).collect();
        assert_eq!(ids, [event.id], "{name:?}");
        let forgotten = storage.forget_all_of(&event.pubkey, u64::MAX).await;
        assert_eq!(forgotten.unwrap(), 1, "{name:?}");
        assert_eq!(storage.archived(&of_group).await.unwrap(), []);
    }
}

#[tokio::test]
async fn m30_what_ends_alike_is_told_apart() {
    let file = File::create().await.unwrap();
    let storage = file.open().await;
    let alike = |bytes: &[u8; 32]| {
        let mut bytes = *bytes;
        bytes[0] ^= 1;
        bytes
    };
    let one = archived(1, Some("one group of ours"), None);
    let other = Archived {
        id: archived(2, None, None).id,
        pubkey: PublicKey::from_byte_array(alike(one.pubkey.as_bytes())),
        group_id: Some("another of ours".to_owned()),
        ..one.clone()
    };
    assert_eq!(
        storage
            .archive(&[one.clone(), other.clone()])
            .await
            .unwrap(),
        2
    );
    for event in [&one, &other] {
        let groups = [event.group_id.clone().unwrap()];
        let of_group = ArchiveQuery {
            groups: Some(&groups),
            max: 9,
            ..ArchiveQuery::default()
        };
        let found = storage.archived(&of_group).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].id, event.id);
    }
    let no_one = EventId::from_byte_array(alike(one.id.as_bytes()));
    assert_eq!(storage.forget(&[no_one]).await.unwrap(), 0);
    let wishes = [(no_one, one.pubkey), (one.id, other.pubkey)];
    assert_eq!(storage.forget_for(&wishes).await.unwrap(), 0);
    // Of two whose ids end alike, which takes pains to make, the first is kept.
    let twin = Archived {
        id: no_one,
        ..one.clone()
    };
    assert_eq!(storage.archive(&[twin]).await.unwrap(), 0);
    assert_eq!(
        storage
            .forget_all_of(&other.pubkey, u64::MAX)
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        storage.forget_for(&[(one.id, one.pubkey)]).await.unwrap(),
        1
    );
}

#[tokio::test]
async fn m30_pages_of_the_archive_are_found_by_its_indexes() {
    let file = File::create().await.unwrap();
    let storage = SqliteStorage::open(&file.url(), 1).await.unwrap();
    let plan = async |statement: &str| {
        let plan = format!("EXPLAIN QUERY PLAN {statement}");
        let plan = sqlx::query_as(sqlx::AssertSqlSafe(plan));
        let plan: Vec<(i64, i64, i64, String)> = plan.fetch_all(&storage.readers).await.unwrap();
        plan.into_iter().map(|step| step.3).collect::<Vec<_>>()
    };
    let steps = plan(super::archive::OF_RECIPIENT).await;
    assert!(steps[0].contains("idx_archived_recipient"), "{steps:?}");
    assert!(steps[0].contains("position>?"), "{steps:?}");
    assert_eq!(steps.len(), 1, "in order: {steps:?}");
    let steps = plan(super::archive::OF_GROUP).await;
    let looks = steps.iter().find(|step| step.contains("SEARCH copy"));
    let looks = looks.unwrap();
    assert!(looks.contains("idx_archived_group"), "{steps:?}");
    assert!(
        looks.contains("(part=? AND group_key=? AND position>?)"),
        "{steps:?}"
    );
    for statement in [super::archive::FORGET, super::archive::FORGET_FOR] {
        let steps = plan(statement).await;
        let is_used = |step: &String| step.contains("idx_archived_id (id_key=?)");
        assert!(steps.iter().any(is_used), "{steps:?}");
    }
    let steps = plan(super::archive::FORGET_ALL_OF).await;
    assert!(
        !steps.iter().any(|step| step.contains("SCAN copy")),
        "{steps:?}"
    );
    for index in [
        "idx_archived_author (part=? AND author_key=?)",
        "idx_archived_recipient",
    ] {
        let is_used = steps.iter().any(|step| step.contains(index));
        assert!(is_used, "{index}: {steps:?}");
    }
}

#[tokio::test]
async fn m29_the_tables_have_the_columns_and_indexes_that_are_promised() {
    let file = File::create().await.unwrap();
    let storage = SqliteStorage::open(&file.url(), 1).await.unwrap();
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT m.name, group_concat(c.name, ' ') FROM sqlite_master m, pragma_table_info(m.name) c \
         WHERE m.type = 'table' GROUP BY m.name",
    )
    .fetch_all(&storage.readers)
    .await
    .unwrap();
    for (table, promised) in [
        (
            "groups",
            "group_id display_name avatar_url owner_pubkey last_epoch last_event_ts relays created_at updated_at",
        ),
        (
            "mail_keypackages",
            "id recipient_pubkey sender_pubkey content_b64 tags created_at expires_at picked_up_at",
        ),
        (
            "mail_welcomes",
            "id recipient_pubkey sender_pubkey group_id welcome_b64 ratchet_tree_b64 created_at expires_at picked_up_at",
        ),
        ("members", "group_id pubkey role"),
        ("rosters", "group_id seq event_id"),
    ] {
        let found = columns.iter().find(|(name, _)| name == table);
        assert!(found.unwrap().1.starts_with(promised), "{table}: {found:?}");
    }
    let indexes: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'index'")
            .fetch_all(&storage.readers)
            .await
            .unwrap();
    for promised in [
        "idx_groups_updated",
        "idx_keypackages_recipient",
        "idx_welcomes_recipient",
    ] {
        assert!(indexes.iter().any(|it| it == promised), "{promised}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn m28_relays_that_open_a_new_file_at_once_all_find_it_whole() {
    let file = File::create().await.unwrap();
    let url = file.url();
    let tasks = (0..12).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { SqliteStorage::open(&url, 1).await.unwrap().ping().await })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn m28_a_new_file_is_for_its_user_alone() {
    let file = File::create().await.unwrap();
    let storage = file.open().await;
    storage.describe_group("g", None, None, 1).await.unwrap();
    let mut names = Vec::new();
    for entry in file.0.path().read_dir().unwrap().flatten() {
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.file_name());
        names.push(entry.file_name());
    }
    assert!(names.len() > 1, "the log of writes is beside it: {names:?}");
}

#[tokio::test]
async fn m28_a_database_that_cannot_be_opened_is_told_without_its_address() {
    let folder = tempfile::tempdir().unwrap();
    let no_database = folder.path().join("secret-name");
    std::fs::write(
        &no_database,
        "not a database, for all its sixteen bytes and more",
    )
    .unwrap();
    for path in [
        folder.path().join("secret-name").join("mls.db"),
        folder.path().join("missing").join("secret-name"),
        folder.path().to_owned(),
        no_database,
    ] {
        let url = Secret::from(format!("sqlite://{}", path.display()).as_str());
        let error = SqliteStorage::open(&url, 1).await.unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(
            error
                .to_string()
                .starts_with("Failed to connect to database: "),
            "{told}"
        );
        assert!(!told.contains("secret-name"), "{told}");
        assert!(!told.contains(&*folder.path().to_string_lossy()), "{told}");
    }
}

#[tokio::test]
async fn m28_a_row_that_cannot_be_read_is_an_error_and_no_guess() {
    let file = File::create().await.unwrap();
    let storage = SqliteStorage::open(&file.url(), 1).await.unwrap();
    let owner = PublicKey::from_byte_array([1; 32]);
    for damage in [
        "DELETE FROM members",
        "UPDATE members SET role = 'emperor'",
        "UPDATE members SET pubkey = 'nobody'",
    ] {
        let found = storage.rosters(&["g".to_owned()]).await.unwrap();
        let replaces = found.first().map(|(_, it)| it.revision);
        let roster = Roster::of_owner(owner);
        let put = storage.put_roster("g", &roster, replaces, 1).await.unwrap();
        assert!(matches!(put, PutRoster::Written(_)));
        sqlx::query(damage).execute(&storage.writer).await.unwrap();
        let error = storage.rosters(&["g".to_owned()]).await.unwrap_err();
        assert!(matches!(error, StorageError::Corrupt(_)), "{error}");
        sqlx::raw_sql("DELETE FROM members; DELETE FROM rosters")
            .execute(&storage.writer)
            .await
            .unwrap();
    }
}
