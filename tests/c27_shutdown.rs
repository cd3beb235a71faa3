//! C27: SIGTERM under load: what was answered OK is kept, clients are told to go, and the process ends.

use std::collections::HashSet;
use trellis_test_support::client::ids;
use trellis_test_support::{Author, Client, Event, Relay, Reply, json, trellis};

/// Publishes all it can, and tells when so many are answered; every id answered OK, and the close code.
async fn publish_to_the_end(
    relay: &Relay,
    events: &[Event],
    then: impl AsyncFn(usize),
) -> (Vec<String>, Option<u16>) {
    let mut client = Client::connect(relay).await;
    let mut acknowledged = Vec::new();
    for some in events.chunks(50) {
        for event in some {
            let text = format!(r#"["EVENT",{}]"#, event.as_json());
            if client.try_send(text.into()).await.is_err() {
                break;
            }
        }
        for _ in some {
            match client.next().await {
                Some(Reply::Ok(id, verdict)) if verdict.accepted => acknowledged.push(id),
                // An event that came too late may be refused, never forgotten after an OK.
                Some(Reply::Ok(_, verdict)) => {
                    assert!(verdict.message.starts_with("error:"), "{}", verdict.message)
                }
                Some(Reply::Notice(_)) => {}
                Some(other) => panic!("{other:?}"),
                None => break,
            }
        }
        then(acknowledged.len()).await;
    }
    let code = client.closed_by_relay().await;
    (acknowledged, code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c27_a_relay_that_is_asked_to_stop_keeps_what_it_acknowledged() {
    let relay = trellis!()
        .config("[limitation]\nmax_limit = 20000")
        .start()
        .await;
    let (ann, bob) = (Author::new(), Author::new());
    let events = |author: &Author| -> Vec<Event> {
        (0..3_000).map(|i| author.note(&i.to_string())).collect()
    };
    let (of_ann, of_bob) = (events(&ann), events(&bob));
    let stop = async |acknowledged: usize| {
        if acknowledged == 500 {
            relay.ask_to_stop();
        }
    };
    let (one, two) = tokio::join!(
        publish_to_the_end(&relay, &of_ann, stop),
        publish_to_the_end(&relay, &of_bob, async |_| {}),
    );
    let (status, setup) = relay.stop().await;
    assert!(status.success(), "{status}");
    assert_eq!(
        one.1,
        Some(1001),
        "clients are told that the relay goes away"
    );
    assert_eq!(
        two.1,
        Some(1001),
        "clients are told that the relay goes away"
    );

    let relay = setup.start().await;
    let mut client = Client::connect(&relay).await;
    let found: HashSet<String> = ids(&client.query(json!({})).await).into_iter().collect();
    for id in one.0.iter().chain(&two.0) {
        assert!(found.contains(id), "answered OK and lost: {id}");
    }
}

#[tokio::test]
async fn c27_idle_clients_are_closed_with_1001() {
    let relay = trellis!().start().await;
    let mut clients = Vec::new();
    for i in 0..20 {
        let mut client = Client::connect(&relay).await;
        client
            .subscribe(&format!("s{i}"), &[json!({"kinds": [1]})])
            .await;
        assert_eq!(client.stored(&format!("s{i}")).await, Ok(vec![]));
        clients.push(client);
    }
    relay.ask_to_stop();
    for client in &mut clients {
        assert_eq!(client.closed_by_relay().await, Some(1001));
    }
    let (status, _) = relay.stop().await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn c27_clients_that_do_not_answer_do_not_hold_it_up() {
    use trellis_test_support::raw::{self, RawSocket};
    let relay = trellis!().start().await;
    let half_open = RawSocket::open(&relay).await;
    let mut in_a_frame = RawSocket::upgraded(&relay).await;
    in_a_frame
        .send(&raw::frame_head(true, raw::TEXT, 1_000))
        .await;
    let silent = RawSocket::upgraded(&relay).await;
    let (status, _) = relay.stop().await;
    assert!(status.success(), "{status}");
    drop((half_open, in_a_frame, silent));
}
