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
    let open = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
    open(setup.home(), 0o755).expect("a folder");
    open(&setup.config_file(), 0o644).expect("a file");
    let mut program = Command::new("setpriv");
    program
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args([env!("CARGO_BIN_EXE_trellis"), "doctor", "--json", "-c"])
        .arg(setup.config_file())
        .env("TRELLIS_DATA__PATH", setup.home().join("data"))
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
            .assert_none("listening");
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
