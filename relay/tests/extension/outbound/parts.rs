//! Bodies that are sent in parts.

use super::*;

fn in_parts(
    parts: &'static [&'static str],
) -> impl futures_util::Stream<Item = std::io::Result<bytes::Bytes>> {
    futures_util::stream::iter(parts).map(|it| Ok(bytes::Bytes::from_static(it.as_bytes())))
}

#[tokio::test]
async fn e1_outbound_sends_what_comes_in_parts_with_its_length() {
    let (_relay, client) = start("parts", LOCAL).await;
    let (server, asked) = serve("127.0.0.1", |_| ok("stored")).await;
    let url = format!("http://{server}/upload");
    let parts = in_parts(&["what ", "", "is long"]);
    let answer = client.put(&url).stream(12, parts).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "stored");
    let sent = asked.lock().unwrap()[0].clone();
    assert!(
        sent.contains("content-length: 12\r\n") && sent.ends_with("\r\n\r\nwhat is long"),
        "{sent}"
    );

    assert!(!sent.contains("accept-encoding"), "{sent}");
    for wrong in [11, 13] {
        let parts = in_parts(&["what ", "is long"]);
        let broken = client.put(&url).stream(wrong, parts).send().await;
        assert!(
            matches!(broken, Err(OutboundError::Failed { .. })),
            "{broken:?}"
        );
    }
    let failing = futures_util::stream::iter([Err(std::io::Error::other("the disk is gone"))]);
    let broken = client.put(&url).stream(12, failing).send().await;
    assert!(
        matches!(broken, Err(OutboundError::Failed { .. })),
        "{broken:?}"
    );
}

#[tokio::test]
async fn e1_outbound_sends_parts_once_and_leaves_redirects_to_who_wants_them() {
    let (_relay, client) = start("parts_redirected", LOCAL).await;
    let (server, asked) = serve("127.0.0.1", |request| match request {
        kept if kept.contains(" /kept ") => redirect(307, "/end"),
        moved if moved.contains(" /moved ") => redirect(303, "/end"),
        _ => ok("the end"),
    })
    .await;
    let ask = |path: &str| client.put(&format!("http://{server}{path}"));
    let kept = ask("/kept").stream(4, in_parts(&["long"])).send().await;
    assert!(matches!(kept, Err(OutboundError::BodySent)), "{kept:?}");
    let moved = ask("/moved").stream(4, in_parts(&["long"])).send().await;
    assert_eq!(moved.unwrap().text().await.unwrap(), "the end");
    assert!(
        asked
            .lock()
            .unwrap()
            .last()
            .unwrap()
            .starts_with("GET /end ")
    );

    let looked_at = asked.lock().unwrap().len();
    let answer = ask("/kept")
        .stream(4, in_parts(&["long"]))
        .unfollowed()
        .send()
        .await
        .unwrap();
    assert_eq!(
        (answer.status(), answer.header("location")),
        (307, Some("/end"))
    );
    assert_eq!(asked.lock().unwrap().len(), looked_at + 1);
    // Addresses are looked at all the same.
    let private = client.get("http://127.0.0.2/").unfollowed().send().await;
    assert!(
        matches!(private, Err(OutboundError::Private { .. })),
        "{private:?}"
    );
}
