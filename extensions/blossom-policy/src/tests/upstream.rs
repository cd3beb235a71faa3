//! A server whose storage is another server.

use super::ground::*;
use crate::BlossomPolicy;
use crate::storage::upstream::double::{Double, Manner};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use trellis_relay::testing::{Author, HttpsServer, Response, TestRelay, until};

async fn ground(manner: Manner) -> (TestRelay, Double) {
    let double = Double::start(manner);
    let relay = relay_of(&double.server, "", "").await;
    (relay, double)
}

/// A relay whose storage is a server; lines more for how it asks others, and for the extension.
async fn relay_of(server: &HttpsServer, outbound: &str, table: &str) -> TestRelay {
    let config = format!(
        "{}\n{outbound}\n[extensions.blossom_policy]\nbackend = 'upstream'\nupstream = {{ url = '{}' }}\n{table}",
        server.outbound(),
        server.url("")
    );
    let relay = TestRelay::of::<BlossomPolicy>().config(&config);
    relay.start().await
}

/// A server that has nothing, and is silent while this lives.
struct Silent {
    server: HttpsServer,
    /// The heads of all requests.
    asked: Arc<Mutex<Vec<String>>>,
    is_free: Arc<AtomicBool>,
}

impl Silent {
    /// To some requests, by their number, beginning with 0, and their head.
    fn start(is_held: fn(usize, &str) -> bool) -> Silent {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let is_free = Arc::new(AtomicBool::new(false));
        let (heads, gate) = (asked.clone(), is_free.clone());
        let server = HttpsServer::start(move |request| {
            let number = {
                let mut heads = heads.lock().unwrap();
                heads.push(request.head.clone());
                heads.len() - 1
            };
            while is_held(number, &request.head) && !gate.load(SeqCst) {
                thread::park_timeout(Duration::from_millis(1));
            }
            Response {
                status: 404,
                headers: Vec::new(),
                body: Vec::new(),
            }
        });
        Silent {
            server,
            asked,
            is_free,
        }
    }

    /// How many requests were of a method.
    fn asked(&self, method: &str) -> usize {
        let heads = self.asked.lock().unwrap();
        heads.iter().filter(|it| it.starts_with(method)).count()
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.is_free.store(true, SeqCst);
    }
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
    // The first look is the start's, which would wait as well.
    let silent = Silent::start(|number, _| number > 0);
    let relay = relay_of(&silent.server, "", "").await;
    until("a look waits", async || silent.asked("") > 1).await;
    // After a second what was seen is too old to be told.
    let begun = Instant::now();
    let is_long = || begun.elapsed() > Duration::from_millis(1_200);
    until("it has waited", async || is_long()).await;
    assert_eq!(relay.get("/list").await.status, 200);
    assert_eq!(silent.asked(""), 2, "the storage is not asked for that");
    drop(silent);
}

#[tokio::test]
async fn b13_a_server_that_is_silent_is_not_waited_for_twice() {
    let silent = Silent::start(|_, head| head.starts_with("PUT"));
    let relay = relay_of(&silent.server, "timeout = '1s'", "max_uploads = 1").await;
    for number in 1..=2 {
        let answer = upload(&relay, &Author::new(1), "application/pdf", &pdf(number)).await;
        assert_refused(&answer, 503, "storage does not answer");
    }
    assert_eq!(silent.asked("DELETE"), 0);
    drop(silent);
}
