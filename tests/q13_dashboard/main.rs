//! Q13: the page of a fleet in a real browser: up to date by itself, with alerts, on a phone and a desktop, in both colour
//! schemes, and without scripts.

mod browser;
mod ground;

use browser::Browser;
use ground::Fleet;
use std::path::Path;
use trellis_test_support::{http, json};

#[tokio::test]
async fn q13_an_open_page_follows_votes_reports_and_alerts() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let fleet = Fleet::start().await;
    let mut page = browser.page().await;
    page.open(&fleet.page_url()).await;
    page.until_says("#live", "Live").await;
    page.until_says(".net", "Nothing is proposed or under way")
        .await;
    // It stays the same document all the time.
    page.value("window.opened = true").await;

    fleet.vote(0, "v1.4.0").await;
    page.until_says(".action", "Upgrade to v1.4.0").await;
    page.until_says(".action", "1 of 2 needed").await;
    page.until_says(".action .badge", "Proposed").await;
    fleet.vote(1, "v1.4.0").await;
    page.until_says(".action", "2 of 2 needed").await;
    page.until_says(".action .badge", "In progress").await;

    let error = "<img src=x onerror=\"window.harmed=1\">\u{202e} the probe did not answer";
    let failed = fleet.report("pillar-7", "v1.4.0", Some(error));
    fleet
        .send(&[fleet.report("pillar-1", "v1.4.0", None), failed])
        .await;
    page.until_says(".alert.bad", "Upgrade to v1.4.0 failed on 1 node: pillar-7")
        .await;
    page.until_says(".nodes tbody tr:first-child", "pillar-7")
        .await;
    page.until_says(".nodes tbody tr:first-child .error", "<img src=x")
        .await;
    page.until_says(".nodes tbody tr:last-child", "OK").await;

    assert_eq!(page.value("window.harmed === undefined").await, json!(true));
    assert_eq!(page.value("window.opened").await, json!(true));
    assert_eq!(page.complaints(), [""; 0]);
}

#[tokio::test]
async fn q13_a_page_finds_its_way_back_when_the_relay_was_away() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let mut fleet = Fleet::start().await;
    let mut page = browser.page().await;
    page.open(&fleet.page_url()).await;
    page.until_says("#live", "Live").await;
    let address = fleet.relay.address();
    let setup = fleet.relay.kill();
    page.until_says("#live", "Reconnecting").await;
    let setup = setup.env("TRELLIS_NETWORK__PORT", &address.port().to_string());
    fleet.relay = setup.start().await;
    fleet.vote(2, "v2.0.0").await;
    page.until_says(".action", "Upgrade to v2.0.0").await;
    page.until_says("#live", "Live").await;
}

#[tokio::test]
async fn q13_without_scripts_everything_is_there() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let fleet = Fleet::start().await;
    fleet.vote(0, "v1.4.0").await;
    fleet.vote(1, "v1.4.0").await;
    let reports: Vec<_> = (0..120)
        .map(|number| fleet.report(&format!("pillar-{number:03}"), "v1.4.0", None))
        .collect();
    fleet.send(&reports).await;
    // Without scripts an open page would not follow.
    fleet.until_shown("All 120 nodes").await;
    let mut page = browser.page().await;
    page.run_scripts(false).await;
    page.open(&fleet.page_url()).await;
    let html = page.html().await;
    for words in [
        "Upgrade to v1.4.0",
        "2</b> of 2 needed",
        "pillar-000",
        "All 120 nodes",
        "As of ",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
    assert!(html.contains("http-equiv=\"refresh\""), "{html}");
    let second = format!("{}?network=hyperqube&page=2", fleet.page_url());
    page.open(&second).await;
    let html = page.html().await;
    for words in ["101 to 120 of 120", "pillar-119", "Previous"] {
        assert!(html.contains(words), "{words}: {html}");
    }
    assert!(!html.contains("pillar-000"), "{html}");
    page.open(&format!(
        "{}?network=hyperqube&q=pillar-04",
        fleet.page_url()
    ))
    .await;
    assert!(page.html().await.contains("1 to 10 of 10"));
}

#[tokio::test]
async fn q13_it_fits_a_phone_and_a_desktop_in_light_and_dark() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let fleet = Fleet::start().await;
    fleet.vote(0, "v1.3.0").await;
    fleet.vote(1, "v1.3.0").await;
    fleet.vote(0, "v1.4.0").await;
    fleet.vote(1, "v1.4.0").await;
    fleet.vote(2, "v1.5.0-rc.1").await;
    let long = "a-node-with-quite-a-long-name-that-has-no-place-to-break.example.org";
    let error = "the health probe did not answer within 30 s after the swap; rolled back";
    let mut reports = vec![
        fleet.report(long, "v1.4.0", Some(error)),
        fleet.report("pillar-12", "v1.4.0", Some("hash mismatch")),
    ];
    reports.extend((20..60).map(|it| fleet.report(&format!("pillar-{it}"), "v1.4.0", None)));
    fleet.send(&reports).await;
    let mut page = browser.page().await;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("q13_dashboard");
    std::fs::create_dir_all(&folder).expect("a folder for pictures");
    let mut pictures = Vec::new();
    for (device, width, height) in [("phone", 390, 844), ("desktop", 1280, 900)] {
        for scheme in ["light", "dark"] {
            page.resize(width, height, device == "phone").await;
            page.prefer(scheme).await;
            page.open(&fleet.page_url()).await;
            page.until_says(".alert.bad", "failed on 2 nodes").await;
            page.until_says("#live", "Live").await;
            let wide = page.value("document.documentElement.scrollWidth").await;
            assert_eq!(wide, json!(width), "{device}: nothing is beyond the edge");
            let back = page
                .value("getComputedStyle(document.body).backgroundColor")
                .await;
            let picture = page
                .screenshot(&folder.join(format!("{device}-{scheme}.png")))
                .await;
            let size =
                |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().expect("four"));
            assert_eq!((size(16), size(20)), (width, height), "{device} {scheme}");
            pictures.push((back, picture));
        }
    }
    for pair in pictures.chunks(2) {
        assert_ne!(pair[0].0, pair[1].0, "light and dark differ");
        assert_ne!(pair[0].1, pair[1].1);
    }
}

#[tokio::test]
async fn q13_the_policy_names_what_stands_in_the_page_and_nothing_else() {
    let fleet = Fleet::start().await;
    let page = http::get(&fleet.relay, "/qube", &[]).await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").expect("a policy");
    for (open, close) in [("<style>", "</style>"), ("<script>", "</script>")] {
        let (_, rest) = page.body.split_once(open).expect("there");
        let (text, rest) = rest.split_once(close).expect("whole");
        assert!(policy.contains(&http::csp_hash(text)), "{open}: {policy}");
        assert!(!rest.contains(open), "one");
    }
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for outside in [
        "http://",
        "https://",
        "src=",
        "@import",
        "url(",
        "innerHTML",
        "style=\"",
    ] {
        assert!(!page.body.contains(outside), "{outside}");
    }
    let none = http::get(&fleet.relay, "/qube?network=nowhere", &[]).await;
    assert_eq!(none.status, 404);
}
