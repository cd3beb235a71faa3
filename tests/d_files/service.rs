//! D5: the unit of systemd.

use crate::ground::{program, read, succeed};
use std::fs;
use std::process::Command;

#[test]
fn d5_systemd_takes_the_unit_and_finds_little_open() {
    let unit = read("deploy/systemd/trellis.service");
    for line in [
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=",
        "SystemCallFilter=@system-service",
        "StateDirectory=trellis",
        "ReadWritePaths=-/var/backups/trellis",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "Restart=always",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
    let Some(analyze) = program("systemd-analyze") else {
        return;
    };
    // What it starts is ours wherever that is, and its user is somebody who exists.
    let unit = unit.replace("/usr/local/bin/trellis", env!("CARGO_BIN_EXE_trellis"));
    let unit = unit
        .replace("User=trellis", "User=root")
        .replace("Group=trellis", "Group=root");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("trellis.service");
    fs::write(&file, unit).expect("the unit");
    let said = succeed(Command::new(&analyze).arg("verify").arg(&file));
    assert!(!said.contains("trellis.service:"), "{said}");
    let mut security = Command::new(&analyze);
    security
        .args(["security", "--offline=true", "--threshold=20", "--no-pager"])
        .arg(&file);
    succeed(&mut security);
}
