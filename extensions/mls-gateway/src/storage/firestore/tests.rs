//! Against the emulator whose address the environment's `TEST_FIRESTORE_HOST` holds; `tests/run` starts one.

#![allow(clippy::unwrap_used)]

use super::document::{Fields, Reading, document_id};
use super::question::Question;
use super::{
    ARCHIVE, FirestoreStorage, GROUPS, KEY_PACKAGE_LETTERS, PACKAGES, PARTS, ROSTERS, TURNS,
    WELCOMES,
};
use crate::roster::Roster;
use crate::storage::conformance::agreement::agrees_with_the_model;
use crate::storage::conformance::{Scratch, suite};
use crate::storage::{ArchiveQuery, Archived, BoxLoad, Letter, LetterBox, Storage, StorageError};
use async_trait::async_trait;
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use trellis_relay::event::{EventId, PublicKey};

/// A project of a test's own on the emulator, which makes what it is asked for.
struct Project {
    id: String,
    host: String,
}

#[async_trait]
impl Scratch for Project {
    async fn create() -> Option<Self> {
        static PROJECTS: AtomicU32 = AtomicU32::new(0);
        let Ok(host) = std::env::var("TEST_FIRESTORE_HOST") else {
            eprintln!(
                "SKIPPED: Firestore: no emulator in TEST_FIRESTORE_HOST, tests/run starts one"
            );
            return None;
        };
        let number = PROJECTS.fetch_add(1, Ordering::Relaxed);
        let id = format!("test-{}-{number}", std::process::id());
        Some(Project { id, host })
    }

    async fn open(&self) -> Arc<dyn Storage> {
        Arc::new(self.connect(20).await)
    }
}

impl Project {
    async fn connect(&self, batch_size: usize) -> FirestoreStorage {
        let storage = FirestoreStorage::connect(&self.id, batch_size, Some(&self.host));
        storage.await.unwrap()
    }
}

suite!(m28_firestore, super::super::Project);

#[test]
fn m28_firestore_agrees_with_the_model() {
    agrees_with_the_model::<Project>(32);
}

const NOW_S: u64 = 1_760_000_000;

fn key() -> PublicKey {
    PublicKey::from_byte_array([7; 32])
}

/// A Welcome of texts that no document holds.
fn long_letter(id: &str) -> Letter {
    Letter {
        id: id.to_owned(),
        recipient: key(),
        sender: key(),
        group_id: None,
        content_b64: "Ww=é".repeat(250_000),
        ratchet_tree_b64: Some("tree".repeat(300_000)),
        tags_json: Some("[]".to_owned()),
        created_at_s: NOW_S,
        expires_at_s: NOW_S + 60,
        picked_up_at_s: None,
        acknowledged_at_s: None,
    }
}

fn event(number: u8, json: String) -> Archived {
    Archived {
        position: 0,
        id: EventId::from_byte_array([number; 32]),
        kind: 445,
        pubkey: key(),
        group_id: Some("g".to_owned()),
        recipient: None,
        created_at_s: NOW_S,
        archived_at_s: NOW_S,
        json,
    }
}

#[tokio::test]
async fn m28_firestore_keeps_texts_that_no_document_holds() {
    let Some(project) = Project::create().await else {
        return;
    };
    let storage = project.connect(500).await;
    let parts = async || {
        let all = storage.database.find(Question::to(PARTS));
        all.await.unwrap().len()
    };
    let welcomes = LetterBox::Welcomes;
    for id in ["a", "b"] {
        assert!(storage.deposit(welcomes, &long_letter(id)).await.unwrap());
    }
    assert_eq!(parts().await, 2 * (2 + 1));
    let load = storage
        .box_load(welcomes, &key(), &key(), NOW_S)
        .await
        .unwrap();
    let bytes = 2 * (250_000 * 5 + 4 * 300_000 + 2);
    let wanted = BoxLoad {
        letters: 2,
        bytes,
        letters_of_sender: 2,
        bytes_of_sender: bytes,
    };
    assert_eq!(load, wanted);
    let picked_up = storage.pick_up(welcomes, &key(), 9, NOW_S).await.unwrap();
    let wanted = ["a", "b"].map(|id| Letter {
        picked_up_at_s: Some(NOW_S),
        ..long_letter(id)
    });
    assert!(picked_up == wanted, "as they were");

    let long_event = event(1, "{é}".repeat(500_000));
    let events = [event(2, "{}".to_owned()), long_event.clone()];
    assert_eq!(storage.archive(&events).await.unwrap(), 2);
    let query = ArchiveQuery {
        max: 9,
        ..ArchiveQuery::default()
    };
    let archived = storage.archived(&query).await.unwrap();
    assert!(archived[1].json == long_event.json, "as it was");

    assert!(storage.acknowledge(welcomes, "a", NOW_S).await.unwrap());
    let left = storage.letter(welcomes, "a").await.unwrap().unwrap();
    assert_eq!(
        (left.content_b64.as_str(), left.ratchet_tree_b64),
        ("", None)
    );
    storage.prune(NOW_S + 60, NOW_S + 1, 9).await.unwrap();
    assert_eq!(parts().await, 0, "parts go with what they are of");
}

#[tokio::test]
async fn m28_firestore_writes_batches_of_any_size() {
    let Some(project) = Project::create().await else {
        return;
    };
    let storage = project.connect(1).await;
    let events: Vec<Archived> = (0..7).map(|n| event(n, "{}".to_owned())).collect();
    assert_eq!(storage.archive(&events).await.unwrap(), 7);
    assert_eq!(storage.archive(&events).await.unwrap(), 0);
    let ids: Vec<EventId> = events.iter().map(|event| event.id).collect();
    assert_eq!(storage.forget(&ids).await.unwrap(), 7);
}

#[tokio::test]
async fn m28_firestore_that_holds_something_else_is_told() {
    let Some(project) = Project::create().await else {
        return;
    };
    let storage = project.connect(20).await;
    let roster = Roster::of_owner(key());
    storage.put_roster("g", &roster, None, NOW_S).await.unwrap();
    let damages = [
        Fields::default().text("revision", "1"),
        Fields::default().texts("owners", ["nobody".to_owned()]),
        Fields::default().maybe_text("seq", None::<&str>),
    ];
    for damage in damages {
        let write = storage.database.merge(ROSTERS, &document_id("g"), damage);
        storage.database.commit(vec![write]).await.unwrap();
        let error = storage.rosters(&["g".to_owned()]).await.unwrap_err();
        assert!(matches!(error, StorageError::Corrupt(_)), "{error}");
        let repaired = super::rosters::fields("g", &roster, 1, NOW_S);
        let write = storage.database.put(ROSTERS, &document_id("g"), repaired);
        storage.database.commit(vec![write]).await.unwrap();
        assert_eq!(storage.rosters(&["g".to_owned()]).await.unwrap().len(), 1);
    }
    let token = Question::to(TURNS).equal("name", "rosters");
    let token = storage.database.find(token).await.unwrap();
    let lost = storage.database.take(TURNS, Reading(&token[0]).id());
    storage.database.commit(vec![lost]).await.unwrap();
    let error = storage.put_roster("h", &roster, None, NOW_S).await;
    assert!(matches!(error, Err(StorageError::Corrupt(_))), "{error:?}");
}

#[tokio::test]
async fn m28_firestore_that_does_not_answer_is_told() {
    let error = FirestoreStorage::connect("p", 20, Some("127.0.0.1:1")).await;
    let error = error.unwrap_err();
    assert!(matches!(error, StorageError::Connect(_)), "{error}");
    let told = "Failed to connect to database: the call failed (no connection)";
    assert_eq!(error.to_string(), told, "without its address");
}

#[test]
fn m28_firestore_gives_clients_of_firebase_nothing() {
    let rules = include_str!("../../../firestore/firestore.rules");
    let collections = [
        GROUPS,
        ROSTERS,
        PACKAGES,
        KEY_PACKAGE_LETTERS,
        WELCOMES,
        ARCHIVE,
        PARTS,
        TURNS,
    ];
    for collection in collections {
        let rule = format!(
            "match /{collection}/{{document=**}} {{\n      allow read, write: if false;\n    }}"
        );
        assert!(rules.contains(&rule), "{collection}");
    }
    let allowed = rules
        .lines()
        .filter(|line| line.trim().starts_with("allow"));
    assert_eq!(allowed.count(), collections.len());
}

/// What is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn m34_firestore_logs_no_content_and_no_key() {
    let Some(project) = Project::create().await else {
        return;
    };
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // All runs on this thread.
    let _guard = tracing::subscriber::set_default(subscriber);
    let storage = project.connect(20).await;
    let letter = Letter {
        content_b64: "CanaryOfContent".to_owned(),
        ratchet_tree_b64: None,
        ..long_letter("a")
    };
    let welcomes = LetterBox::Welcomes;
    assert!(storage.deposit(welcomes, &letter).await.unwrap());
    assert!(!storage.deposit(welcomes, &letter).await.unwrap());
    storage.pick_up(welcomes, &key(), 9, NOW_S).await.unwrap();
    let archived = event(1, "CanaryOfEvent".to_owned());
    storage.archive(&[archived]).await.unwrap();
    let roster = Roster::of_owner(key());
    storage
        .put_roster("CanaryOfGroup", &roster, None, NOW_S)
        .await
        .unwrap();
    storage.groups_of(&key()).await.unwrap();
    storage.packages(&key(), NOW_S, 9).await.unwrap();
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(log.contains("TRACE"), "all is logged");
    for secret in ["Canary", &key().to_hex()] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None);
    }
}
