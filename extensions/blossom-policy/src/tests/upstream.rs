//! A server whose storage is another server.

use super::ground::*;
use crate::BlossomPolicy;
use crate::storage::upstream::double::{Double, Manner};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};
use trellis_relay::testing::{Author, HttpsServer, Response, TestRelay, until};

async fn ground(manner: Manner) -> (TestRelay, Double) {
    let double = Double::start(manner);
    let (outbound, url) = (double.server.outbound(), double.server.url(""));
    let config = format!(
        "{outbound}\n[extensions.blossom_policy]\nbackend = 'upstream'\nupstream = {{ url = '{url}' }}"
    );
    let relay = TestRelay::of::<BlossomPolicy>()
        .config(&config)
        .start()
        .await;
    (relay, double)
}

#[tokio::test]
async fn b13_blobs_of_another_server_are_served_as_the_relays_own() {
    let (relay, double) = ground(Manner::Right).await;
    let (alice, bytes) = (Author::new(1), pdf(1));
    let name = hash(&bytes);
    // What is not what it says never gets there.
    let refused = upload(&relay, &alice, "image/png", &bytes).await;
    assert_refused(&refused, 415, "application/pdf");
    assert!(double.blobs().is_empty());

    store(&relay, &alice, 1).await;
    assert_eq!(double.blobs()[&name.to_string()], bytes);
    let read = relay.get(&format!("/{name}.pdf")).await;
    assert_eq!((read.status, &read.body), (200, &bytes));
    let part = relay
        .get(&format!("/{name}"))
        .header("Range", "bytes=5-9")
        .await;
    assert_eq!((part.status, &part.body[..]), (206, &bytes[5..10]));

    let token = token(&alice, "delete", &[name]);
    let gone = relay
        .delete(&format!("/{name}"))
        .header("Authorization", &token)
        .await;
    assert!([200, 204].contains(&gone.status), "{}", gone.text());
    assert!(double.blobs().is_empty());
    assert_eq!(relay.get(&format!("/{name}")).await.status, 404);
}

#[tokio::test]
async fn b13_an_upload_that_the_other_server_does_not_keep_is_not_kept() {
    for (manner, status) in [
        (Manner::Full, 507),
        (Manner::Failing, 503),
        (Manner::Mistaken, 500),
    ] {
        let (relay, _double) = ground(manner).await;
        let answer = upload(&relay, &Author::new(1), "application/pdf", &pdf(1)).await;
        assert_eq!(answer.status, status, "{manner:?}: {}", answer.text());
        assert_eq!(relay.get(&format!("/{}", hash(&pdf(1)))).await.status, 404);
    }
}

#[tokio::test]
async fn b15_a_storage_that_does_not_answer_keeps_nobody_waiting_who_asks_what_is_stored() {
    let (asked, is_free) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let (count, gate) = (asked.clone(), is_free.clone());
    let server = HttpsServer::start(move |_| {
        // The first look is the start's, which would wait as well.
        if count.fetch_add(1, SeqCst) > 0 {
            while !gate.load(SeqCst) {
                thread::yield_now();
            }
        }
        Response {
            status: 404,
            headers: Vec::new(),
            body: Vec::new(),
        }
    });
    let (outbound, url) = (server.outbound(), server.url(""));
    let config = format!(
        "{outbound}\n[extensions.blossom_policy]\nbackend = 'upstream'\nupstream = {{ url = '{url}' }}"
    );
    let relay = TestRelay::of::<BlossomPolicy>().config(&config);
    let relay = relay.start().await;
    until("a look waits", async || asked.load(SeqCst) > 1).await;
    // After a second what was seen is too old to be told.
    let begun = Instant::now();
    let is_long = || begun.elapsed() > Duration::from_millis(1_200);
    until("it has waited", async || is_long()).await;
    assert_eq!(relay.get("/list").await.status, 200);
    assert_eq!(asked.load(SeqCst), 2, "the storage is not asked for that");
    is_free.store(true, SeqCst);
}

#[tokio::test]
async fn b13_a_server_that_is_silent_is_not_waited_for_twice() {
    let (deletions, is_free) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let (count, gate) = (deletions.clone(), is_free.clone());
    let server = HttpsServer::start(move |asked| {
        count.fetch_add(usize::from(asked.head.starts_with("DELETE")), SeqCst);
        while asked.head.starts_with("PUT") && !gate.load(SeqCst) {
            thread::park_timeout(Duration::from_millis(1));
        }
        Response {
            status: 404,
            headers: Vec::new(),
            body: Vec::new(),
        }
    });
    let (outbound, url) = (server.outbound(), server.url(""));
    let config = format!(
        "{outbound}\ntimeout = '1s'\n[extensions.blossom_policy]\nbackend = 'upstream'\n\
         upstream = {{ url = '{url}' }}\nmax_uploads = 1"
    );
    let relay = TestRelay::of::<BlossomPolicy>().config(&config);
    let relay = relay.start().await;
    for number in 1..=2 {
        let answer = upload(&relay, &Author::new(1), "application/pdf", &pdf(number)).await;
        assert_refused(&answer, 503, "storage does not answer");
    }
    assert_eq!(deletions.load(SeqCst), 0);
    is_free.store(true, SeqCst);
}
