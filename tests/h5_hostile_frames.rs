//! H5, H6: frames and messages that mean harm: the relay may refuse or hang up, and nobody else notices.

use trellis_test_support::raw::{self, RawSocket};
use trellis_test_support::{Author, Client, Relay, json, process, trellis};

/// A small generator of numbers (xorshift), so that a failure can be repeated by its seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap_or(0)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// A valid message with a few bytes changed, left out or repeated.
fn mutated(numbers: &mut Numbers, seeds: &[String]) -> Vec<u8> {
    let mut bytes = seeds[numbers.below(seeds.len())].clone().into_bytes();
    for _ in 0..1 + numbers.below(6) {
        let at = numbers.below(bytes.len());
        match numbers.below(5) {
            0 => bytes[at] = numbers.next().to_le_bytes()[0],
            1 => bytes.truncate(at),
            2 => {
                let again = bytes[at..].to_vec();
                bytes.extend(again);
            }
            3 => bytes.insert(at, br#"[]{}",:\0"#[numbers.below(9)]),
            _ => {
                bytes.remove(at);
            }
        }
        if bytes.is_empty() {
            bytes.push(b'[');
        }
    }
    bytes
}

async fn assert_unharmed(relay: &Relay, witness: &mut Client, seed: u64) {
    witness.assert_alive().await;
    let log = relay.log();
    assert!(!log.contains("panicked"), "seed {seed}: {log}");
}

#[tokio::test]
async fn h5_ten_thousand_hostile_messages_harm_nobody() {
    const SEED: u64 = 0x7e11_15ca_fe00_0001;
    let relay = trellis!().start().await;
    let mut witness = Client::connect(&relay).await;
    let author = Author::new();
    let event = author
        .draft(1)
        .tag(&["t", "x"])
        .content("ünï\n")
        .sign()
        .as_json();
    let seeds = [
        format!(r#"["EVENT",{event}]"#),
        format!(r#"["AUTH",{event}]"#),
        r##"["REQ","s",{"kinds":[1],"#t":["x"],"since":1,"until":99,"limit":3}]"##.to_owned(),
        r#"["COUNT","s",{"authors":["00"]},{"ids":[]}]"#.to_owned(),
        r#"["CLOSE","s"]"#.to_owned(),
        r#"["NEG-OPEN","n",{"kinds":[1]},"6100000200"]"#.to_owned(),
        r#"["NEG-MSG","n","61"]"#.to_owned(),
    ];
    let mut numbers = Numbers(SEED);
    let mut socket = RawSocket::upgraded(&relay).await;
    for i in 0..10_000 {
        let bytes = mutated(&mut numbers, &seeds);
        // Text frames with bytes that are no UTF-8 end the connection; then the next one goes on.
        if !socket.send_frame(true, raw::TEXT, &bytes).await || i % 500 == 499 {
            socket.send_frame(true, raw::CLOSE, &[]).await;
            socket.read_to_end().await;
            socket = RawSocket::upgraded(&relay).await;
            assert_unharmed(&relay, &mut witness, SEED).await;
        }
    }
    socket.send_frame(true, raw::CLOSE, &[]).await;
    socket.read_to_end().await;
    assert_unharmed(&relay, &mut witness, SEED).await;
}

#[tokio::test]
async fn h5_hostile_bytes_below_the_message_harm_nobody() {
    const SEED: u64 = 0x7e11_15ca_fe00_0002;
    let relay = trellis!().start().await;
    let mut witness = Client::connect(&relay).await;
    let mut numbers = Numbers(SEED);
    for _ in 0..300 {
        let mut socket = RawSocket::upgraded(&relay).await;
        let count = numbers.below(300);
        let noise = numbers.bytes(count);
        socket.send(&noise).await;
    }
    assert_unharmed(&relay, &mut witness, SEED).await;
}

#[tokio::test]
async fn h5_frames_against_the_protocol_end_the_connection() {
    let relay = trellis!().start().await;
    let mut witness = Client::connect(&relay).await;
    let req = br#"["REQ","s",{"limit":0}]"#;
    let unmasked = [&[0x81, 5][..], b"hello"].concat();
    let mut reserved_bits = raw::frame(true, raw::TEXT, req);
    reserved_bits[0] |= 0x70;
    let cases = [
        ("unmasked", unmasked),
        ("reserved bits", reserved_bits),
        ("unknown opcode", raw::frame(true, 0x3, b"?")),
        ("unknown control opcode", raw::frame(true, 0xB, b"?")),
        ("ping in parts", raw::frame(false, raw::PING, b"part")),
        ("ping too long", raw::frame(true, raw::PING, &[b'p'; 126])),
        (
            "continuation of nothing",
            raw::frame(true, raw::CONTINUATION, req),
        ),
        (
            "text in a text",
            [
                raw::frame(false, raw::TEXT, b"["),
                raw::frame(true, raw::TEXT, req),
            ]
            .concat(),
        ),
        (
            "no UTF-8",
            raw::frame(true, raw::TEXT, &[b'[', b'"', 0xc3, 0x28, b'"', b']']),
        ),
        ("close with one byte", raw::frame(true, raw::CLOSE, &[3])),
    ];
    for (what, bytes) in cases {
        let mut socket = RawSocket::upgraded(&relay).await;
        socket.send(&bytes).await;
        // Refused in one of two ways: the connection ends, or a NOTICE says what is wrong. Were it neither, this would wait
        // in vain.
        while let Some(frame) = socket.next_frame().await {
            assert!(
                !frame.payload.starts_with(b"[\"EOSE\""),
                "{what} was carried out"
            );
            if frame.payload.starts_with(b"[\"NOTICE\"") {
                break;
            }
        }
        witness.assert_alive().await;
    }
}

#[tokio::test]
async fn h6_filters_that_ask_for_much_do_not_fill_the_memory() {
    let relay = trellis!().start().await;
    let mut client = Client::connect(&relay).await;
    client.store_all(&Author::new().notes(100)).await;
    let before = process::own_memory_bytes(relay.pid());
    let values: Vec<String> = (0..1_500).map(|i| format!("{i:064x}")).collect();
    let filter = json!({"ids": values, "authors": values});
    for _ in 0..100 {
        assert_eq!(client.query(filter.clone()).await, []);
    }
    for i in 0..90 {
        client
            .subscribe(&format!("s{i}"), std::slice::from_ref(&filter))
            .await;
        match client.stored(&format!("s{i}")).await {
            Ok(events) => assert_eq!(events, []),
            Err(reason) => assert!(reason.contains("open subscriptions"), "{reason}"),
        }
    }
    let after = process::own_memory_bytes(relay.pid());
    assert!(
        after < before + (128 << 20),
        "{before} grew to {after} bytes"
    );
}

#[tokio::test]
async fn h6_half_open_handshakes_keep_nobody_out() {
    let relay = trellis!()
        .config("[network]\nhandshake_timeout = \"5s\"")
        .start()
        .await;
    let mut half_open = Vec::new();
    for _ in 0..400 {
        let mut socket = RawSocket::open(&relay).await;
        socket.send(b"GET / HTTP/1.1\r\nHost: x\r\n").await;
        half_open.push(socket);
    }
    Client::connect(&relay).await.assert_alive().await;
    for mut socket in half_open {
        socket.read_to_end().await;
    }
}
