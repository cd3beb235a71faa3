//! Against the emulator whose address the environment's `TRELLIS_TEST_FIRESTORE_HOST` holds; `tests/run` starts one.

use super::FirestoreStorage;
use crate::storage::conformance::{Scratch, suite};
use crate::storage::{Storage, StorageError};
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A project of a test's own on the emulator, which makes what it is asked for.
struct Project {
    id: String,
    host: String,
}

#[async_trait]
impl Scratch for Project {
    async fn create() -> Option<Self> {
        static PROJECTS: AtomicU32 = AtomicU32::new(0);
        let Ok(host) = std::env::var("TRELLIS_TEST_FIRESTORE_HOST") else {
            eprintln!(
                "SKIPPED: Firestore: no emulator in TRELLIS_TEST_FIRESTORE_HOST, tests/run starts one"
            );
            return None;
        };
        let number = PROJECTS.fetch_add(1, Ordering::Relaxed);
        let id = format!("test-{}-{number}", std::process::id());
        Some(Project { id, host })
    }

    async fn open(&self) -> Arc<dyn Storage> {
        let storage = FirestoreStorage::connect(&self.id, 20, Some(&self.host)).await;
        Arc::new(storage.unwrap())
    }
}

suite!(m28_firestore, super::super::Project);

#[tokio::test]
async fn m28_firestore_that_does_not_answer_is_told() {
    let error = FirestoreStorage::connect("p", 20, Some("127.0.0.1:1")).await;
    let error = error.unwrap_err();
    assert!(matches!(error, StorageError::Connect(_)), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("Failed to connect to database: ")
    );
}
