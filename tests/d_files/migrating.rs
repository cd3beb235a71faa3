//! D8: the example of a migration works as it stands.

use crate::ground::{program, read, succeed};
use std::fs;
use std::process::Command;

/// The one example for the shell that begins so.
fn example(page: &str, beginning: &str) -> String {
    let mut blocks = page
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    let found = blocks.find(|block| block.trim_start().starts_with(beginning));
    found
        .unwrap_or_else(|| panic!("no example begins with {beginning}"))
        .to_owned()
}

#[test]
fn d8_there_are_three_phases_and_a_way_back_from_each() {
    let page = read("docs/migrating.md");
    for phase in [
        "## Phase 1: side by side",
        "## Phase 2: data",
        "## Phase 3: over",
    ] {
        assert!(page.contains(phase), "{phase}");
    }
    assert_eq!(page.matches("**Back**").count(), 3);
}

#[test]
fn d8_an_old_database_is_taken_over_as_the_page_says() {
    let (Some(sqlite), Some(_)) = (program("sqlite3"), program("jq")) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let (owner, member) = (
        "82341f882b6eabcd2ba7f1ef90aad961cf074af15b9ef44a09f9d2a8fbfbe6a2",
        "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e",
    );
    // The end of the letters lies in the future of whoever runs this.
    let old = format!(
        "create table groups (id, name, owner, epoch, created_at);
         create table members (group_id, pubkey, role);
         create table keypackages (id, recipient, sender, content, created_at, expires_at, picked_up_at);
         create table welcomes (id, recipient, sender, group_id, welcome, created_at, expires_at, picked_up_at);
         insert into groups values ('team', 'Team', '{owner}', 7, 1700000000);
         insert into members values ('team', '{owner}', 'owner'), ('team', '{member}', 'member');
         insert into keypackages values
           ('k1', '{owner}', '{member}', 'aGVsbG8=', 1724050000, 4000000000, null),
           ('k2', '{owner}', '{member}', 'aGVsbG8=', 1724050000, 4000000000, 1724050001);
         insert into welcomes values ('w1', '{owner}', '{member}', 'team', 'aGVsbG8=', 1724050000, 4000000000, null);"
    );
    succeed(
        Command::new(sqlite)
            .current_dir(&folder)
            .args(["old.db", &old]),
    );
    let config = folder.path().join("config.toml");
    let data = folder.path().join("data").display().to_string();
    fs::write(
        &config,
        format!("[data]\npath = '{data}'\n[extensions.mls_gateway]\n"),
    )
    .expect("a file");
    let page = read("docs/migrating.md");
    let program = path_of_program(&folder);
    let run = |script: &str| {
        let mut shell = Command::new("bash");
        shell
            .args(["-euc", script])
            .current_dir(&folder)
            .env("CONFIG", &config)
            .env("PATH", &program);
        succeed(&mut shell)
    };
    run(&example(&page, "sqlite3 old.db"));
    let said = run(&example(&page, "trellis mls import"));
    assert!(said.contains("1 lines: 1 new"), "{said}");
    assert!(said.contains("2 lines: 2 new"), "{said}");
    assert!(said.contains("nothing was written: --dry-run"), "{said}");
    run(
        "trellis mls export -c \"$CONFIG\" --groups \"$PWD/there.jsonl\" --mailboxes \"$PWD/letters.jsonl\"",
    );
    assert_eq!(
        run(&example(&page, "jq -r .group_id groups.jsonl")).trim(),
        ""
    );
    let there = fs::read_to_string(folder.path().join("there.jsonl")).expect("the groups");
    assert!(there.contains(member) || there.contains("npub"), "{there}");
    let letters = fs::read_to_string(folder.path().join("letters.jsonl")).expect("the letters");
    assert_eq!(letters.lines().count(), 2, "{letters}");
}

/// A search path on which `trellis` is ours.
fn path_of_program(folder: &tempfile::TempDir) -> std::ffi::OsString {
    let own = folder.path().join("bin");
    fs::create_dir(&own).expect("a folder");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_trellis"), own.join("trellis")).expect("a link");
    let rest = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&rest))).expect("a path")
}
