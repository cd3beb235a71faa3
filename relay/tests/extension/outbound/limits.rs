//! What bounds a request: its length, its time, its turn, and what a reload forbids.

use super::*;

#[tokio::test]
async fn e1_outbound_bodies_are_bounded_announced_or_not() {
    let (relay, client) = start("bodies", &format!("{LOCAL}max_body_bytes = 1000")).await;
    let (server, _) = serve("127.0.0.1", |request| {
        let body = "x".repeat(1_001);
        match request.contains("/announced") {
            true => ok(&body),
            // Until the connection ends.
            false => format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}"),
        }
    })
    .await;
    for path in ["announced", "endless"] {
        let url = format!("http://{server}/{path}");
        let cut = text_of(&client, &url).await;
        assert!(
            matches!(cut, Err(OutboundError::TooLarge(1_000))),
            "{cut:?}"
        );
        // A request can ask for less and not for more.
        for (asked_for, bound) in [(10, 10), (5_000, 1_000)] {
            let answer = client.get(&url).max_body_bytes(asked_for).send().await;
            let cut = answer.unwrap().bytes().await;
            assert!(matches!(cut, Err(OutboundError::TooLarge(bytes)) if bytes == bound));
        }
    }
    set(&relay, &format!("{LOCAL}max_body_bytes = 1001"));
    let whole = text_of(&client, &format!("http://{server}/endless")).await;
    assert_eq!(whole.unwrap().len(), 1_001, "a reload counts at once");
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_takes_back_what_a_reload_forbids() {
    let (relay, client) = start("reload", LOCAL).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    // A connection that stays open, and would be used again.
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        while !read_request(&mut stream).await.is_empty() {
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    assert_eq!(text_of(&client, &url).await.unwrap(), "hi");
    assert_eq!(text_of(&client, &url).await.unwrap(), "hi");
    set(&relay, "");
    refused(&client, &url).await;
    relay.host.shutdown().await;
}

/// A server that takes requests and never ends its answers: it says nothing, or one byte after the other.
async fn slow_server(byte: Option<&'static [u8]>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                read_request(&mut stream).await;
                let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
                if byte.is_some() {
                    stream.write_all(head).await.unwrap();
                }
                let mut tick = tokio::time::interval(Duration::from_millis(20));
                loop {
                    tick.tick().await;
                    if stream.write_all(byte.unwrap_or_default()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn e1_outbound_answers_have_a_deadline_as_a_whole() {
    let (relay, client) = start("slow", &format!("{LOCAL}timeout = '300ms'")).await;
    for byte in [None, Some(b"x".as_slice())] {
        let url = format!("http://{}/", slow_server(byte).await);
        let late = text_of(&client, &url).await;
        assert!(matches!(late, Err(OutboundError::Timeout(_))), "{late:?}");
        // A request can ask for less and not for more.
        for (ms, bound_ms) in [(50, 50), (60_000, 300)] {
            let asked_for = Duration::from_millis(ms);
            let late = match client.get(&url).timeout(asked_for).send().await {
                Ok(answer) => answer.bytes().await.map(drop),
                Err(error) => Err(error),
            };
            let bound = Duration::from_millis(bound_ms);
            assert!(
                matches!(late, Err(OutboundError::Timeout(it)) if it == bound),
                "{late:?}"
            );
        }
    }
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_requests_take_turns_and_wait_in_a_bounded_line() {
    let one = format!("{LOCAL}max_concurrent = 1\nmax_waiting = 1");
    let (relay, client) = start("turns", &one).await;
    let (server, asked) = serve("127.0.0.1", |_| ok("here")).await;
    let url = format!("http://{server}/");
    let running = client.get(&url).send().await.unwrap();
    let ask = || Box::pin(text_of(&client, &url));
    // Of two more, one stands in line; the other is told that it is full.
    let (full, waiting) = select(ask(), ask()).await.factor_first();
    assert!(matches!(full, Err(OutboundError::Busy(1))), "{full:?}");
    assert_eq!(asked.lock().unwrap().len(), 1);
    assert_eq!(running.text().await.unwrap(), "here");
    assert_eq!(waiting.await.unwrap(), "here");
    // An answer that nobody reads gives its place back when it is dropped.
    for _ in 0..3 {
        drop(client.get(&url).send().await.unwrap());
    }
    relay.host.shutdown().await;
}
