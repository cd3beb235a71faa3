//! B6: `kill -9` during uploads and removals leaves nothing behind that nobody has, and loses nothing that was answered.

#![cfg(feature = "blossom_policy")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use trellis_test_support::blob::{self, Upload};
use trellis_test_support::{Author, trellis, wait};

const ROUNDS: usize = 10;
const UPLOADERS: usize = 8;
/// Some fit into a few packets, others take a while.
const BYTES: [usize; 3] = [3_000, 300_000, 3_000_000];

const TABLE: &str = "
[extensions.blossom_policy]
path = 'blobs'
max_uploads_per_ip = 64
rates.uploads_per_minute = 1000000
rates.uploads_per_minute_and_ip = 1000000
rates.requests_per_minute_and_ip = 1000000
rates.downloads_per_minute_and_ip = 0
";

/// What is known of a blob after its uploader has lost the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The upload was answered.
    Stored,
    /// So was the removal.
    Removed,
    /// The end came before an answer.
    Open,
}

/// Uploads one blob after the other, and removes every third, until the server is gone.
fn upload_until_the_end(
    server: SocketAddr,
    seed: usize,
    answered: Arc<AtomicUsize>,
) -> JoinHandle<BTreeMap<String, Fate>> {
    thread::spawn(move || {
        let author = Author::new();
        let mut fates = BTreeMap::new();
        for number in 0.. {
            let bytes = pdf(seed, number, BYTES[(seed + number) % BYTES.len()]);
            let sha256 = blob::sha256(&bytes);
            fates.insert(sha256.clone(), Fate::Open);
            let stored = upload(server, &author, &sha256, &bytes);
            let Ok((status, body)) = stored else { break };
            assert_eq!(status, 201, "{body}");
            fates.insert(sha256.clone(), Fate::Stored);
            answered.fetch_add(1, SeqCst);
            if number % 3 == 0 {
                fates.insert(sha256.clone(), Fate::Open);
                let Ok(status) = blob::delete(server, &author, &sha256) else {
                    break;
                };
                assert_eq!(status, 204);
                fates.insert(sha256, Fate::Removed);
            }
        }
        fates
    })
}

fn upload(
    server: SocketAddr,
    author: &Author,
    sha256: &str,
    bytes: &[u8],
) -> std::io::Result<(u16, String)> {
    let length = bytes.len() as u64;
    let mut upload = Upload::begin(server, author, sha256, "application/pdf", length)?;
    for piece in bytes.chunks(10_000) {
        upload.send(piece)?;
    }
    upload.answer()
}

/// A PDF like no other.
fn pdf(seed: usize, number: usize, bytes: usize) -> Vec<u8> {
    let name = format!("% {seed} {number} {:?}\n", thread::current().id());
    let mut pdf = format!("%PDF-1.7\n1 0 obj <</Type /Catalog>> endobj\n{name}").into_bytes();
    while pdf.len() < bytes {
        pdf.extend_from_slice(name.as_bytes());
    }
    pdf.extend_from_slice(b"%%EOF\n");
    pdf
}

/// The blobs in the storage, by their files.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            match entry.path().is_dir() {
                true => folders.push(entry.path()),
                false => {
                    found.insert(entry.file_name().to_string_lossy().into_owned());
                }
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b6_kill_9_leaves_no_blob_that_nobody_has_and_loses_none_that_was_answered() {
    let mut setup = trellis!().config(TABLE);
    let mut fates: BTreeMap<String, Fate> = BTreeMap::new();
    for round in 0..ROUNDS {
        let relay = setup.start().await;
        let answered = Arc::new(AtomicUsize::new(0));
        let uploaders: Vec<_> = (0..UPLOADERS)
            .map(|uploader| {
                let seed = round * UPLOADERS + uploader;
                upload_until_the_end(relay.address(), seed, answered.clone())
            })
            .collect();
        // A different moment each round, with others under way.
        let moment = 1 + round * 3;
        wait::until_true("uploads are answered", || answered.load(SeqCst) >= moment).await;
        setup = relay.kill();
        for uploader in uploaders {
            fates.extend(uploader.join().expect("an uploader"));
        }
    }

    let relay = setup.start().await;
    let blobs = relay.setup().home().join("blobs");
    let incoming = fs::read_dir(blobs.join("incoming")).expect("a folder");
    assert_eq!(incoming.count(), 0, "files on their way in");
    let stored = files(&blobs.join("files"));
    let server = relay.address();
    let unknown: Vec<&String> = stored
        .iter()
        .filter(|it| !fates.contains_key(*it))
        .collect();
    assert_eq!(unknown, Vec::<&String>::new());
    let mut counts = [0; 3];
    for (sha256, fate) in &fates {
        let mut read = Vec::new();
        let status = blob::read(server, sha256, |piece| read.extend_from_slice(piece));
        let is_there = match status.expect("an answer") {
            200 => true,
            404 => false,
            other => panic!("status {other}"),
        };
        assert_eq!(
            is_there,
            stored.contains(sha256),
            "a row without bytes or bytes without a row"
        );
        if is_there {
            assert_eq!(blob::sha256(&read), *sha256, "a blob is whole");
        }
        match fate {
            Fate::Stored => assert!(is_there, "answered and lost"),
            Fate::Removed => assert!(!is_there, "answered and there again"),
            Fate::Open => {}
        }
        counts[*fate as usize] += 1;
    }
    assert!(
        counts.iter().all(|count| *count >= ROUNDS / 2),
        "{counts:?}"
    );
    let setup = relay.kill();
    let config = setup.config_file().display().to_string();
    let checked = setup.run(&["blossom", "check", "-c", &config]).await;
    checked.assert_success();
    let told = format!("{} blobs are as they should be\n", stored.len());
    assert_eq!(checked.stdout, told);
}
