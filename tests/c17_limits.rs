//! C17: what a client can make the relay hold is bounded before it costs anything.

use trellis_test_support::raw::{self, Frame, RawSocket};
use trellis_test_support::reply::assert_reason;
use trellis_test_support::{Author, Client, Relay, Reply, json, process, trellis, wait};

const MEBIBYTE: u64 = 1 << 20;

/// The text of the NOTICE that a raw frame carries, if it does.
fn notice(frame: &Frame) -> Option<String> {
    let text = std::str::from_utf8(&frame.payload).ok()?;
    match (frame.opcode, Reply::parse(text)) {
        (raw::TEXT, Reply::Notice(text)) => Some(text),
        _ => None,
    }
}

/// Reads up to the refusal of an oversize message: a NOTICE, or a close with code 1009, or both.
async fn oversize_refusal(socket: &mut RawSocket) {
    while let Some(frame) = socket.next_frame().await {
        if frame.opcode == raw::CLOSE {
            assert_eq!(frame.payload.get(..2), Some(&1009_u16.to_be_bytes()[..]));
            return;
        }
        if frame.opcode == raw::TEXT && !frame.payload.starts_with(b"[\"AUTH\"") {
            let text = notice(&frame).expect("a notice");
            assert_reason(&text, "invalid:", "larger than");
            return;
        }
    }
    panic!("closed without a word");
}

#[tokio::test]
async fn c17_a_message_is_measured_over_all_its_frames() {
    let relay = trellis!()
        .config("[limitation]\nmax_message_length = 2000")
        .start()
        .await;
    let mut socket = RawSocket::upgraded(&relay).await;
    assert!(socket.send_frame(false, raw::TEXT, &[b' '; 900]).await);
    assert!(
        socket
            .send_frame(false, raw::CONTINUATION, &[b' '; 900])
            .await
    );
    // The relay may hang up before the last frame is out.
    socket
        .send_frame(true, raw::CONTINUATION, &[b' '; 900])
        .await;
    oversize_refusal(&mut socket).await;

    // Frames that stay below the limit together make a message.
    let mut socket = RawSocket::upgraded(&relay).await;
    let text = json!(["REQ", "s", {"kinds": [1]}]).to_string();
    let (head, tail) = text.as_bytes().split_at(9);
    socket.send_frame(false, raw::TEXT, head).await;
    socket.send_frame(true, raw::PING, b"between").await;
    socket.send_frame(true, raw::CONTINUATION, tail).await;
    loop {
        let frame = socket.next_frame().await.expect("an open connection");
        if frame.payload.starts_with(b"[\"EOSE\"") {
            break;
        }
    }
}

/// Sends a frame's head and then chunks of its payload, as long as the relay takes them.
async fn pour(socket: &mut RawSocket, head: &[u8], chunk: &[u8]) {
    let mut open = socket.send(head).await;
    for _ in 0..1_000 {
        open = open && socket.send(chunk).await;
    }
}

/// Fails where the relay has grown by more than a few messages' worth.
#[track_caller]
fn assert_not_grown(relay: &Relay, before: u64) {
    let after = process::own_memory_bytes(relay.pid());
    assert!(
        after < before + 32 * MEBIBYTE,
        "{before} grew to {after} bytes"
    );
}

#[tokio::test]
async fn c17_endless_continuation_frames_do_not_fill_the_memory() {
    let relay = trellis!().start().await;
    Client::connect(&relay).await.assert_alive().await;
    let before = process::own_memory_bytes(relay.pid());
    let chunk = vec![b'x'; 64 * 1024];
    for _ in 0..4 {
        let mut socket = RawSocket::upgraded(&relay).await;
        let mut open = socket.send_frame(false, raw::TEXT, &chunk).await;
        for _ in 0..1_000 {
            open = open && socket.send_frame(false, raw::CONTINUATION, &chunk).await;
        }
        assert_not_grown(&relay, before);
    }
    Client::connect(&relay).await.assert_alive().await;
}

#[tokio::test]
async fn c17_a_frame_that_claims_a_huge_length_does_not_fill_the_memory() {
    let relay = trellis!().start().await;
    Client::connect(&relay).await.assert_alive().await;
    let before = process::own_memory_bytes(relay.pid());
    let chunk = vec![b'x'; 64 * 1024];
    for claimed in [1 << 30, u64::MAX >> 1, u64::MAX] {
        let mut socket = RawSocket::upgraded(&relay).await;
        pour(
            &mut socket,
            &raw::frame_head(true, raw::TEXT, claimed),
            &chunk,
        )
        .await;
        assert_not_grown(&relay, before);
    }
    Client::connect(&relay).await.assert_alive().await;
}

#[tokio::test]
async fn c17_a_frame_that_claims_too_much_is_refused_before_it_comes() {
    let relay = trellis!()
        .config("[limitation]\nmax_message_length = 2000")
        .start()
        .await;
    for (claimed, opcode) in [
        (2_001, raw::TEXT),
        (1 << 20, raw::TEXT),
        (1 << 40, raw::BINARY),
    ] {
        let mut socket = RawSocket::upgraded(&relay).await;
        let head = raw::frame_head(true, opcode, claimed);
        assert!(socket.send(&head).await);
        oversize_refusal(&mut socket).await;
        while socket.next_frame().await.is_some() {}
    }
}

#[tokio::test]
async fn c17_other_clients_live_on_when_one_sends_too_much() {
    let relay = trellis!()
        .config("[limitation]\nmax_message_length = 2000")
        .start()
        .await;
    let mut other = Client::connect(&relay).await;
    let mut socket = RawSocket::upgraded(&relay).await;
    socket.send_frame(true, raw::TEXT, &[b'['; 3_000]).await;
    oversize_refusal(&mut socket).await;
    other.assert_alive().await;
}

#[tokio::test]
async fn c17_tags_and_their_bytes_are_bounded() {
    let relay = trellis!()
        .config("[limitation]\nmax_event_tags = 10\nmax_tag_bytes = 100")
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    let tagged = |count: usize| {
        (0..count)
            .fold(author.draft(1), |draft, i| {
                draft.tag(&["t", &i.to_string()])
            })
            .sign()
    };
    client.store(&tagged(10)).await;
    client
        .publish(&tagged(11))
        .await
        .assert_refused("invalid:", "tags");
    // All strings of a tag count, the name too.
    client
        .store(
            &author
                .draft(1)
                .tag(&["t", &"v".repeat(50), &"w".repeat(49)])
                .sign(),
        )
        .await;
    let fat = author
        .draft(1)
        .tag(&["t", &"v".repeat(50), &"w".repeat(50)])
        .sign();
    client.publish(&fat).await.assert_refused("invalid:", "tag");
}

#[tokio::test]
async fn c17_subscriptions_of_a_connection_are_bounded_and_a_flood_harms_nobody() {
    let relay = trellis!()
        .config("[limitation]\nmax_subscriptions = 20")
        .start()
        .await;
    let mut flood = Client::connect(&relay).await;
    let (mut open, mut refused) = (0, 0);
    for i in 0..300 {
        flood
            .subscribe(&format!("s{i}"), &[json!({"kinds": [1], "limit": 0})])
            .await;
    }
    while open + refused < 300 {
        match flood.next().await.expect("an open connection") {
            Reply::Eose(_) => open += 1,
            Reply::Closed(_, reason) => {
                assert_reason(&reason, "blocked:", "subscriptions");
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((open, refused), (20, 280));
    Client::connect(&relay).await.assert_alive().await;
}

/// Behind a proxy that is trusted, so that every client can have an address of its own.
async fn proxied(limits: &str) -> Relay {
    let config = format!(
        "[network]\nreal_ip_header = \"X-Real-IP\"\ntrusted_proxies = [\"127.0.0.1/32\"]\n{limits}"
    );
    trellis!().config(&config).start().await
}

async fn connect_from(relay: &Relay, address: &str) -> Option<Client> {
    let mut client = Client::connect_with(relay, &[("X-Real-IP", address)])
        .await
        .ok()?;
    client
        .subscribe("first", &[json!({"kinds": [1], "limit": 0})])
        .await;
    match client.next().await? {
        Reply::Eose(_) => Some(client),
        _ => None,
    }
}

#[tokio::test]
async fn c17_connections_from_one_address_are_bounded() {
    let relay = proxied("max_connections_per_ip = 3").await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(
            connect_from(&relay, "203.0.113.7")
                .await
                .expect("within the limit"),
        );
    }
    assert!(
        connect_from(&relay, "203.0.113.7").await.is_none(),
        "the fourth"
    );
    assert!(
        connect_from(&relay, "203.0.113.8").await.is_some(),
        "another address"
    );
    held.pop();
    wait::until("room after one has left", async || {
        connect_from(&relay, "203.0.113.7").await
    })
    .await;
}

#[tokio::test]
async fn c17_a_header_is_believed_from_trusted_proxies_alone() {
    let relay = trellis!()
        .config("[network]\nreal_ip_header = \"X-Real-IP\"\nmax_connections_per_ip = 1")
        .start()
        .await;
    let mut held = Vec::new();
    for _ in 0..4 {
        // Loopback addresses are not counted, and that is what these are.
        held.push(
            connect_from(&relay, "203.0.113.7")
                .await
                .expect("a local client"),
        );
    }
}

#[tokio::test]
async fn c17_connections_in_all_are_bounded() {
    let relay = trellis!()
        .config("[network]\nmax_connections = 5")
        .start()
        .await;
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(connect_from(&relay, "").await.expect("within the limit"));
    }
    assert!(connect_from(&relay, "").await.is_none(), "the sixth");
    held.pop();
    wait::until("room after one has left", async || {
        connect_from(&relay, "").await
    })
    .await;
}

#[tokio::test]
async fn c17_half_open_handshakes_are_closed() {
    let relay = trellis!()
        .config("[network]\nhandshake_timeout = \"3s\"")
        .start()
        .await;
    let mut silent = RawSocket::open(&relay).await;
    let mut partial = RawSocket::open(&relay).await;
    assert!(partial.send(b"GET / HTTP/1.1\r\nHost: x\r\nUpgr").await);
    silent.read_to_end().await;
    partial.read_to_end().await;
    Client::connect(&relay).await.assert_alive().await;
}

#[tokio::test]
async fn c17_filters_of_open_subscriptions_are_bounded_in_bytes() {
    let relay = trellis!()
        .config("[limitation]\nmax_subscription_bytes = \"16KiB\"")
        .start()
        .await;
    let mut client = Client::connect(&relay).await;
    let values: Vec<String> = (0..100).map(|i| format!("value {i}")).collect();
    let filter = json!({"#t": values, "limit": 0});
    client.subscribe("one", std::slice::from_ref(&filter)).await;
    assert_eq!(client.stored("one").await, Ok(vec![]));
    client.subscribe("two", std::slice::from_ref(&filter)).await;
    assert_eq!(client.stored("two").await, Ok(vec![]));
    client
        .subscribe("three", &[filter.clone(), filter.clone()])
        .await;
    assert_reason(&client.closed("three").await, "blocked:", "16384 bytes");
    client.close("one").await;
    client
        .subscribe("three", std::slice::from_ref(&filter))
        .await;
    assert_eq!(client.stored("three").await, Ok(vec![]));
}

#[tokio::test]
async fn c17_queries_that_wait_for_their_client_keep_little() {
    let relay = trellis!().start().await;
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    let content = "x".repeat(50_000);
    let events: Vec<_> = (0..200)
        .map(|i| {
            author
                .draft(1)
                .tag(&["n", &i.to_string()])
                .content(&content)
                .sign()
        })
        .collect();
    client.store_all(&events).await;
    let before = process::own_memory_bytes(relay.pid());
    // Nobody reads what this connection asks for: a hundred times twenty filters for the same ten megabytes.
    let mut socket = RawSocket::upgraded(&relay).await;
    let filter = json!({"kinds": [1]}).to_string();
    for i in 0..100 {
        let filters = vec![filter.clone(); 20].join(",");
        let request = format!("[\"REQ\",\"s{i}\",{filters}]");
        socket.send_frame(true, raw::TEXT, request.as_bytes()).await;
    }
    // The relay has read all of it, or will not before the client reads.
    let mut other = Client::connect(&relay).await;
    for _ in 0..20 {
        other.assert_alive().await;
    }
    let after = process::own_memory_bytes(relay.pid());
    assert!(
        after < before + 48 * MEBIBYTE,
        "{before} grew to {after} bytes"
    );
}
