//! Whoever is not the relay's user: what may not be seen is said, and nothing is taken for passed or failed by that.

use crate::ground::{Told, doctor, setup};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;
use trellis_test_support::{Setup, command};

const NOBODY: u32 = 65_534;

/// Runs the doctor as nobody; `None` where that may not be.
async fn doctor_as_nobody(setup: &Setup, port: u16) -> Option<Told> {
    as_nobody(setup, port, &setup.home().join("data"), &[]).await
}

async fn as_nobody(setup: &Setup, port: u16, data: &Path, further: &[&str]) -> Option<Told> {
    let open = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
    open(setup.home(), 0o755).expect("a folder");
    open(&setup.config_file(), 0o644).expect("a file");
    let mut program = Command::new("setpriv");
    program
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args([env!("CARGO_BIN_EXE_trellis"), "doctor", "--json", "-c"])
        .arg(setup.config_file())
        .args(further)
        .env("TRELLIS_DATA__PATH", data)
        .env("TRELLIS_NETWORK__PORT", port.to_string())
        .current_dir(setup.home());
    let said = command::run(program, "").await;
    if said.stdout.is_empty() && said.stderr.contains("setpriv:") {
        eprintln!("SKIPPED: {}", said.stderr);
        return None;
    }
    Some(Told::of(&said))
}

#[tokio::test]
async fn d9_a_running_relay_is_known_to_who_may_not_look_into_its_files() {
    for socket in ["admin.sock", ""] {
        let relay = setup(
            "",
            "[extensions.groups]\n[extensions.mls_gateway]\n[extensions.blossom_policy]\n",
        );
        let relay = relay.env("TRELLIS_DATA__ADMIN_SOCKET", socket);
        let relay = relay.start().await;
        let port = relay.address().port();
        let Some(told) = doctor_as_nobody(relay.setup(), port).await else {
            return;
        };
        told.assert_well()
            .assert("database", "warn", &["another user's", "store is ok"])
            .assert("groups: health", "ok", &[])
            .assert("disk writes", "warn", &["another user's"])
            .assert("disk space", "ok", &["cannot be seen"])
            .assert("clock", "by_hand", &["cannot be seen"])
            .assert("mls_gateway: database", "warn", &["another user's"])
            .assert("blossom_policy: directory", "warn", &["another user's"])
            .assert("open files", "by_hand", &["cannot be seen", "612"])
            // Another relay may answer there.
            .assert("listening", "by_hand", &["may not see"]);
    }
}

#[tokio::test]
async fn d9_where_nobody_answers_it_stays_unknown_whether_a_relay_runs() {
    let relay = setup("", "").start().await;
    let port = relay.address().port();
    let (_, setup) = relay.stop().await;
    let Some(told) = doctor_as_nobody(&setup, port).await else {
        return;
    };
    told.assert_well()
        .assert("database", "warn", &["another user's"])
        .assert("open files", "by_hand", &["cannot be seen"])
        .assert("listening", "ok", &["free"]);
}

#[tokio::test]
async fn d9_files_that_another_user_has_made_are_told() {
    let relay = setup("", "").start().await;
    let (_, setup) = relay.stop().await;
    let data = setup.home().join("data");
    if chown(data.join("lock.mdb"), Some(NOBODY), None).is_err() {
        eprintln!("SKIPPED: only root gives files away");
        return;
    }
    let told = doctor(&setup, &[]).await;
    let check = "files of the data directory";
    told.assert(check, "warn", &["lock.mdb", "chown"]);
    // The user of the directory may not open what root has made there.
    chown(&data, Some(NOBODY), None).expect("a folder");
    chown(data.join("data.mdb"), Some(NOBODY), None).expect("a file");
    let Some(told) = doctor_as_nobody(&setup, trellis_test_support::free_port()).await else {
        return;
    };
    told.assert_ill()
        .assert(check, "fail", &["trellis.lock", "chown"]);
}

#[tokio::test]
async fn d9_a_directory_that_groups_may_write_is_as_good_as_ones_own() {
    let relay = setup("", "").start().await;
    let (_, setup) = relay.stop().await;
    let data = setup.home().join("data");
    let give = |path: &Path, user| chown(path, user, Some(NOBODY));
    if give(&data, None).is_err() {
        eprintln!("SKIPPED: only root gives files away");
        return;
    }
    fs::set_permissions(&data, Permissions::from_mode(0o770)).expect("a folder");
    for file in fs::read_dir(&data).expect("a folder").flatten() {
        give(&file.path(), Some(NOBODY)).expect("a file");
    }
    let port = trellis_test_support::free_port();
    let Some(told) = doctor_as_nobody(&setup, port).await else {
        return;
    };
    told.assert_well()
        .assert_disk_writes()
        .assert("database", "ok", &["it can be read"])
        .assert_none("files of the data directory");
    // A relay that root runs in a directory of the machine's.
    for file in fs::read_dir(&data).expect("a folder").flatten() {
        chown(file.path(), Some(0), None).expect("a file");
    }
    chown(&data, Some(NOBODY), None).expect("a folder");
    let told = doctor(&setup, &[]).await;
    told.assert_well()
        .assert_disk_writes()
        .assert("database", "ok", &["it can be read"])
        .assert_none("files of the data directory");
}

#[tokio::test]
async fn d9_a_directory_of_blobs_that_groups_may_write_is_as_good_as_ones_own() {
    let setup = setup("", "[extensions.blossom_policy]\n");
    let file = setup.config_file().display().to_string();
    let checked = setup.run(&["config", "check", "-c", &file]).await;
    checked.assert_success();
    let data = setup.home().join("data");
    let blobs = data.join("blobs");
    fs::create_dir_all(&blobs).expect("a folder");
    let open = |mode| {
        for folder in [&data, &blobs] {
            fs::set_permissions(folder, Permissions::from_mode(mode)).expect("a folder");
        }
    };
    if chown(&data, None, Some(NOBODY)).is_err() {
        eprintln!("SKIPPED: only root gives files away");
        return;
    }
    chown(&blobs, None, Some(NOBODY)).expect("a folder");
    let port = trellis_test_support::free_port();
    let check = "blossom_policy: directory";
    for (mode, grade, words) in [
        (0o770, "ok", "can be written"),
        (0o750, "warn", "another user's"),
    ] {
        open(mode);
        let Some(told) = doctor_as_nobody(&setup, port).await else {
            return;
        };
        told.assert(check, grade, &[words]);
    }
    // In one's own what may not be written is a fault, and root is not whom the relay runs as.
    chown(&blobs, Some(NOBODY), None).expect("a folder");
    let told = doctor(&setup, &[]).await;
    told.assert(check, "warn", &["another user's"]);
    fs::set_permissions(&blobs, Permissions::from_mode(0o500)).expect("a folder");
    let Some(told) = doctor_as_nobody(&setup, port).await else {
        return;
    };
    told.assert(check, "fail", &["denied"]);
}

#[tokio::test]
async fn d9_a_lock_of_another_user_is_no_reason_to_restore() {
    let relay = setup("", "").start().await;
    let (_, setup) = relay.stop().await;
    let data = setup.home().join("data");
    if chown(&data, Some(NOBODY), None).is_err() {
        eprintln!("SKIPPED: only root gives files away");
        return;
    }
    for file in fs::read_dir(&data).expect("a folder").flatten() {
        let user = match file.file_name() == "trellis.lock" {
            true => 0,
            false => NOBODY,
        };
        chown(file.path(), Some(user), None).expect("a file");
    }
    let port = trellis_test_support::free_port();
    let Some(told) = doctor_as_nobody(&setup, port).await else {
        return;
    };
    told.assert("database", "warn", &["another user's", "as the user"])
        .assert(
            "files of the data directory",
            "fail",
            &["trellis.lock is user 0's", "chown -R 65534"],
        );
}

#[tokio::test]
async fn d9_a_directory_that_may_not_be_seen_is_not_called_missing() {
    let setup = setup("", "");
    let closed = setup.home().join("closed");
    let file = setup.config_file().display().to_string();
    let checked = setup.run(&["config", "check", "-c", &file]).await;
    checked.assert_success();
    fs::create_dir_all(closed.join("data")).expect("a folder");
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).expect("a folder");
    let port = trellis_test_support::free_port();
    let Some(told) = as_nobody(&setup, port, &closed.join("data"), &[]).await else {
        return;
    };
    told.assert_well()
        .assert("data directory", "by_hand", &["as the user"])
        .assert("database", "warn", &["another user's"])
        .assert_none("disk writes");
    // Root may make it in another user's folder, and tries nothing there.
    if chown(&closed, Some(NOBODY), None).is_err() {
        return;
    }
    let new = closed.join("new").display().to_string();
    let setup = setup.env("TRELLIS_DATA__PATH", &new);
    let told = doctor(&setup, &[]).await;
    told.assert("data directory", "ok", &["not there yet"])
        .assert("disk writes", "by_hand", &["not there yet"]);
    let left = fs::read_dir(&closed).expect("a folder").count();
    assert_eq!(left, 1, "nothing was made there");
}

#[tokio::test]
async fn d9_pages_of_a_relay_that_may_be_another_are_confirmed_by_hand() {
    let port = trellis_test_support::free_port();
    let relay = setup(
        &format!("relay_url = 'ws://127.0.0.1:{port}'"),
        "[policy]\njurisdiction = 'The relay is run in Iceland.'\n\
         [security_contact]\ncontact = ['mailto:security@relay.example.com']\nexpires = '2090-01-01T00:00:00Z'\n",
    );
    let relay = relay.env("TRELLIS_NETWORK__PORT", &port.to_string());
    let relay = relay.start().await;
    let items = ["public policy", "security contact"];
    let told = doctor(relay.setup(), &["--launch"]).await;
    for item in items {
        told.assert(item, "ok", &[]);
    }
    let data = relay.setup().home().join("data");
    let Some(told) = as_nobody(relay.setup(), port, &data, &["--launch"]).await else {
        return;
    };
    for item in items {
        told.assert(item, "by_hand", &["may be another"]);
    }
}
