//! What a reload leaves as it is that builds the server anew.

use super::ground::*;
use std::io::Write as _;
use std::net::TcpStream;
use trellis_relay::testing::{Author, TestRelay, until};

/// Begins an upload, and leaves it there.
fn begin(relay: &TestRelay, author: &Author, number: u64) -> TcpStream {
    let bytes = pdf(number);
    let mut socket = TcpStream::connect(relay.address()).unwrap();
    let head = format!(
        "PUT /upload HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nContent-Type: application/pdf\r\n\
         Content-Length: {}\r\n\r\n",
        relay.address(),
        token(author, "upload", &[hash(&bytes)]),
        bytes.len()
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(&bytes[..10]).unwrap();
    socket
}

#[tokio::test]
async fn b9_a_reload_makes_no_second_set_of_places() {
    let folder = tempfile::tempdir().unwrap();
    let table = |further: &str| {
        let path = folder.path().display();
        format!(
            "[extensions.blossom_policy]\npath = '{path}'\nupload_idle_timeout = '1h'\n\
             rates.uploads_per_minute_and_ip = 10000\nrates.uploads_per_minute = 10000\n{further}"
        )
    };
    let setup = TestRelay::of::<crate::BlossomPolicy>();
    let mut relay = setup.config(&table("max_uploads = 2")).start().await;
    let (alice, incoming) = (Author::new(1), folder.path().join("incoming"));
    let under_way = || std::fs::read_dir(&incoming).unwrap().count();
    let first = begin(&relay, &alice, 1);
    let second = begin(&relay, &alice, 2);
    until("both are under way", async || under_way() == 2).await;
    let third = async |relay: &TestRelay| {
        let bytes = pdf(3);
        upload(relay, &alice, "application/pdf", &bytes).await
    };
    assert_refused(&third(&relay).await, 503, "as many transfers");

    // What a quota is changes no running server: it is built anew.
    let changed = table("max_uploads = 2\nquota.blobs_per_pubkey = 77");
    relay.reconfigure(&changed).await.unwrap();
    assert_refused(&third(&relay).await, 503, "as many transfers");
    // One place more is one more.
    let wider = table("max_uploads = 3");
    relay.reconfigure(&wider).await.unwrap();
    let fourth = begin(&relay, &alice, 4);
    until("three are under way", async || under_way() == 3).await;
    assert_refused(&third(&relay).await, 503, "as many transfers");
    drop((first, second, fourth));
    until("the places are given back", async || {
        third(&relay).await.status == 201
    })
    .await;
}
