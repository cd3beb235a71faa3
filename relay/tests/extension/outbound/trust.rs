//! Whom the client trusts: certificates, strict requests, and addresses that strangers name.

use super::*;

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Response {
        status,
        headers: headers.collect(),
        body: body.as_bytes().to_vec(),
    }
}

/// The table without its name, as `start` takes it.
fn keys_of(server: &HttpsServer) -> String {
    server.outbound().replace("[outbound]", "")
}

#[tokio::test]
async fn e1_outbound_trusts_whom_the_operator_trusts_and_nobody_else() {
    let server = HttpsServer::start(|_| answer(200, &[], "by TLS"));
    let (relay, client) = start("tls", &keys_of(&server)).await;
    assert_eq!(text_of(&client, &server.url("/")).await.unwrap(), "by TLS");
    // The certificate says nothing of this name, which leads to the same address.
    let other = format!("https://localhost.:{}/", server.address().port());
    assert!(text_of(&client, &other).await.is_err());
    set(&relay, LOCAL);
    let error = text_of(&client, &server.url("/")).await.unwrap_err();
    assert!(matches!(error, OutboundError::Failed { .. }), "{error}");
    assert_eq!(server.asked().len(), 1);
    set(&relay, "trusted_certificates = ['/nowhere/authority.pem']");
    let error = text_of(&client, &server.url("/")).await.unwrap_err();
    assert!(
        error.to_string().contains("/nowhere/authority.pem"),
        "{error}"
    );
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_strict_requests_follow_no_redirect_and_speak_no_plain_http() {
    let server = HttpsServer::start(|asked| match asked.head.starts_with("GET /away ") {
        true => answer(302, &[("location", "http://10.0.0.1/")], ""),
        false => answer(200, &[], "here"),
    });
    let (relay, client) = start("strict", &keys_of(&server)).await;
    let here = client.get(&server.url("/")).strict().send().await.unwrap();
    assert_eq!(here.text().await.unwrap(), "here");
    let away = client.get(&server.url("/away")).strict().send().await;
    let away = away.unwrap();
    assert_eq!(away.status(), 302);
    assert_eq!(away.header("location"), Some("http://10.0.0.1/"));
    for host in [
        "[::2]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",
        "[fe80::1]",
        "0x0a.1",
        "10.0.0.1",
    ] {
        let private = client
            .get(&format!("https://{host}/"))
            .strict()
            .send()
            .await;
        assert!(
            matches!(private, Err(OutboundError::Private { .. })),
            "{host}: {private:?}"
        );
    }
    let (plain, asked) = serve("127.0.0.1", |_| ok("plain")).await;
    let error = client.get(&format!("http://{plain}/")).strict().send();
    assert!(matches!(error.await, Err(OutboundError::Url(_))));
    assert_eq!(asked.lock().unwrap().len(), 0);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_what_is_opened_for_an_extension_is_not_open_to_strangers() {
    let server = HttpsServer::start(|_| answer(200, &[], "here"));
    let one_at_a_time = format!("{}\nmax_concurrent = 1", keys_of(&server));
    let (relay, client) = start("narrowed", &one_at_a_time).await;
    let ask = async |client: &HttpClient| {
        let asked = client.get(&server.url("/")).strict().send().await;
        asked.map(|answer| answer.status())
    };
    assert_eq!(ask(&client).await.unwrap(), 200);
    let strangers = client.narrowed(Vec::new());
    let refused = ask(&strangers).await;
    assert!(
        matches!(refused, Err(OutboundError::Private { .. })),
        "{refused:?}"
    );
    let address = format!("https://{}/", server.address());
    let refused = strangers.get(&address).unfollowed().send().await;
    assert!(
        matches!(refused, Err(OutboundError::Private { .. })),
        "{refused:?}"
    );
    let local = ["127.0.0.0/8", "::1"].map(|it| it.parse().unwrap());
    let strangers = client.narrowed(local.to_vec());
    assert_eq!(ask(&strangers).await.unwrap(), 200);
    // One who does not answer keeps strangers' requests waiting, and no other.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let waiting = tokio::spawn(strangers.get(&url).unfollowed().send());
    let held = silent.accept().await.unwrap();
    assert_eq!(ask(&client).await.unwrap(), 200);
    waiting.abort();
    drop(held);
    // What the operator has not opened is not opened by a list of the extension's.
    let (closed, client) = start("closed", "").await;
    let refused = ask(&client.narrowed(local.to_vec())).await;
    assert!(
        matches!(refused, Err(OutboundError::Private { .. })),
        "{refused:?}"
    );
    relay.host.shutdown().await;
    closed.host.shutdown().await;
}
