//! Where redirects lead, and what goes along: secrets and bodies stay with the origin they were for.

use super::*;

#[tokio::test]
async fn e1_outbound_checks_every_redirect() {
    let (relay, client) = start("redirects", LOCAL).await;
    let (other, asked) = serve("127.0.0.2", |_| ok("secret")).await;
    let targets = [
        format!("http://{other}/"),
        format!("//{other}/"),
        format!("http://[::ffff:127.0.0.2]:{}/", other.port()),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "file:///etc/passwd".to_owned(),
        "http://user:pass@127.0.0.1/".to_owned(),
        "http://[".to_owned(),
    ];
    let answers = targets.clone();
    let (server, _) = serve("127.0.0.1", move |request| {
        let number: usize = request["GET /".len()..][..1].parse().unwrap();
        redirect(302, &answers[number])
    })
    .await;
    for (number, target) in targets.iter().enumerate() {
        let said = refused(&client, &format!("http://{server}/{number}")).await;
        assert!(!said.contains("meta-data"), "{target}: {said}");
    }
    assert_eq!(asked.lock().unwrap().len(), 0);
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_takes_no_secret_to_another_origin() {
    let both = "allow_private = ['127.0.0.0/30']\n";
    let (relay, client) = start("secrets", both).await;
    let (other, asked) = serve("127.0.0.2", |_| ok("here")).await;
    let (server, first) = serve("127.0.0.1", move |request| {
        match request.contains("/away") {
            true => redirect(303, &format!("http://{other}/")),
            false => redirect(307, "/away"),
        }
    })
    .await;
    let request = client.post(&format!("http://{server}/"));
    let request = request
        .header("authorization", "Bearer s")
        .header("accept", "text/plain");
    let answer = request.header("x-key", "k").body("a").send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "here");
    let first = first.lock().unwrap().clone();
    assert_eq!(first.len(), 2);
    for request in first {
        assert!(
            request.starts_with("POST") && request.ends_with("\r\n\r\na"),
            "{request}"
        );
        assert!(request.contains("authorization: Bearer s"), "{request}");
    }
    let there = asked.lock().unwrap().remove(0);
    assert!(
        there.starts_with("GET / ") && there.ends_with("\r\n\r\n"),
        "{there}"
    );
    assert!(there.contains("accept: text/plain"), "{there}");
    assert!(
        !there.contains("Bearer") && !there.contains("x-key"),
        "{there}"
    );
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_takes_no_body_to_another_origin() {
    let both = "allow_private = ['127.0.0.0/30']\n";
    let (relay, client) = start("bodies elsewhere", both).await;
    let (other, asked) = serve("127.0.0.2", |_| ok("here")).await;
    let (server, _) = serve("127.0.0.1", move |request| {
        let status = request.split(['/', ' ']).nth(2).unwrap();
        redirect(status.parse().unwrap(), &format!("http://{other}/"))
    })
    .await;
    for status in [307, 308] {
        let request = client.post(&format!("http://{server}/{status}"));
        let answer = request.body("client_secret=s").send().await;
        assert!(
            matches!(answer, Err(OutboundError::BodyElsewhere)),
            "{answer:?}"
        );
        assert_eq!(asked.lock().unwrap().len(), 0);
    }
    // Without a body there is nothing to keep.
    let request = client.delete(&format!("http://{server}/307"));
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert!(asked.lock().unwrap()[0].starts_with("DELETE / "));
    relay.host.shutdown().await;
}

#[tokio::test]
async fn e1_outbound_ends_a_chain_of_redirects() {
    let (relay, client) = start("chain", &format!("{LOCAL}max_redirects = 2")).await;
    let (server, asked) = serve("127.0.0.1", |_| redirect(302, "/again")).await;
    let ended = text_of(&client, &format!("http://{server}/")).await;
    assert!(
        matches!(ended, Err(OutboundError::Redirects(2))),
        "{ended:?}"
    );
    assert_eq!(asked.lock().unwrap().len(), 3);
    relay.host.shutdown().await;
}
