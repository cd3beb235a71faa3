//! The mirror on a real server. `TEST_POSTGRES_URL` names one on which databases may be made; `tests/postgres` starts one.

#![allow(clippy::unwrap_used)]

mod ground;

use crate::sample::{config, developer, publish, report, send, setup, upgrade};
use ground::{Proxy, Scratch};
use trellis_relay::extension::prelude::Health;
use trellis_relay::testing::{START_S, TestRelay, until};

fn table(url: &str) -> String {
    format!("[extensions.qube_coordination.mirror]\nurl = '{url}'")
}

/// What the page of the fleet tells of alerts that hold.
async fn alerts(relay: &TestRelay) -> String {
    let page = relay.get("/qube").await.text();
    let (_, rest) = page.split_once("id=\"part-alerts\"").unwrap();
    rest.split_once("</section>").unwrap().0.to_owned()
}

async fn begin(relay: &TestRelay) {
    let first = upgrade(&developer(0), "v1.0.0", "ab", START_S - 100);
    let second = upgrade(&developer(0), "v1.1.0", "ab", START_S - 50);
    let other = upgrade(&developer(1), "v1.1.0", "ab", START_S - 49);
    publish(relay, &[(0, first), (0, second), (1, other)]).await;
    let failed = report(
        "node-2",
        "v1.1.0",
        Some("a nul: \u{0} and a 'quote'"),
        START_S - 10,
    );
    send(
        relay,
        &[report("node-1", "v1.1.0", None, START_S - 10), failed],
    )
    .await;
}

const ALL: &str = "SELECT (SELECT count(*) FROM qube.signals), (SELECT count(*) FROM qube.acks), \
                   (SELECT count(*) FROM qube.log)";

#[tokio::test]
async fn q16_directives_reports_and_history_are_there_once_each() {
    let Some(scratch) = Scratch::create().await else {
        return;
    };
    let relay = setup(&table(scratch.url()), "").start().await;
    begin(&relay).await;
    until("everything is there", async || {
        scratch.counts(ALL).await == Some((3, 2, 1))
    })
    .await;
    let replaced =
        "SELECT version || ' ' || removed_as FROM qube.signals WHERE removed_as IS NOT NULL";
    assert_eq!(scratch.text(replaced).await, "1.0.0 replacement");
    let entry = "SELECT (log.event = signals.event)::text || ' ' || chain || ' ' || seq FROM qube.log, qube.signals \
                 WHERE signals.version = '1.0.0'";
    assert_eq!(scratch.text(entry).await, "true log 1");
    let failed = "SELECT node_id || ' ' || status || ' ' || (error LIKE '%''quote''%')::text || ' ' || signals.version \
                  FROM qube.acks JOIN qube.signals ON signals.id = signal_id WHERE error IS NOT NULL";
    assert_eq!(scratch.text(failed).await, "node-2 failure true 1.1.0");
    until("all is well", async || {
        relay.status("qube_coordination").health == Some(Health::Ok)
    })
    .await;

    // The page comes again after a crash; and a second relay may share the database.
    let relay = relay.kill_and_restart().await;
    send(&relay, &[report("node-3", "v1.1.0", None, START_S)]).await;
    until("the next is there", async || {
        scratch.counts(ALL).await == Some((3, 3, 1))
    })
    .await;
    let other = setup(&table(scratch.url()), "").start().await;
    begin(&other).await;
    until("its history is there", async || {
        scratch.counts(ALL).await == Some((3, 3, 2))
    })
    .await;
    relay.stop().await;
    other.stop().await;
    scratch.remove().await;
}

#[tokio::test]
async fn q16_the_relay_goes_on_without_it_and_the_copy_goes_on_afterwards() {
    let Some(scratch) = Scratch::create().await else {
        return;
    };
    let proxy = Proxy::start(&scratch).await;
    // The first host is nobody's.
    let url = scratch.url_by(&format!("127.0.0.1:1,127.0.0.1:{}", proxy.port));
    let relay = setup(&table(&url), "").start().await;
    until("it is connected", async || {
        scratch.counts(ALL).await == Some((0, 0, 0))
    })
    .await;
    proxy.cut();
    begin(&relay).await;
    let trouble = async || {
        matches!(
            relay.status("qube_coordination").health,
            Some(Health::Degraded(_))
        )
    };
    until("it is told", trouble).await;
    until("there is an alert", async || {
        alerts(&relay).await.contains("Database down")
    })
    .await;
    let fleet = relay.get("/api/v1/qube/networks/hyperqube/fleet").await;
    assert_eq!(fleet.status, 200);
    proxy.mend();
    until("everything is there", async || {
        scratch.counts(ALL).await == Some((3, 2, 1))
    })
    .await;
    until("all is well", async || {
        relay.status("qube_coordination").health == Some(Health::Ok)
    })
    .await;
    until("the alert ends", async || {
        !alerts(&relay).await.contains("Database down")
    })
    .await;
    relay.stop().await;
    scratch.remove().await;
}

#[tokio::test]
async fn q16_a_database_that_is_new_is_filled_with_what_was_before() {
    let Some(scratch) = Scratch::create().await else {
        return;
    };
    let relay = setup("", "").start().await;
    begin(&relay).await;
    let mut relay = relay;
    let with = config(&table(scratch.url()), "");
    relay.reconfigure(&with).await.unwrap();
    until("everything is there", async || {
        scratch.counts(ALL).await == Some((3, 2, 1))
    })
    .await;
    scratch.empty().await;
    send(&relay, &[report("node-9", "v1.1.0", None, START_S)]).await;
    until("it is filled again", async || {
        scratch.counts(ALL).await == Some((3, 3, 1))
    })
    .await;
    relay.stop().await;
    scratch.remove().await;
}

#[tokio::test]
async fn q16_a_replica_that_took_over_too_early_is_filled_again() {
    let Some(scratch) = Scratch::create().await else {
        return;
    };
    let proxy = Proxy::start(&scratch).await;
    let url = scratch.url_by(&format!("127.0.0.1:{}", proxy.port));
    let relay = setup(&table(&url), "").start().await;
    begin(&relay).await;
    until("everything is there", async || {
        scratch.counts(ALL).await == Some((3, 2, 1))
    })
    .await;
    let health = async || relay.status("qube_coordination").health;
    until("all is well", async || health().await == Some(Health::Ok)).await;
    proxy.cut();
    until("it is told", async || {
        matches!(health().await, Some(Health::Degraded(_)))
    })
    .await;
    // What another host, which takes over now, has not got yet.
    scratch
        .change(
            "DELETE FROM qube.acks WHERE node_id = 'node-2'; UPDATE qube.relays SET copied = copied - 5",
        )
        .await;
    proxy.mend();
    until("it is filled again", async || {
        scratch.counts(ALL).await == Some((3, 2, 1))
    })
    .await;
    relay.stop().await;
    scratch.remove().await;
}

#[tokio::test]
async fn q16_a_history_that_is_another_is_told_and_left_alone() {
    let Some(scratch) = Scratch::create().await else {
        return;
    };
    let relay = setup(&table(scratch.url()), "").start().await;
    begin(&relay).await;
    until("everything is there", async || {
        scratch.counts(ALL).await == Some((3, 2, 1))
    })
    .await;
    scratch
        .change("UPDATE qube.log SET hash = repeat('0', 64)")
        .await;
    let wanted = "entry 1 of the history `log` in it is not this relay's";
    until("it is told", async || {
        let health = relay.status("qube_coordination").health;
        matches!(health, Some(Health::Degraded(why)) if why.contains(wanted))
    })
    .await;
    let newer = upgrade(&developer(1), "v1.2.0", "ab", START_S - 40);
    publish(&relay, &[(1, newer)]).await;
    until("events go on", async || {
        scratch.counts(ALL).await == Some((4, 2, 1))
    })
    .await;
    scratch.change("DELETE FROM qube.log").await;
    until("it begins anew", async || {
        scratch.counts(ALL).await == Some((4, 2, 2))
            && relay.status("qube_coordination").health == Some(Health::Ok)
    })
    .await;
    relay.stop().await;
    scratch.remove().await;
}

#[tokio::test]
async fn q16_a_report_that_came_before_its_directive_finds_it() {
    let Some(scratch) = Scratch::create().await else {
        return;
    };
    let relay = setup(&table(scratch.url()), "").start().await;
    send(&relay, &[report("node-1", "v1.1.0", None, START_S - 10)]).await;
    until("the report is there", async || {
        scratch.counts(ALL).await == Some((0, 1, 0))
    })
    .await;
    let directive = upgrade(&developer(0), "v1.1.0", "ab", START_S - 50);
    publish(&relay, &[(0, directive)]).await;
    let joined = "SELECT count(*)::text FROM qube.acks JOIN qube.signals ON signals.id = signal_id";
    until("it is found", async || scratch.text(joined).await == "1").await;
    relay.stop().await;
    scratch.remove().await;
}

#[tokio::test]
async fn q16_a_host_that_only_reads_is_none() {
    let Some(scratch) = Scratch::create().await else {
        return;
    };
    scratch.only_read().await;
    let relay = setup(&table(scratch.url()), "").start().await;
    let wanted = Some(Health::Degraded(
        "the mirror's database: it only reads".to_owned(),
    ));
    until("it is told", async || {
        relay.status("qube_coordination").health == wanted
    })
    .await;
    relay.stop().await;
    scratch.remove().await;
}

#[tokio::test]
async fn q16_a_wrong_address_stops_the_start_and_is_not_shown() {
    let wrong = setup(&table("mysql://secret@secret/secret"), "")
        .try_start()
        .await;
    let error = wrong.err().unwrap().to_string();
    assert!(
        error.contains("mirror.url: found something else, wanted postgresql://"),
        "{error}"
    );
    assert!(!error.contains("secret"), "{error}");
}

#[tokio::test]
async fn q16_why_the_database_cannot_be_reached_is_told() {
    let Some(scratch) = Scratch::create().await else {
        return;
    };
    let url = scratch.url().to_owned();
    // Its database goes before the relay comes.
    scratch.remove().await;
    let relay = setup(&table(&url), "").start().await;
    until("the cause is told", async || {
        let health = relay.status("qube_coordination").health;
        matches!(health, Some(Health::Degraded(why)) if why.contains("no such database"))
    })
    .await;
    relay.stop().await;
    let relay = setup(
        &table("postgresql://me@127.0.0.1:1/qube?sslmode=disable"),
        "",
    )
    .start()
    .await;
    until("the cause is told", async || {
        let health = relay.status("qube_coordination").health;
        matches!(health, Some(Health::Degraded(why)) if why.contains("connection refused"))
    })
    .await;
    relay.stop().await;
}
