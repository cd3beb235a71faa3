//! B9: a hundred uploads at a time over sockets store what there is room for, and not one more.

#![cfg(feature = "blossom_policy")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Barrier};
use std::thread;
use trellis_test_support::blob::{self, Upload};
use trellis_test_support::{Author, Front, Relay, trellis};

const UPLOADS: usize = 100;
const BYTES: usize = 10_000;
/// There is room for so many.
const ROOM: usize = 10;

/// A relay with this quota, to which one address may upload at will.
async fn relay(quota: &str) -> Relay {
    let config = format!(
        "[extensions.blossom_policy]\npath = 'blobs'\n{quota}\nmax_uploads = {UPLOADS}\n\
         max_uploads_per_ip = {UPLOADS}\nrates.uploads_per_minute = 1000000\n\
         rates.uploads_per_minute_and_ip = 1000000\nrates.requests_per_minute_and_ip = 1000000\n"
    );
    let setup = trellis!().front(Front::Server).config(&config);
    setup.start().await
}

/// A PDF like no other.
fn pdf(number: usize) -> Vec<u8> {
    let head = format!("%PDF-1.7\n1 0 obj <</Type /Catalog /N {number}>> endobj\n");
    let mut pdf = head.into_bytes();
    pdf.resize(BYTES - 6, b'%');
    pdf.extend_from_slice(b"%%EOF\n");
    pdf
}

/// Sends one: half of it, and the rest when all others have sent half of theirs. The status.
fn upload(server: SocketAddr, author: &Author, number: usize, all: &Barrier) -> u16 {
    let bytes = pdf(number);
    let (first, rest) = bytes.split_at(BYTES / 2);
    let sha256 = blob::sha256(&bytes);
    let begun = Upload::begin(server, author, &sha256, "application/pdf", BYTES as u64);
    let mut upload = begun.expect("a connection");
    upload.send(first).expect("half of a blob");
    all.wait();
    // Whoever was refused may be cut off by now.
    let _ = upload.send(rest);
    upload.answer().expect("an answer").0
}

/// How often each status was answered to a hundred uploads of these authors.
async fn statuses(relay: &Relay, authors: Vec<Author>) -> BTreeMap<u16, usize> {
    let (server, all) = (relay.address(), Arc::new(Barrier::new(authors.len())));
    let uploads: Vec<_> = authors
        .into_iter()
        .enumerate()
        .map(|(number, author)| {
            let all = all.clone();
            thread::spawn(move || upload(server, &author, number, &all))
        })
        .collect();
    let mut counts = BTreeMap::new();
    for upload in uploads {
        *counts.entry(upload.join().expect("an upload")).or_default() += 1;
    }
    counts
}

/// What the relay says it holds.
async fn totals(relay: &Relay) -> String {
    let config = relay.setup().config_file().display().to_string();
    let words = ["blossom", "totals", "-c", &config];
    let totals = relay.setup().run(&words).await;
    totals.assert_success().stdout.clone()
}

#[tokio::test]
async fn b9_a_hundred_uploads_of_one_key_at_a_time_do_not_overshoot_its_quota() {
    for quota in [
        format!("quota.bytes_per_pubkey = {}", ROOM * BYTES + BYTES / 2),
        format!("quota.blobs_per_pubkey = {ROOM}"),
    ] {
        let (relay, alice) = (relay(&quota).await, Author::new());
        let counts = statuses(&relay, vec![alice; UPLOADS]).await;
        let wanted = BTreeMap::from([(201, ROOM), (429, UPLOADS - ROOM)]);
        assert_eq!(counts, wanted, "{quota}");
        let told = totals(&relay).await;
        let stored = format!("blobs\t{ROOM}\nbytes\t{}\n", ROOM * BYTES);
        assert!(told.starts_with(&stored), "{quota}: {told}");
    }
}

#[tokio::test]
async fn b9_a_hundred_keys_at_a_time_do_not_overshoot_what_all_may_store() {
    let quota = format!("quota.total_bytes = {}", ROOM * BYTES + BYTES / 2);
    let relay = relay(&quota).await;
    let everybody = (0..UPLOADS).map(|_| Author::new()).collect();
    let counts = statuses(&relay, everybody).await;
    let wanted = BTreeMap::from([(201, ROOM), (507, UPLOADS - ROOM)]);
    assert_eq!(counts, wanted);
    let told = totals(&relay).await;
    let stored = format!("blobs\t{ROOM}\nbytes\t{}\n", ROOM * BYTES);
    assert!(told.starts_with(&stored), "{told}");
}
