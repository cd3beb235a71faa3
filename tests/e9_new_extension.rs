//! E9: `trellis extensions new` writes a crate that is well-formed, passes its own tests, and is a relay at once.
//!
//! The crate is built against this checkout with the dependencies that were built for these tests: same lock file, same
//! target directory, same profile.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use trellis_test_support::{Author, Client, Setup, json};

const NAME: &str = "e9-second_thoughts";
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

/// Runs cargo in a folder, as the workspace would build what is in it.
#[track_caller]
fn cargo<A: AsRef<OsStr>>(folder: &Path, arguments: impl IntoIterator<Item = A>) -> Output {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(folder).args(arguments);
    command.env("CARGO_TARGET_DIR", target());
    let output = command.output().expect("cargo runs");
    assert_success(&output);
    output
}

/// Arguments for the profile of the workspace, whose members are dependencies here.
fn profile() -> Vec<String> {
    let own = ["trellis", "trellis-relay", "trellis-exec", "members-only"];
    let own = own.iter().flat_map(|package| {
        [
            format!("profile.dev.package.{package}.opt-level=0"),
            format!("profile.dev.package.{package}.debug=\"line-tables-only\""),
        ]
    });
    let all = [
        "profile.dev.debug=\"line-tables-only\"",
        "profile.dev.package.\"*\".opt-level=2",
        "profile.dev.package.\"*\".debug=false",
    ];
    let all = all.into_iter().map(str::to_owned).chain(own);
    all.flat_map(|value| ["--config".to_owned(), value])
        .collect()
}

#[tokio::test]
async fn e9_what_is_written_is_tidy_passes_its_tests_and_is_a_relay() {
    let parent = TempDir::new().expect("a temporary directory");
    let folder = parent.path().join("crate");
    let written = new(NAME, &folder);
    assert_success(&written);
    let hint = String::from_utf8_lossy(&written.stdout).into_owned();
    let source = format!("the checkout {}", root().display());
    assert!(hint.contains(&source), "{hint}");
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).expect("the lock file");

    cargo(&folder, ["fmt", "--check"]);
    let clippy = ["clippy", "--offline", "--all-targets"].map(str::to_owned);
    let strict = ["--", "-D", "warnings"].map(str::to_owned);
    cargo(&folder, clippy.into_iter().chain(profile()).chain(strict));
    let test = ["test", "--offline"].map(str::to_owned);
    let tested = cargo(&folder, test.into_iter().chain(profile()));
    let tested = String::from_utf8_lossy(&tested.stdout).into_owned();
    assert!(
        tested.contains("it_passes_what_every_extension_should ... ok"),
        "{tested}"
    );

    let config = fs::read_to_string(folder.join("trellis.toml")).expect("its configuration");
    let program = target().join("debug/e9-second-thoughts");
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
    for (name, why) in [
        ("Mine", "lower case"),
        ("mine!", "lower case"),
        ("9lives", "begin with a letter"),
        ("mine__too", "between words"),
        ("mine-", "between words"),
        ("match", "something else"),
        ("trellis-relay", "something else"),
        ("a_name_that_is_as_long_as_may_be_", "at most 32"),
    ] {
        let refused = new(name, &folder);
        assert_eq!(refused.status.code(), Some(2), "{name}");
        assert!(says(&refused).contains(why), "{name}: {}", says(&refused));
        assert!(!folder.exists(), "{name}");
    }
}
