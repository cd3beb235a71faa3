//! Keys in files, and what a new node gets.

use crate::ground::{Ground, secret_file, tool};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use tempfile::TempDir;
use trellis_test_support::Value;
use trellis_test_support::command::run;

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[tokio::test]
async fn t1_keygen_writes_a_key_that_its_owner_alone_can_read() {
    let home = TempDir::new().expect("a folder");
    let passphrase = secret_file(&home, "passphrase", "correct horse\n");
    for (name, begins) in [("encrypted", "ncryptsec1"), ("plain", "nsec1")] {
        let file = home.path().join(name);
        let mut command = tool(&home);
        command.args(["keygen", "--json", "--out"]).arg(&file);
        match name {
            "plain" => command.arg("--plain"),
            _ => command.arg("--passphrase-file").arg(&passphrase),
        };
        let output = run(command, "").await;
        let shown: Value = serde_json::from_str(&output.assert_success().stdout).expect("JSON");
        assert!(
            shown["npub"]
                .as_str()
                .is_some_and(|npub| npub.starts_with("npub1"))
        );
        let text = fs::read_to_string(&file).expect("a key");
        assert!(text.starts_with(begins), "{name}");
        assert_eq!(mode(&file), 0o600);
        assert!(
            !output.text().contains(text.trim()),
            "the key is not printed"
        );
        let mut again = tool(&home);
        again.args(["keygen", "--plain", "--out"]).arg(&file);
        let again = run(again, "").await;
        again.assert_failure(&["not overwritten"]);
        assert_eq!(again.code, Some(2));
    }
}

#[tokio::test]
async fn t1_an_encrypted_key_signs_with_its_passphrase_only() {
    let ground = Ground::new().await;
    let passphrase = secret_file(&ground.home, "passphrase", "correct horse");
    let wrong = secret_file(&ground.home, "wrong", "battery staple");
    let file = ground.path("encrypted");
    let mut command = tool(&ground.home);
    command
        .args(["keygen", "--json", "--passphrase-file"])
        .arg(&passphrase)
        .arg("--out")
        .arg(&file);
    let made = run(command, "").await;
    let made: Value = serde_json::from_str(&made.assert_success().stdout).expect("JSON");
    let file = file.display().to_string();
    let developer = made["pubkey"].as_str().expect("a key");
    let sign = |passphrase: &std::path::Path| {
        let mut command = tool(&ground.home);
        command.args([
            "signal",
            "upgrade",
            "--dry-run",
            "--network",
            "other",
            "--quorum",
            "1",
        ]);
        command.args([
            "--developer",
            developer,
            "--relay",
            &ground.relays[0].ws_url(),
        ]);
        command.args([
            "--to",
            "v1.0.0",
            "--hash",
            crate::ground::HASH,
            "--key",
            &file,
        ]);
        command.arg("--passphrase-file").arg(passphrase);
        command
    };
    let signed = run(sign(&passphrase), "").await;
    assert!(
        signed
            .assert_success()
            .stdout
            .contains("1 of 1 with this one: quorum"),
        "{}",
        signed.text()
    );
    run(sign(&wrong), "")
        .await
        .assert_failure(&["the passphrase is another"]);
}

#[tokio::test]
async fn t1_a_key_that_others_may_read_is_refused() {
    let ground = Ground::new().await;
    fs::set_permissions(ground.path("key-0"), Permissions::from_mode(0o644)).expect("a mode");
    let refused = ground.upgrade(0, "v1.0.0", crate::ground::HASH).await;
    refused.assert_failure(&["others may read it", "chmod 600"]);
    assert_eq!(refused.code, Some(2));
}

#[tokio::test]
async fn t1_onboard_writes_what_the_agent_of_a_node_takes() {
    let ground = Ground::new().await;
    let folder = ground.path("node").display().to_string();
    let data = ground.path("data").display().to_string();
    let [bin, chain] = ["bin", "chain"].map(|name| {
        let folder = ground.path(name);
        fs::create_dir(&folder).expect("a folder");
        folder.display().to_string()
    });
    let (binary, genesis) = (format!("{bin}/node"), format!("{chain}/genesis.json"));
    let shown = ground
        .json(&[
            "onboard",
            "--node-id",
            "node-1",
            "--to",
            &folder,
            "--data-dir",
            &data,
            "--url-template",
            "https://example.com/{version}/{os}-{arch}",
            "--binary",
            &binary,
            "--restart",
            "sh restart node",
            "--genesis-path",
            &genesis,
            "--reboot",
            "/bin/sh --now",
            "--probe-url",
            "http://127.0.0.1:1/health",
        ])
        .await;
    assert_eq!(mode(&ground.path("node/key")), 0o600);
    assert!(shown["npub"].as_str().is_some());
    let unit = fs::read_to_string(ground.path("node/qube-agent.service")).expect("a unit");
    assert!(
        unit.contains(&format!("run -c {folder}/agent.toml")),
        "{unit}"
    );
    // The shipped one, with this node's paths.
    for line in [
        "User=qube-agent",
        "ProtectSystem=strict",
        &format!("ReadWritePaths=-{bin} -{chain} -{data}"),
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}: {unit}");
    }
    #[cfg(feature = "qube_agent")]
    {
        let check = || {
            let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_qube-agent"));
            check
                .args(["check", "-c"])
                .arg(ground.path("node/agent.toml"));
            check
        };
        run(check(), "").await.assert_success();
        fs::create_dir(&binary).expect("a folder in the program's place");
        let wrong = run(check(), "").await;
        wrong.assert_failure(&["upgrade.binary", "is no file"]);
    }
    let again = ground
        .tool(&["onboard", "--node-id", "node-1", "--to", &folder])
        .await;
    again.assert_failure(&["is there already"]);

    let other = ground.path("other").display().to_string();
    let unseen = ground
        .tool(&[
            "onboard",
            "--node-id",
            "node-1",
            "--to",
            &other,
            "--genesis-path",
            "/root/.znn/genesis.json",
            "--reboot",
            "/opt/reboot",
        ])
        .await;
    unseen.assert_failure(&["/root/.znn", "ProtectHome"]);
    for (template, binary, words) in [
        ("https://example.com/{version}", "rel", "from / on"),
        ("http://example.com/{version}", "/opt/node/node", "https://"),
        ("https://example.com/{platform}", "/opt/node/node", "{arch}"),
    ] {
        let refused = ground
            .tool(&[
                "onboard",
                "--node-id",
                "node-1",
                "--to",
                &other,
                "--url-template",
                template,
                "--binary",
                binary,
            ])
            .await;
        refused.assert_failure(&[words]);
    }
    assert!(!ground.path("other").exists(), "nothing is half written");
}
