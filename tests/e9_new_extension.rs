//! E9: `trellis extensions new` writes a crate that is well-formed, passes its own tests, and is a relay at once.
//!
//! The crate is built as a member of this workspace, which stands beside it as links, in the target directory of these
//! tests: what they were built with serves it too, and only the crate itself is compiled.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use trellis_test_support::{Author, Client, Setup, json};

const NAME: &str = "e9-second_thoughts";
const PACKAGE: &str = "e9-second-thoughts";
/// The shortest and the longest there are: the form must not depend on the length.
const EXTREMES: [&str; 2] = ["a", "a_name_that_is_as_long_as_may_be"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Writes a new extension; what the command said.
fn new(name: &str, folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trellis"));
    command
        .args(["extensions", "new", name, "--path"])
        .arg(folder);
    command.arg("--relay").arg(root());
    command.output().expect("the command runs")
}

#[track_caller]
fn assert_success(output: &Output) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}\n{out}{err}", output.status);
}

fn target() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_trellis"));
    let target = binary.ancestors().nth(2);
    target.expect("target/PROFILE/trellis").to_owned()
}

/// What this machine is to Rust.
fn host() -> String {
    let rustc = Command::new("rustc")
        .args(["--print", "host-tuple"])
        .output()
        .expect("rustc runs");
    assert_success(&rustc);
    String::from_utf8_lossy(&rustc.stdout).trim().to_owned()
}

/// Runs cargo in a folder.
#[track_caller]
fn cargo<A: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = A>) -> Output {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(folder).args(arguments);
    command.env("CARGO_TARGET_DIR", target());
    let output = command.output().expect("cargo runs");
    assert_success(&output);
    output
}

/// This workspace as links in a folder, with the crates of `members` beside its own. Cargo names what it builds by the
/// place in the workspace, wherever that is, and so finds what there is.
fn link_workspace(folder: &Path, members: &[&str]) {
    for entry in fs::read_dir(root()).expect("this workspace").flatten() {
        let name = entry.file_name();
        // Cargo changes the lock file, and looks for its target directory where it is told.
        if !["Cargo.toml", "Cargo.lock", "target", ".git"].contains(&&*name.to_string_lossy()) {
            symlink(entry.path(), folder.join(name)).expect("a link");
        }
    }
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).expect("the lock file");
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let mut manifest: toml::Table = manifest.parse().expect("TOML");
    let all = manifest["workspace"]["members"].as_array_mut();
    all.expect("members")
        .extend(members.iter().map(|it| (*it).into()));
    fs::write(folder.join("Cargo.toml"), manifest.to_string()).expect("Cargo.toml");
}

/// A program for cargo to call instead of rustc: it has clippy compile the new crate, strictly, and rustc all others.
fn strict_compiler(folder: &Path) -> PathBuf {
    let clippy = Path::new(env!("CARGO")).with_file_name("clippy-driver");
    let script = format!(
        "#!/bin/sh\ncase \"$CARGO_PKG_NAME\" in\n{PACKAGE}) exec {clippy:?} \"$@\" -D warnings ;;\n*) exec \"$@\" ;;\nesac\n"
    );
    let path = folder.join("strict-compiler");
    fs::write(&path, script).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("an executable");
    path
}

#[tokio::test]
async fn e9_what_is_written_is_tidy_passes_its_tests_and_is_a_relay() {
    let workspace = TempDir::new().expect("a temporary directory");
    link_workspace(workspace.path(), &["mine"]);
    let folder = workspace.path().join("mine");
    let mut new = Command::new(env!("CARGO_BIN_EXE_trellis"));
    new.args(["extensions", "new", NAME, "--path"]).arg(&folder);
    let written = new.output().expect("the command runs");
    assert_success(&written);
    let hint = String::from_utf8_lossy(&written.stdout).into_owned();
    assert!(hint.contains("the checkout .."), "{hint}");
    cargo(&folder, ["fmt", "--check"]);

    // Its manifest holds for a workspace of its own.
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).expect("the lock file");
    // For this machine alone: crates for others were not downloaded.
    let filter = format!("--filter-platform={}", host());
    cargo(
        &folder,
        ["metadata", "--offline", "--format-version=1", &filter],
    );
    // As its comment says for a member of another workspace.
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("its manifest");
    let manifest = manifest.replace("\n[workspace]\n", "\n");
    fs::write(folder.join("Cargo.toml"), manifest).expect("its manifest");
    let mut test = Command::new(env!("CARGO"));
    // The whole workspace, so that dependencies have the features that they were built with.
    test.args(["test", "--offline", "--workspace", "--test", "behaviour"]);
    if let Ok(features) = std::env::var("TEST_FEATURES") {
        test.args(["--features", &features]);
    }
    test.current_dir(&folder)
        .env("CARGO_TARGET_DIR", target())
        .env("RUSTC_WRAPPER", strict_compiler(workspace.path()))
        .env("CARGO_CACHE_RUSTC_INFO", "0");
    // Cargo's words about this package to its tests; build scripts would run again for them.
    for (key, _) in std::env::vars_os() {
        let text = key.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            test.env_remove(&key);
        }
    }
    let tested = test.output().expect("cargo runs");
    assert_success(&tested);
    let tested = String::from_utf8_lossy(&tested.stdout).into_owned();
    assert!(
        tested.contains("it_passes_what_every_extension_should ... ok"),
        "{tested}"
    );

    let config = fs::read_to_string(folder.join("trellis.toml")).expect("its configuration");
    let program = target().join("debug").join(PACKAGE);
    let relay = Setup::of(&program.to_string_lossy());
    let relay = relay.config(&config).start().await;
    let mut client = Client::connect(&relay).await;
    let alice = Author::new();
    let note = alice.note("hello");
    client.store(&note).await;
    assert_eq!(client.query(json!({ "kinds": [1] })).await, [note]);
    let refused = client.publish(&alice.note(&"too long ".repeat(40))).await;
    assert_eq!(
        refused.message,
        "blocked: notes have at most 20 characters here"
    );
}

#[test]
fn e9_the_form_does_not_depend_on_the_name() {
    for name in EXTREMES {
        let parent = TempDir::new().expect("a temporary directory");
        let folder = parent.path().join("crate");
        assert_success(&new(name, &folder));
        cargo(&folder, ["fmt", "--check"]);
        let text = fs::read_to_string(folder.join("src/lib.rs")).expect("its code");
        assert!(
            !text.contains("ew_extension"),
            "the template's name is left over"
        );
    }
}

#[test]
fn e9_nothing_is_overwritten_and_no_bad_name_is_taken() {
    let parent = TempDir::new().expect("a temporary directory");
    let says = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let there = new("mine", parent.path());
    assert_eq!(there.status.code(), Some(2));
    assert!(
        says(&there).contains("is there already; nothing was written"),
        "{}",
        says(&there)
    );
    assert_eq!(fs::read_dir(parent.path()).expect("a folder").count(), 0);

    let folder = parent.path().join("crate");
    let mut far = Command::new(env!("CARGO_BIN_EXE_trellis"));
    far.args(["extensions", "new", "mine", "--path"])
        .arg(&folder);
    let far = far.output().expect("the command runs");
    assert_eq!(far.status.code(), Some(2));
    assert!(says(&far).contains("--relay"), "{}", says(&far));
    assert!(!folder.exists());

    for (name, why) in [
        ("Mine", "lower case"),
        ("mine!", "lower case"),
        ("9lives", "begin with a letter"),
        ("mine__too", "between words"),
        ("mine-", "between words"),
        ("match", "something else"),
        ("trellis-relay", "something else"),
        ("notes", "another type"),
        ("admit-request", "another type"),
        ("a_name_that_is_as_long_as_may_be_", "at most 32"),
    ] {
        let refused = new(name, &folder);
        assert_eq!(refused.status.code(), Some(2), "{name}");
        assert!(says(&refused).contains(why), "{name}: {}", says(&refused));
        assert!(!folder.exists(), "{name}");
    }
}
