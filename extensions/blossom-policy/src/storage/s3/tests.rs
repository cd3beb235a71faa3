//! Against the server whose bucket the environment's `TEST_S3_URL` names; `tests/run` starts one.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::config;
use crate::ground::{Ground, WIDE, hash_of, noise};
use crate::storage::conformance;
use tempfile::TempDir;
use trellis_relay::extension::prelude::Deserialize;

/// A storage that is empty, in the bucket that the tests have, if there is one; and where it keeps its notes.
fn storage() -> Option<(S3, TempDir)> {
    let Ok(url) = std::env::var("TEST_S3_URL") else {
        eprintln!("SKIPPED: S3: no server in TEST_S3_URL, tests/run starts one");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let prefix = format!("{:016x}/media/", rand::random::<u64>());
    Some((open(&url, &prefix, folder.path()).unwrap(), folder))
}

fn open(url: &str, prefix: &str, notes: &Path) -> Result<S3, String> {
    let (endpoint, bucket) = url.rsplit_once('/').unwrap();
    let table = format!(
        "endpoint = '{endpoint}'\nbucket = '{bucket}'\nprefix = '{prefix}'\n\
         access_key_id = 'test'\nsecret_access_key = 'secret'"
    );
    let table = toml::Deserializer::parse(&table).unwrap();
    let wanted = config::S3::deserialize(table).unwrap();
    S3::open(
        &wanted,
        notes,
        Arc::new(Semaphore::new(4)),
        Handle::current(),
    )
}

#[test]
fn b16_parts_are_the_whole_and_no_more_than_a_store_takes() {
    for size_bytes in [1, PART_BYTES, PART_BYTES + 1, 10 * PART_BYTES, 1 << 40] {
        let parts: Vec<_> = part_ranges(size_bytes).collect();
        assert!(parts.len() <= PARTS_MAX as usize);
        assert_eq!(parts[0].start, 0);
        assert_eq!(parts[parts.len() - 1].end, size_bytes);
        assert!(parts.windows(2).all(|two| two[0].end == two[1].start));
        let length = |part: &Range<u64>| part.end - part.start;
        let all_but_the_last = &parts[..parts.len() - 1];
        assert!(
            all_but_the_last
                .iter()
                .all(|it| length(it) == length(&parts[0]))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b16_s3_keeps_what_every_storage_keeps() {
    let Some((storage, folder)) = storage() else {
        return;
    };
    let incoming = folder.path().join("incoming");
    std::fs::create_dir(&incoming).unwrap();
    conformance::run(&storage, &incoming).await;
    assert_eq!(storage.unfinished.all().await.unwrap(), []);
    assert_eq!(storage.room().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn b16_an_upload_in_parts_that_was_cut_off_is_ended_at_the_next_start() {
    let Some((storage, _folder)) = storage() else {
        return;
    };
    let hash = hash_of(b"cut off");
    let name = storage.name_of(&hash);
    let id = storage.store.create_multipart(&name).await.unwrap();
    storage.unfinished.note(&hash, &id).await.unwrap();
    let part = PutPayload::from(noise(1, 6 << 20));
    let part = storage.store.put_part(&name, &id, 0, part).await.unwrap();

    assert_eq!(storage.end_unfinished().await.unwrap(), 1);
    assert_eq!(storage.end_unfinished().await.unwrap(), 0);
    let completed = storage.store.complete_multipart(&name, &id, vec![part]);
    assert!(
        completed.await.is_err(),
        "the store knows the upload no more"
    );
    assert_eq!(storage.size(&hash).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn b16_a_note_of_an_upload_that_is_no_more_is_forgotten() {
    let Some((storage, _folder)) = storage() else {
        return;
    };
    let hash = hash_of(b"ended");
    let name = storage.name_of(&hash);
    let id = storage.store.create_multipart(&name).await.unwrap();
    storage.store.abort_multipart(&name, &id).await.unwrap();
    storage.unfinished.note(&hash, &id).await.unwrap();
    assert_eq!(storage.end_unfinished().await.unwrap(), 1);
    assert_eq!(storage.unfinished.all().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn b16_parts_that_a_silent_store_was_left_with_go_with_the_blob_or_its_next_upload() {
    let Some((storage, _folder)) = storage() else {
        return;
    };
    let ground = Ground::new(WIDE).await;
    let spooled = ground.spooled(&noise(1, 9 << 20)).await;
    let hash = spooled.sha256();
    let name = storage.name_of(&hash);
    for is_sent_anew in [false, true] {
        let id = storage.store.create_multipart(&name).await.unwrap();
        storage.unfinished.note(&hash, &id).await.unwrap();
        match is_sent_anew {
            true => storage.put(&spooled, "video/mp4").await.unwrap(),
            false => storage.delete(&hash).await.unwrap(),
        }
        assert_eq!(storage.unfinished.all().await.unwrap(), []);
        let part = PutPayload::from(noise(1, 100));
        let late = storage.store.put_part(&name, &id, 0, part).await;
        assert!(late.is_err(), "the store knows the upload no more");
    }
    assert_eq!(storage.size(&hash).await.unwrap(), Some(9 << 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn b16_objects_have_the_type_of_their_blob() {
    let Some((storage, _folder)) = storage() else {
        return;
    };
    let ground = Ground::new(WIDE).await;
    for length in [100, 9 << 20] {
        let spooled = ground.spooled(&noise(1, length)).await;
        storage.put(&spooled, "video/mp4").await.unwrap();
        let name = storage.name_of(&spooled.sha256());
        let found = storage.store.get(&name).await.unwrap();
        let mime_type = found.attributes.get(&Attribute::ContentType);
        assert_eq!(mime_type.map(AsRef::as_ref), Some("video/mp4"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b16_what_fails_is_told_without_names() {
    let Some((_, folder)) = storage() else {
        return;
    };
    let url = std::env::var("TEST_S3_URL").unwrap();
    let bucket = format!("{url}-that-is-not-there");
    let storage = open(&bucket, "", folder.path()).unwrap();
    let error = storage.check().await.unwrap_err();
    assert!(!format!("{error:?}").contains("not-there"), "{error:?}");

    // A port where nobody listens, and which is given to none who asks for any.
    let storage = open("http://127.0.0.1:1/bucket", "", folder.path()).unwrap();
    let error = storage.size(&hash_of(b"secret")).await.unwrap_err();
    let told = format!("{error:?}");
    assert!(matches!(error, StorageError::NoAnswer { .. }), "{told}");
    assert!(!told.contains(&hash_of(b"secret").to_string()), "{told}");
    assert!(!told.contains("127.0.0.1"), "{told}");
}
