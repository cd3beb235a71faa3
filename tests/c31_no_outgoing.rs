//! C31: with defaults the relay opens no connection of its own, whatever clients send it.

use trellis_test_support::{Author, Client, json, process, trellis};

#[tokio::test]
async fn c31_no_event_makes_the_relay_call_out() {
    let relay = trellis!().start().await;
    let port = relay.address().port();
    let mut client = Client::connect(&relay).await;
    let author = Author::new();
    client.login(&author).await;
    let elsewhere = "ws://127.0.0.2:9";
    for event in [
        author.draft(10_002).tag(&["r", elsewhere]).sign(),
        author
            .draft(0)
            .content(r#"{"nip05":"ann@127.0.0.2:9","picture":"http://127.0.0.2:9/a.png"}"#)
            .sign(),
        author
            .draft(1)
            .content("http://127.0.0.2:9/")
            .tag(&["e", &"0".repeat(64), elsewhere])
            .sign(),
        author
            .draft(3)
            .tag(&["p", &author.pubkey(), elsewhere])
            .sign(),
        author
            .draft(10_063)
            .tag(&["server", "http://127.0.0.2:9"])
            .sign(),
    ] {
        client.publish(&event).await;
        assert_eq!(process::outgoing(relay.pid(), port), Vec::<String>::new());
    }
    client.query(json!({})).await;
    assert_eq!(process::outgoing(relay.pid(), port), Vec::<String>::new());
}
