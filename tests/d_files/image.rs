//! D1: the Dockerfile, what it is built from, and its entrypoint.

use crate::ground::{path, program, read, succeed};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

#[test]
fn d1_hadolint_has_nothing_to_say_of_the_dockerfile() {
    let Some(hadolint) = program("hadolint") else {
        return;
    };
    succeed(Command::new(hadolint).arg(path("Dockerfile")));
}

#[test]
fn d1_the_image_is_built_with_our_toolchain_and_all_features_and_runs_as_nobody() {
    let file = read("Dockerfile");
    let toolchain: toml::Table = read("rust-toolchain.toml").parse().expect("TOML");
    let version = toolchain["toolchain"]["channel"]
        .as_str()
        .expect("a version");
    assert!(
        file.contains(&format!("ARG RUST_VERSION={version}\n")),
        "{version}"
    );
    assert!(
        read("cloudbuild.yaml").contains(&format!("name: rust:{version}-")),
        "{version}"
    );
    // Stages, and what the last one is.
    let stages: Vec<&str> = file.split("\nFROM ").skip(1).collect();
    assert!(stages.len() > 1, "one stage");
    let last = stages.last().expect("a stage");
    assert!(last.starts_with("debian:"), "{last}");
    for build in ["cargo chef cook", "cargo build"] {
        let line = file.lines().find(|line| line.contains(build));
        let line = line.unwrap_or_else(|| panic!("{build}"));
        for word in ["--release", "--locked", "--all-features"] {
            assert!(line.contains(word), "{word}: {line}");
        }
    }
    for words in [
        "\nUSER 10001:10001\n",
        "\nCOPY config/ config/\n",
        "\nHEALTHCHECK ",
        "trellis health",
        "\nENTRYPOINT [\"docker-entrypoint.sh\"]",
    ] {
        assert!(last.contains(words), "{words:?} is not in the last stage");
    }
    // No other network than the registries.
    for word in ["curl", "wget", "git clone", "http://", "https://"] {
        assert!(!file.contains(word), "{word}");
    }
}

/// Whether a pattern of .dockerignore leaves a path out: `*` is any name, `**/` any folders, and a folder goes with all in it.
fn leaves_out(pattern: &str, path: &str) -> bool {
    if let Some(rest) = pattern.strip_prefix("**/") {
        let mut ends = path.match_indices('/').map(|(at, _)| &path[at + 1..]);
        return leaves_out(rest, path) || ends.any(|end| leaves_out(rest, end));
    }
    let (mut names, mut patterns) = (path.split('/'), pattern.split('/'));
    patterns.all(|pattern| {
        names
            .next()
            .is_some_and(|name| match pattern.split_once('*') {
                Some((head, tail)) => {
                    name.len() >= head.len() + tail.len()
                        && name.starts_with(head)
                        && name.ends_with(tail)
                }
                None => name == pattern,
            })
    })
}

fn files_below(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            let relative = path
                .strip_prefix(env!("CARGO_MANIFEST_DIR"))
                .expect("below the root");
            found.push(relative.to_string_lossy().into_owned());
        }
    }
}

#[test]
fn d1_nothing_that_the_image_is_built_from_is_left_out() {
    let ignored = read(".dockerignore");
    let patterns: Vec<&str> = ignored
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    // The last pattern that fits decides; with `!` it takes the path in again.
    let is_out = |path: &str| {
        let fits = |pattern: &&&str| leaves_out(pattern.trim_start_matches('!'), path);
        let last = patterns.iter().rev().find(fits);
        last.is_some_and(|pattern| !pattern.starts_with('!'))
    };
    let mut files = vec![
        "Cargo.toml".to_owned(),
        "Cargo.lock".to_owned(),
        "docker-entrypoint.sh".to_owned(),
        "deploy/systemd/qube-agent.service".to_owned(),
    ];
    let manifest: toml::Table = read("Cargo.toml").parse().expect("TOML");
    let members = manifest["workspace"]["members"]
        .as_array()
        .expect("members");
    for member in members.iter().filter_map(toml::Value::as_str) {
        files_below(&path(member), &mut files);
    }
    for folder in ["src", "config"] {
        files_below(&path(folder), &mut files);
    }
    let out: BTreeSet<&String> = files.iter().filter(|file| is_out(file)).collect();
    assert!(out.is_empty(), "{out:?}");
    for unwanted in [
        ".git/HEAD",
        ".env",
        ".env.prod",
        "target/debug/trellis",
        "data/relay.key",
        "README.md",
        "tests/clients/node_modules/a/b.js",
        "examples/browser-call/node_modules/a.js",
    ] {
        assert!(is_out(unwanted), "{unwanted}");
    }
}

#[test]
fn d1_the_entrypoint_becomes_the_relay() {
    let script = path("docker-entrypoint.sh");
    let mode = fs::metadata(&script)
        .expect("the script")
        .permissions()
        .mode();
    assert_eq!(mode & 0o111, 0o111, "it cannot be run");
    let home = tempfile::tempdir().expect("a folder");
    let stand_in = home.path().join("trellis");
    // Prints its process id as well: whoever runs as process 1 gets the signals.
    fs::write(&stand_in, "#!/bin/sh\necho \"$$ $*\"\n").expect("a program");
    fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755)).expect("permissions");
    let run = |config: Option<&str>, words: &[&str]| {
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg("echo $$; exec \"$0\" \"$@\"")
            .arg(&script)
            .args(words);
        command.env("PATH", format!("{}:/usr/bin:/bin", home.path().display()));
        command.env_remove("CONFIG");
        if let Some(config) = config {
            command.env("CONFIG", config);
        }
        let said = succeed(&mut command);
        let (process, rest) = said.trim().split_once('\n').expect("two lines");
        let (same, words) = rest.split_once(' ').expect("words");
        assert_eq!(process, same, "the relay is a child of its entrypoint");
        words.to_owned()
    };
    assert_eq!(run(None, &[]), "relay -c /app/config/trellis.toml --watch");
    assert_eq!(
        run(Some("/etc/t.toml"), &[]),
        "relay -c /etc/t.toml --watch"
    );
    assert_eq!(run(None, &["export", "-c", "a"]), "export -c a");
    if let Some(shellcheck) = program("shellcheck") {
        succeed(Command::new(shellcheck).arg(&script));
    }
}
