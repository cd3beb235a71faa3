//! What extensions need of others: databases, LiveKit, object stores, programs.

use crate::ground::{doctor, files, setup};
use std::ffi::OsStr;
use std::process::{Child, Command, Stdio};
use trellis_test_support::{Author, free_port, wait};

const KEY: &str = "test_key";
const SECRET: &str = "a_secret_that_only_the_tests_have_0123456789";

fn calls(url: &str, secret: &str) -> String {
    format!(
        "[extensions.livekit_token]\nlivekit_url = '{url}'\nlivekit_api_key = '{KEY}'\nlivekit_api_secret = '{secret}'\n"
    )
}

#[tokio::test]
async fn d9_databases_that_are_down_fail_without_their_passwords() {
    let url = format!(
        "postgresql://me:canary-password@127.0.0.1:{}/fleet",
        free_port()
    );
    let developer = Author::new().pubkey();
    let tables = format!(
        "[extensions.mls_gateway]\nstorage_backend = 'postgres'\ndatabase_url = '{url}'\n\
         [extensions.qube_coordination]\n[extensions.qube_coordination.mirror]\nurl = '{url}'\n\
         [[extensions.qube_coordination.networks]]\nid = 'hyper.main'\nquorum = 1\ndevelopers = ['{developer}']\n"
    );
    let told = doctor(&setup("", &tables), &[]).await;
    told.assert_ill()
        .assert(
            "mls_gateway: database",
            "fail",
            &["PostgreSQL", "connection refused"],
        )
        .assert(
            "qube_coordination: mirror",
            "fail",
            &["PostgreSQL", "connection refused"],
        );
    assert!(!format!("{told:?}").contains("canary"), "{told:?}");
}

#[tokio::test]
async fn d9_a_database_that_answers_is_well() {
    let Ok(url) = std::env::var("TEST_POSTGRES_URL") else {
        eprintln!("SKIPPED: TEST_POSTGRES_URL is not set; tests/postgres sets it");
        return;
    };
    let table =
        format!("[extensions.mls_gateway]\nstorage_backend = 'postgres'\ndatabase_url = '{url}'\n");
    let told = doctor(&setup("", &table), &[]).await;
    told.assert_well()
        .assert("mls_gateway: database", "ok", &["PostgreSQL answers"]);
}

#[tokio::test]
async fn d9_a_file_of_sqlite_is_looked_into_beside_a_running_relay() {
    let setup = setup("", "[extensions.mls_gateway]\n[extensions.groups]\n");
    let told = doctor(&setup, &[]).await;
    told.assert_well()
        .assert("mls_gateway: database", "ok", &["none yet"]);
    let relay = setup.start().await;
    let told = doctor(relay.setup(), &[]).await;
    told.assert_well()
        .assert("mls_gateway: database", "ok", &["SQLite answers"])
        .assert("mls_gateway: health", "ok", &[])
        .assert("groups: health", "ok", &[]);
    // What was written last is in the log of a relay that had no time to put it away.
    let setup = relay.kill();
    let contents = || {
        let mut all = files(&setup.home().join("data"));
        // Which readers there are.
        all.remove(OsStr::new("mls_auxiliary.db-shm"));
        all
    };
    let before = contents();
    assert!(before.contains_key(OsStr::new("mls_auxiliary.db-wal")));
    let told = doctor(&setup, &[]).await;
    told.assert_well()
        .assert("mls_gateway: database", "ok", &["SQLite answers"]);
    assert!(before == contents(), "changed");
    let file = setup.home().join("data/mls_auxiliary.db");
    for beside in ["db-wal", "db-shm"] {
        // What was written last may be in there alone.
        let _ = std::fs::remove_file(file.with_extension(beside));
    }
    std::fs::write(file, "this is no database\n".repeat(1_000)).expect("a file");
    let told = doctor(&setup, &[]).await;
    told.assert_ill()
        .assert("mls_gateway: database", "fail", &["not a database"]);
}

#[tokio::test]
async fn d9_livekit_that_is_down_fails_and_its_keys_must_be_there() {
    let url = format!("ws://127.0.0.1:{}", free_port());
    let told = doctor(&setup("", &calls(&url, SECRET)), &[]).await;
    told.assert_ill().assert(
        "livekit_token: LiveKit",
        "fail",
        &["does not answer", "livekit-down.md"],
    );
    assert!(!format!("{told:?}").contains(SECRET));
    let told = doctor(&setup("", "[extensions.livekit_token]\n"), &[]).await;
    told.assert_ill()
        .assert("livekit_token: configuration", "fail", &["livekit_api_key"]);
}

/// A LiveKit of the test's own.
struct LiveKit(Child);

impl Drop for LiveKit {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn d9_livekit_is_asked_with_our_key_and_whether_it_could_record() {
    let Some(program) = std::env::var_os("LIVEKIT_SERVER_BIN") else {
        eprintln!("SKIPPED: LIVEKIT_SERVER_BIN is not set; tests/run sets it");
        return;
    };
    let [port, tcp, udp] = [(); 3].map(|()| free_port());
    let config = format!(
        "port: {port}\nbind_addresses: [127.0.0.1]\nlog_level: error\nkeys: {{{KEY}: {SECRET}}}\n\
         rtc: {{node_ip: 127.0.0.1, use_external_ip: false, tcp_port: {tcp}, udp_port: {udp}}}\n"
    );
    let server = Command::new(program)
        .args(["--config-body", &config])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _server = LiveKit(server.expect("LiveKit"));
    wait::until_true("LiveKit listens", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    })
    .await;
    let url = format!("ws://127.0.0.1:{port}");
    let told = doctor(&setup("", &calls(&url, SECRET)), &[]).await;
    told.assert_well()
        .assert("livekit_token: LiveKit", "ok", &["takes our key"])
        .assert(
            "livekit_token: recording",
            "ok",
            &["no service that records"],
        )
        .assert(
            "certificate of LiveKit",
            "warn",
            &["for this machine alone"],
        );
    let wrong = "another_secret_that_LiveKit_does_not_know_0123";
    let told = doctor(&setup("", &calls(&url, wrong)), &[]).await;
    told.assert_ill().assert(
        "livekit_token: LiveKit",
        "fail",
        &["refuses our key", "livekit_api_secret"],
    );
}

#[tokio::test]
async fn d9_where_media_go_and_which_are_taken_is_looked_at() {
    let table = "[extensions.blossom_policy]\n";
    let told = doctor(&setup("", table), &[]).await;
    told.assert_well()
        .assert("blossom_policy: storage", "ok", &["files"])
        .assert("blossom_policy: types", "ok", &["image/png"]);
    let table = format!(
        "[extensions.blossom_policy]\nbackend = 's3'\nencrypted.allow = true\n[extensions.blossom_policy.s3]\n\
         endpoint = 'http://127.0.0.1:{}'\nbucket = 'media'\naccess_key_id = 'canary-id'\nsecret_access_key = 'canary-key'\n",
        free_port()
    );
    let told = doctor(&setup("", &table), &[]).await;
    told.assert_ill()
        .assert(
            "blossom_policy: storage",
            "fail",
            &["object store", "s3.endpoint"],
        )
        .assert("blossom_policy: types", "warn", &["encrypted.allow"]);
    assert!(!format!("{told:?}").contains("canary"), "{told:?}");
}

#[tokio::test]
async fn d9_programs_that_cannot_be_started_fail() {
    let table = "[[extensions.exec.programs]]\nname = 'polite'\ncommand = './no-such-program'\n";
    let told = doctor(&setup("", table), &[]).await;
    told.assert_ill()
        .assert("exec: polite", "fail", &["no-such-program"]);
}
