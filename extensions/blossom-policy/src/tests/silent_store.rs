//! The server while its object store takes connections and says nothing.

use super::ground::{assert_refused, hash, pdf, relay, token, upload};
use futures_util::future::{join, join_all};
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use trellis_relay::testing::{Author, HttpCall, TestRelay, until};

/// A socket that takes whatever comes, and says nothing.
struct Silent {
    url: String,
    /// What it was sent, all connections together.
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Silent {
    fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let all = heard.clone();
        thread::spawn(move || {
            for connection in socket.incoming().flatten() {
                let all = all.clone();
                thread::spawn(move || listen(connection, &all));
            }
        });
        Silent { url, heard }
    }

    /// How often it was asked this way: `PUT`, for example.
    fn asked(&self, method: &str) -> usize {
        let line = format!("{method} /bucket/");
        let heard = self.heard.lock().unwrap();
        let heard = heard.windows(line.len());
        heard.filter(|it| *it == line.as_bytes()).count()
    }
}

fn listen(mut connection: TcpStream, all: &Mutex<Vec<u8>>) {
    let mut part = [0; 4096];
    while let Ok(bytes @ 1..) = connection.read(&mut part) {
        all.lock().unwrap().extend_from_slice(&part[..bytes]);
    }
}

async fn relay_before(silent: &Silent, further: &str) -> TestRelay {
    relay(&format!(
        "backend = 's3'\ns3.endpoint = '{}'\ns3.bucket = 'bucket'\ns3.access_key_id = 'test'\n\
         s3.secret_access_key = 'secret'\n{further}",
        silent.url
    ))
    .await
}

fn put(relay: &TestRelay, number: u64) -> HttpCall {
    upload(relay, &Author::new(1), "application/pdf", &pdf(number))
}

/// Everything that is not about this store goes on.
async fn assert_goes_on(relay: &TestRelay) {
    assert_eq!(relay.get("/list").await.status, 200);
    let unknown = relay.get(&format!("/{}", hash(b"unknown"))).await;
    assert_refused(&unknown, 404, "no such blob");
    let token = token(&Author::new(1), "upload", &[hash(b"x")]);
    let head = relay
        .request("HEAD", "/upload")
        .header("Authorization", &token);
    let head = head.header("X-Content-Type", "application/pdf");
    assert_eq!(head.header("X-Content-Length", "9").await.status, 200);
    let mut client = relay.connect().await;
    client.store(&Author::new(1).note("an event")).await;
}

#[tokio::test]
async fn b16_a_store_that_is_silent_is_not_waited_for_without_an_end() {
    let silent = Silent::start();
    let relay = relay_before(&silent, "s3.timeout = '1s'\nmax_uploads = 1").await;
    // Twice, since the place of the first is given back.
    for number in 1..=2 {
        let answer = put(&relay, number).send();
        let meanwhile = async {
            let asked = || silent.asked("PUT") >= 1;
            until("the store is asked", async || asked()).await;
            assert_goes_on(&relay).await;
        };
        let (answer, ()) = join(answer, meanwhile).await;
        assert_refused(&answer, 503, "storage does not answer");
        assert!(answer.header("retry-after").is_some());
        let path = format!("/{}", hash(&pdf(number)));
        assert_refused(&relay.get(&path).await, 404, "no such blob");
    }
    // Nobody waits for a second request to the same.
    assert_eq!(silent.asked("DELETE"), 0);
    let health: serde_json::Value = relay.get("/health").await.json();
    assert!(health.to_string().contains("the storage"), "{health}");
}

#[tokio::test]
async fn b16_those_who_wait_for_a_silent_store_do_not_wait_one_after_the_other() {
    let silent = Silent::start();
    let table = "s3.timeout = '5s'\nmax_uploads_per_ip = 64\nrates.uploads_per_minute = 1000\n\
                 rates.uploads_per_minute_and_ip = 1000";
    let relay = relay_before(&silent, table).await;
    // For different blobs there are four places in memory, and for one blob there is one turn.
    let different = (1..=20).map(|number| put(&relay, number).send());
    let same = (0..10).map(|_| put(&relay, 99).send());
    for answer in join_all(different.chain(same)).await {
        assert_refused(&answer, 503, "storage does not answer");
    }
    assert!(silent.asked("PUT") < 15, "{}", silent.asked("PUT"));
    assert_goes_on(&relay).await;
}

#[tokio::test]
async fn b16_a_long_blob_is_refused_as_soon_and_ended_later() {
    let silent = Silent::start();
    let relay = relay_before(&silent, "s3.timeout = '1s'").await;
    let mut bytes = pdf(1);
    bytes.resize(9 << 20, b' ');
    let answer = upload(&relay, &Author::new(1), "application/pdf", &bytes).await;
    assert_refused(&answer, 503, "storage does not answer");
    assert_eq!(silent.asked("POST"), 1);
}
