//! The machine that the relay runs on: configuration, disk, clock, limits, store.

use crate::ground::{Told, doctor, files, setup, web};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;
use trellis_test_support::{Author, Client, Setup, command, free_port, now, wait};

/// Runs the doctor from a shell that does something first.
async fn doctor_after(
    setup: &Setup,
    before: &str,
    wrapped_in: &[&str],
) -> trellis_test_support::Output {
    let program = env!("CARGO_BIN_EXE_trellis");
    let script = format!(
        "{before} && exec {program} doctor --json -c {}",
        setup.config_file().display()
    );
    let mut words = wrapped_in.iter().copied().chain(["sh", "-c", &script]);
    let mut shell = Command::new(words.next().expect("a program"));
    shell
        .args(words)
        .env("TRELLIS_DATA__PATH", setup.home().join("data"))
        .env("TRELLIS_NETWORK__PORT", free_port().to_string())
        .current_dir(setup.home());
    command::run(shell, "").await
}

/// With the database in it.
fn give_to_nobody(data: &Path) -> std::io::Result<()> {
    chown(data.join("data.mdb"), Some(65_534), Some(65_534))?;
    chown(data, Some(65_534), Some(65_534))
}

/// Whether it was the system that ended the shell before the doctor.
fn refuses_mounts(said: &trellis_test_support::Output) -> bool {
    ["unshare:", "mount:"]
        .iter()
        .any(|word| said.stderr.contains(word))
}

/// Writes the configuration file.
async fn written(setup: &Setup) {
    let file = setup.config_file().display().to_string();
    setup
        .run(&["config", "check", "-c", &file])
        .await
        .assert_success();
}

#[tokio::test]
async fn d9_a_machine_on_which_nothing_was_started_is_well_and_stays_as_it_was() {
    let setup = setup("", "");
    let told = doctor(&setup, &[]).await;
    told.assert_well()
        .assert("configuration", "ok", &["config.toml", "no extensions"])
        .assert("data directory", "ok", &["not there yet"])
        .assert_disk_writes()
        .assert("database", "ok", &["none yet"])
        .assert("listening", "ok", &["free"])
        .assert("clock", "ok", &[])
        .assert("backup", "by_hand", &["restore"]);
    let names: Vec<_> = fs::read_dir(setup.home())
        .expect("a folder")
        .flatten()
        .map(|it| it.file_name())
        .collect();
    assert_eq!(names, ["config.toml"], "nothing is left behind");
}

#[cfg(feature = "backup")]
#[tokio::test]
async fn d9_the_place_of_the_backup_is_written_and_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("copies");
    let of = |path: &Path| format!("[backup]\nurl = 'file://{}'\n", path.display());
    let told = doctor(&setup("", &of(&place)), &[]).await;
    told.assert_well()
        .assert("backup", "by_hand", &["not there yet"]);
    assert!(!place.exists(), "it is the relay that makes it");
    fs::create_dir(&place).expect("a folder");
    let told = doctor(&setup("", &of(&place)), &[]).await;
    told.assert_well().assert(
        "backup",
        "ok",
        &["takes and gives back", "nothing is in it yet"],
    );
    let left: Vec<_> = fs::read_dir(&place).expect("a folder").flatten().collect();
    assert!(left.is_empty(), "{left:?}");
    let relay = setup("", &of(&place)).start().await;
    wait::until_true("a snapshot", || place.join("head.json").exists()).await;
    relay.stop().await;
    let with_copies = doctor(&setup("", &of(&place)), &[]).await;
    with_copies.assert("backup", "ok", &["has copies"]);
    if chown(&place, Some(65_534), None).is_ok() {
        let told = doctor(&setup("", &of(&place)), &[]).await;
        told.assert("backup", "warn", &["another user's"]);
    }

    let file = folder.path().join("file");
    fs::write(&file, "in the way").expect("a file");
    let failing = doctor(&setup("", &of(&file)), &[]).await;
    failing
        .assert_ill()
        .assert("backup", "fail", &["file://", "credentials"]);
}

#[tokio::test]
async fn d9_a_wrong_configuration_ends_with_code_2() {
    for (toml, words) in [
        ("[limitation]\nmax_limit = 'many'", "max_limit"),
        ("[extensions.groups]\nno_such_key = 1", "no_such_key"),
        (
            "[outbound]\ntrusted_certificates = ['no-such.pem']",
            "no-such.pem",
        ),
    ] {
        let setup = setup("", toml);
        let file = setup.config_file().display().to_string();
        let said = setup.run(&["doctor", "-c", &file]).await;
        assert_eq!(said.code, Some(2), "{said:?}");
        said.assert_failure(&[words]);
    }
}

#[tokio::test]
async fn d9_trusted_certificates_that_are_none_fail_and_the_rest_is_looked_at() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("authority.pem");
    fs::write(&file, "this is no certificate\n").expect("a file");
    let table = format!(
        "[outbound]\ntrusted_certificates = ['{}']\n",
        file.display()
    );
    let told = doctor(&setup("", &table), &[]).await;
    told.assert_ill()
        .assert(
            "outbound.trusted_certificates",
            "fail",
            &["authority.pem", "no certificate is in it"],
        )
        .assert("listening", "ok", &["free"]);
}

#[tokio::test]
async fn d9_a_system_that_does_not_say_whether_its_clock_is_in_step_keeps_no_check_from_being_made()
{
    let setup = setup("", "");
    written(&setup).await;
    let hangs = setup.home().join("timedatectl");
    fs::write(&hangs, "#!/bin/sh\nexec sleep 60\n").expect("a file");
    fs::set_permissions(&hangs, fs::Permissions::from_mode(0o755)).expect("a file");
    let said = doctor_after(&setup, "export PATH=\"$PWD:$PATH\"", &[]).await;
    Told::of(&said)
        .assert_well()
        .assert("clock in step", "by_hand", &["does not say"])
        .assert("clock", "ok", &[]);
}

#[tokio::test]
async fn d9_few_open_files_fail_with_what_would_be_enough() {
    let setup = setup("", "");
    written(&setup).await;
    let said = doctor_after(&setup, "ulimit -n 256", &[]).await;
    let told = Told::of(&said);
    told.assert_ill().assert(
        "open files",
        "fail",
        &["256 hard", "LimitNOFILE=612", "network.max_connections"],
    );
}

#[tokio::test]
async fn d9_a_full_disk_and_one_in_memory_fail() {
    let setup = setup("", "");
    written(&setup).await;
    let text = fs::read_to_string(setup.config_file()).expect("a file");
    fs::write(
        setup.config_file(),
        text.replace("allow_ephemeral = true", ""),
    )
    .expect("a file");
    fs::create_dir(setup.home().join("data")).expect("a folder");
    let fill =
        "mount -t tmpfs -o size=64k tmpfs data && (head -c 1M /dev/zero > data/fill || true) 2>&-";
    let said = doctor_after(&setup, fill, &["unshare", "--map-root-user", "--mount"]).await;
    if said.stdout.is_empty() && refuses_mounts(&said) {
        // Where a user may not have a mount of their own.
        eprintln!("SKIPPED: {}", said.stderr);
        return;
    }
    let told = Told::of(&said);
    told.assert_ill()
        .assert("disk space", "fail", &["0 bytes free", "disk-full.md"])
        .assert("disk writes", "fail", &["space"])
        .assert("file system", "fail", &["tmpfs", "data.path"]);
}

#[tokio::test]
async fn d9_a_directory_that_cannot_be_made_fails() {
    let setup = setup("", "[extensions.blossom_policy]\n");
    written(&setup).await;
    let lock = "mount --bind \"$PWD\" \"$PWD\" && mount -o remount,ro,bind \"$PWD\"";
    let said = doctor_after(&setup, lock, &["unshare", "--map-root-user", "--mount"]).await;
    if said.stdout.is_empty() && refuses_mounts(&said) {
        // Where a user may not have a mount of their own.
        eprintln!("SKIPPED: {}", said.stderr);
        return;
    }
    Told::of(&said)
        .assert_ill()
        .assert("data directory", "fail", &["may not make it"])
        .assert("blossom_policy: directory", "fail", &["cannot be made"]);
}

#[tokio::test]
async fn d9_a_file_where_the_directory_should_be_fails() {
    let setup = setup("", "[extensions.blossom_policy]\n");
    fs::write(setup.home().join("file"), "in the way").expect("a file");
    let below = setup.home().join("file/data").display().to_string();
    let told = doctor(&setup.env("TRELLIS_DATA__PATH", &below), &[]).await;
    told.assert_ill()
        .assert("data directory", "fail", &["file is no directory"])
        .assert("blossom_policy: directory", "fail", &["cannot be made"]);
}

#[tokio::test]
async fn d9_who_may_not_see_whether_a_relay_runs_does_not_call_its_port_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = taken.local_addr().expect("an address").port().to_string();
    // Who listens says nothing.
    std::thread::spawn(move || taken.incoming().for_each(drop));
    let setup = setup("", "")
        .env("TRELLIS_NETWORK__PORT", &port)
        .env("TRELLIS_DATA__ADMIN_SOCKET", "");
    let data = setup.home().join("data");
    fs::create_dir(&data).expect("a folder");
    fs::write(data.join("data.mdb"), "").expect("a file");
    if give_to_nobody(&data).is_err() {
        eprintln!("SKIPPED: only root gives files away");
        return;
    }
    let told = doctor(&setup, &[]).await;
    told.assert("listening", "by_hand", &[&port, "as the user"]);
}

#[tokio::test]
async fn d9_an_address_that_sends_clients_elsewhere_fails() {
    let relay = setup("", "").start().await;
    let moved = format!(
        "HTTP/1.1 301 Moved Permanently\r\nlocation: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        relay.http_url()
    );
    let address = web(moved).await.replacen("http", "ws", 1);
    let told = doctor(&setup(&format!("relay_url = '{address}'"), ""), &[]).await;
    told.assert_ill().assert(
        "relay at the public address",
        "fail",
        &["301", "follow no redirect"],
    );
}

#[tokio::test]
async fn d9_a_disk_that_cloud_run_forgets_fails_unless_it_may() {
    let setup = setup("", "").env("K_SERVICE", "relay");
    let told = doctor(&setup, &[]).await;
    told.assert("disk lasts", "warn", &["K_SERVICE"]);
    let setup = setup.env("TRELLIS_DATA__ALLOW_EPHEMERAL", "false");
    let told = doctor(&setup, &[]).await;
    told.assert_ill().assert(
        "disk lasts",
        "fail",
        &["data.allow_ephemeral", "[backup] url"],
    );
}

#[tokio::test]
async fn d9_a_directory_of_somebody_else_is_left_alone() {
    let setup = setup("", "");
    let data = setup.home().join("data");
    fs::create_dir(&data).expect("a folder");
    fs::write(data.join("data.mdb"), "").expect("a file");
    if give_to_nobody(&data).is_err() {
        eprintln!("SKIPPED: only root gives files away");
        return;
    }
    let told = doctor(&setup, &[]).await;
    told.assert_well()
        .assert("disk writes", "warn", &["another user's"])
        .assert("database", "warn", &["another user's"]);
    assert_eq!(
        fs::read_dir(&data).expect("a folder").count(),
        1,
        "nothing was made there"
    );
}

#[tokio::test]
async fn d9_the_store_of_a_stopped_relay_is_only_read_and_its_newest_event_dates_the_clock() {
    let relay = setup("", "").start().await;
    let mut client = Client::connect(&relay).await;
    let ahead = Author::new().draft(1).at(now() + 600).sign();
    client.store(&ahead).await;
    let (_, setup) = relay.stop().await;
    let before = files(&setup.home().join("data"));
    let told = doctor(&setup, &[]).await;
    told.assert_well()
        .assert("database", "ok", &["it can be read: 1 events"])
        .assert("clock", "ok", &[]);
    assert!(before == files(&setup.home().join("data")), "changed");
    let setup = setup.env("TRELLIS_LIMITATION__MAX_EVENT_TIME_NEWER_THAN_NOW", "1m");
    let told = doctor(&setup, &[]).await;
    told.assert_ill().assert(
        "clock",
        "fail",
        &["the newest event is of", "set the clock"],
    );
    fs::write(setup.home().join("data/data.mdb"), [7; 8192]).expect("a file");
    let told = doctor(&setup, &[]).await;
    told.assert_ill()
        .assert("database", "fail", &["restore.md"]);
}

#[tokio::test]
async fn d9_the_clock_is_compared_with_a_server_that_the_operator_names() {
    let setup = setup("", "");
    let off = web("HTTP/1.1 200 OK\r\ndate: Wed, 01 Jan 2020 00:00:00 GMT\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned());
    let told = doctor(&setup, &["--time-server", &off.await]).await;
    told.assert_ill()
        .assert("clock compared", "fail", &["ahead of", "NTP"]);
    let timeless =
        web("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned());
    let told = doctor(&setup, &["--time-server", &timeless.await]).await;
    told.assert_well()
        .assert("clock compared", "by_hand", &["does not tell the time"]);
    let nobody = format!("http://127.0.0.1:{}/", free_port());
    let told = doctor(&setup, &["--time-server", &nobody]).await;
    told.assert_well()
        .assert("clock compared", "by_hand", &["refused"]);
    // A relay tells the time as other web servers do.
    let relay = crate::ground::setup("", "").start().await;
    let told = doctor(&setup, &["--time-server", &relay.http_url()]).await;
    told.assert_well().assert("clock compared", "ok", &[]);
}

#[tokio::test]
async fn d9_a_port_that_is_taken_fails() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = taken.local_addr().expect("an address").port().to_string();
    let setup = setup("", "").env("TRELLIS_NETWORK__PORT", &port);
    let told = doctor(&setup, &[]).await;
    told.assert_ill()
        .assert("listening", "fail", &[&port, "network.port"]);
}

#[tokio::test]
async fn d9_headers_that_anybody_may_set_fail() {
    for (network, grade, words) in [
        (
            "real_ip_header = 'X-Real-IP'\ntrusted_proxies = ['0.0.0.0/0']",
            "fail",
            "everybody",
        ),
        ("real_ip_header = 'X-Real-IP'", "fail", "never believed"),
        (
            "relay_url = 'wss://nobody.invalid'",
            "warn",
            "network.real_ip_header",
        ),
        ("", "ok", "no proxy"),
    ] {
        let told = doctor(&setup(network, ""), &[]).await;
        told.assert("clients' addresses", grade, &[words]);
    }
}
