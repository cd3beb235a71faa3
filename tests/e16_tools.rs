//! E16: the tools around the code are set up, and what their configuration names is there.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use yaml_rust2::{Yaml, YamlLoader};

/// Tools that are asked for and not brought along: their hooks run by hand.
const INSTALLED_BY_HAND: [&str; 1] = ["deny"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect(path)
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// What `cargo` can do here, installed tools included.
fn cargo_commands() -> Vec<String> {
    let list = Command::new(env!("CARGO")).arg("--list").output();
    let list = String::from_utf8(list.expect("cargo").stdout).expect("UTF-8");
    let first = |line: &str| Some(line.split_whitespace().next()?.to_owned());
    list.lines().skip(1).filter_map(first).collect()
}

/// Why a hook's entry would not run.
fn problem(entry: &str, stages: &[&str]) -> Option<String> {
    let words: Vec<&str> = entry.split_whitespace().collect();
    let (program, command) = (*words.first()?, words.get(1).copied().unwrap_or_default());
    let is_manual = stages == ["manual"];
    match program {
        "git" => {}
        "cargo" if INSTALLED_BY_HAND.contains(&command) => {
            if !is_manual {
                return Some(format!("cargo {command} is not on every machine"));
            }
            if !read("CONTRIBUTING.md").contains(&format!("cargo-{command}")) {
                return Some(format!("nobody says how to get cargo {command}"));
            }
        }
        "cargo" => {
            if !cargo_commands().iter().any(|known| known == command) {
                return Some(format!("cargo has no {command}"));
            }
        }
        script => {
            if !is_executable(&root().join(script)) {
                return Some(format!("{script} cannot be run"));
            }
        }
    }
    let tests = words.windows(2).filter(|pair| pair[0] == "--test");
    let mut tests = tests.map(|pair| format!("tests/{}.rs", pair[1]));
    tests.find(|path| !root().join(path).is_file())
}

#[test]
fn e16_hooks_before_a_commit_run_what_is_there_and_fetch_nothing() {
    let file = YamlLoader::load_from_str(&read(".pre-commit-config.yaml")).expect("YAML");
    let repositories = file[0]["repos"].as_vec().expect("repos");
    let mut entries = BTreeMap::new();
    for repository in repositories {
        assert_eq!(repository["repo"].as_str(), Some("local"));
        for hook in repository["hooks"].as_vec().expect("hooks") {
            let (id, entry) = (hook["id"].as_str(), hook["entry"].as_str());
            let (id, entry) = (id.expect("id"), entry.expect("entry"));
            assert_eq!(hook["language"].as_str(), Some("system"), "{id}");
            let stages = hook["stages"].as_vec();
            let stages: Vec<&str> = stages
                .into_iter()
                .flatten()
                .filter_map(Yaml::as_str)
                .collect();
            assert_eq!(problem(entry, &stages), None, "{id}");
            assert!(entries.insert(id, entry).is_none(), "{id} twice");
        }
    }
    for (id, entry) in [
        ("fmt", "cargo fmt --all --check"),
        ("clippy", "-D warnings"),
        ("tidy", "--test tidy"),
        ("deny", "cargo deny check"),
    ] {
        assert!(entries[id].contains(entry), "{id}: {}", entries[id]);
    }
    // What would not run is found.
    for bad in [
        "cargo no-such-command",
        "tests/none",
        "README.md",
        "cargo deny",
        "cargo test --test none",
    ] {
        assert!(problem(bad, &[]).is_some(), "{bad}");
    }
}

#[test]
fn e16_the_hook_for_whitespace_looks_at_what_was_committed_before() {
    let file = YamlLoader::load_from_str(&read(".pre-commit-config.yaml")).expect("YAML");
    let hooks = file[0]["repos"][0]["hooks"].as_vec().expect("hooks");
    let hook = hooks
        .iter()
        .find(|hook| hook["id"].as_str() == Some("whitespace"));
    let entry = hook.and_then(|hook| hook["entry"].as_str());
    let entry: Vec<&str> = entry.expect("its entry").split_whitespace().collect();
    for (text, is_good) in [("good\n", true), ("bad \n", false)] {
        let folder = tempfile::tempdir().expect("a folder");
        let run = |arguments: &[&str]| {
            let mut git = Command::new("git");
            git.current_dir(folder.path()).args(arguments);
            git.output().expect("git").status.success()
        };
        fs::write(folder.path().join("file"), text).expect("a file");
        assert!(run(&["init", "--quiet"]) && run(&["add", "file"]));
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        let commit = ["commit", "--quiet", "--no-verify", "--message", "a"];
        assert!(run(&[who.as_slice(), &commit].concat()));
        assert_eq!(entry[0], "git");
        assert_eq!(run(&entry[1..]), is_good, "{text:?}");
    }
}

#[test]
fn e16_crates_come_from_one_place_under_known_licenses() {
    let deny: toml::Table = read("deny.toml").parse().expect("TOML");
    let allowed = deny["licenses"]["allow"].as_array().expect("a list");
    let is_allowed = |license| allowed.iter().any(|it| it.as_str() == Some(license));
    let workspace: toml::Table = read("Cargo.toml").parse().expect("TOML");
    let own = workspace["workspace"]["package"]["license"].as_str();
    assert!(is_allowed(own.expect("a license")));
    for copyleft in ["GPL-3.0", "AGPL-3.0", "GPL-3.0-only", "AGPL-3.0-only"] {
        assert!(!is_allowed(copyleft), "{copyleft}");
    }
    assert_eq!(deny["bans"]["multiple-versions"].as_str(), Some("warn"));
    for unknown in ["unknown-registry", "unknown-git"] {
        assert_eq!(deny["sources"][unknown].as_str(), Some("deny"), "{unknown}");
    }
    let registries = deny["sources"]["allow-registry"]
        .as_array()
        .expect("a list");
    // Every crate that is locked is from there, whether cargo-deny is installed or not.
    let lock: toml::Table = read("Cargo.lock").parse().expect("TOML");
    for package in lock["package"].as_array().expect("packages") {
        let Some(source) = package.get("source").and_then(toml::Value::as_str) else {
            continue;
        };
        let from = source.strip_prefix("registry+").unwrap_or(source);
        let is_known = registries.iter().any(|it| it.as_str() == Some(from));
        assert!(is_known, "{}: {source}", package["name"]);
    }
    assert!(deny["advisories"].get("yanked").is_some());
}

#[test]
fn e16_ci_uses_the_tools_that_are_installed_and_names_the_others() {
    let script = read(".ci/run");
    assert!(is_executable(&root().join(".ci/run")));
    for (tool, run) in [
        (
            "deny",
            "cargo deny check --hide-inclusion-graph bans licenses sources",
        ),
        ("audit", "cargo audit"),
    ] {
        assert!(
            script.contains(&format!("command -v cargo-{tool}")),
            "{tool}"
        );
        assert!(script.contains(run), "{run}");
        assert!(
            script.contains(&format!("skipped+=(\"cargo {tool}: ")),
            "{tool}"
        );
    }
    assert!(script.contains("skipped+=(\"coverage: run tests/coverage"));
    let installs = |line: &&str| line.contains("cargo install") && !line.contains("skipped+=");
    assert_eq!(script.lines().find(installs), None);
}

/// An empty folder but for these programs, found as the shell finds them.
fn path_with(programs: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let path = std::env::var_os("PATH").expect("PATH");
    for program in programs {
        let found: Option<PathBuf> = std::env::split_paths(&path)
            .map(|folder| folder.join(program))
            .find(|path| is_executable(path));
        if let Some(found) = found {
            symlink(found, folder.path().join(program)).expect("a link");
        }
    }
    folder
}

#[test]
fn e16_coverage_says_what_it_lacks() {
    for (programs, lacks) in [
        (&["bash", "dirname"][..], "jq is missing"),
        (&["bash", "dirname", "jq"], "is missing"),
    ] {
        let path = path_with(programs);
        let run = Command::new(root().join("tests/coverage"))
            .env("PATH", path.path())
            .env_remove("CARGO_LLVM_COV")
            .output()
            .expect("tests/coverage");
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(2), "{said}");
        assert!(said.contains(lacks), "{said}");
    }
}

#[test]
fn e16_a_page_says_how_a_change_is_made() {
    let page = read("CONTRIBUTING.md");
    for named in [
        "tests/run",
        ".ci/run",
        "tests/coverage",
        "pre-commit install",
        "cargo deny check",
        "cargo audit",
        "docs/rules.md",
    ] {
        assert!(page.contains(named), "{named}");
    }
    assert!(read("README.md").contains("(CONTRIBUTING.md)"));
}
