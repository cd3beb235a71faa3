//! D7, D8: pages for operators name commands that there are, and the example of a migration works as it stands.

use crate::ground::{path, program, read, succeed, trellis};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

/// What an operator should find, besides the first page.
const RUNBOOKS: [&str; 13] = [
    "auth-failures",
    "decommissioning",
    "deploy-and-roll-back",
    "disk-full",
    "high-429s",
    "incidents",
    "latency",
    "legal-request",
    "livekit-down",
    "maintenance-window",
    "restart",
    "restore",
    "rotation",
];

/// Extensions with commands, switched on.
const EXTENSIONS: &str = "[extensions.groups]\n[extensions.mls_gateway]\n[extensions.blossom_policy]\n\
    [extensions.livekit_token]\nlivekit_api_key = 'test_key'\n\
    livekit_api_secret = 'a_secret_that_only_the_tests_have_0123456789'\n";

/// The pages, each with its text.
fn pages() -> Vec<(String, String)> {
    let mut names = vec![
        "docs/deploying.md".to_owned(),
        "docs/migrating.md".to_owned(),
    ];
    for folder in ["docs/deploying", "docs/runbooks"] {
        for entry in fs::read_dir(path(folder)).expect("a folder").flatten() {
            names.push(format!("{folder}/{}", entry.file_name().to_string_lossy()));
        }
    }
    names.sort();
    names
        .into_iter()
        .map(|name| (name.clone(), read(&name)))
        .collect()
}

/// What is to be typed: lines of examples for the shell, continued ones as one, and code within sentences.
fn typed(page: &str) -> Vec<String> {
    let page = page.replace("\\\n", " ");
    let mut found = Vec::new();
    let mut fence: Option<bool> = None;
    for line in page.lines() {
        match (line.trim_start().strip_prefix("```"), fence) {
            (Some(kind), None) => fence = Some(["sh", "bash"].contains(&kind)),
            (Some(_), Some(_)) => fence = None,
            (None, Some(true)) => found.push(line.to_owned()),
            (None, Some(false)) => {}
            (None, None) => found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned)),
        }
    }
    found
}

/// Whether a word of the shell ends the command before it.
fn ends_command(word: &str) -> bool {
    ["&&", "||", "|", ";", ">", ">>", "#", "<"].contains(&word)
}

/// The words after each `trellis` in a line that are words of ours: up to the next command of the shell.
fn commands(line: &str) -> Vec<Vec<String>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let is_program =
            ["trellis", "./trellis"].contains(&word.trim_start_matches(['(', '"', '$', '{']));
        let before = words[..at]
            .iter()
            .rev()
            .take_while(|word| !ends_command(word));
        let is_value = at > 0 && words[at - 1].starts_with('-')
            || before
                .clone()
                .any(|word| ["systemctl", "journalctl"].contains(word));
        if !is_program || is_value {
            continue;
        }
        let own = words[at + 1..]
            .iter()
            .take_while(|word| !ends_command(word));
        let own: Vec<String> = own.map(|word| (*word).to_owned()).collect();
        let is_command = own
            .first()
            .is_some_and(|first| first.bytes().all(|byte| byte.is_ascii_lowercase()));
        if is_command {
            found.push(own);
        }
    }
    found
}

/// What a command may be given, by its own words.
struct Known {
    help: BTreeMap<String, String>,
    folder: tempfile::TempDir,
}

impl Known {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data").display().to_string();
        fs::write(
            folder.path().join("config.toml"),
            format!("[data]\npath = '{data}'\n{EXTENSIONS}"),
        )
        .expect("a file");
        let help = BTreeMap::new();
        Known { help, folder }
    }

    /// The help of a command of ours, or the usage of an extension's.
    fn help(&mut self, command: &str) -> String {
        if let Some(help) = self.help.get(command) {
            return help.clone();
        }
        let own = ["mls", "groups", "livekit", "blossom"].contains(&command);
        let mut ask = trellis(&BTreeMap::new());
        if own {
            ask.args([command, "-c"])
                .arg(self.folder.path().join("config.toml"));
        } else {
            ask.args([command, "--help"]);
        }
        let done = ask.output().expect("trellis");
        let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert!(own || done.status.success(), "trellis {command}: {said}");
        self.help.insert(command.to_owned(), said.to_string());
        said.into_owned()
    }

    /// What is wrong with a command, if anything is.
    fn offence(&mut self, words: &[String]) -> Option<String> {
        let command = words[0].as_str();
        let mut help = self.help(command);
        let is_nested = |word: &&String| {
            word.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
                && !word.starts_with('-')
        };
        if ["mls", "groups", "livekit", "blossom"].contains(&command) {
            let nested = words.get(1).filter(is_nested)?;
            let mut lines = help.lines();
            let Some(usage) = lines.find(|line| line.starts_with(&format!("{command} {nested} ")))
            else {
                return Some(format!("there is no {nested}"));
            };
            help = format!("{usage} -c");
        } else if ["bench", "config", "extensions"].contains(&command) {
            let nested = words.get(1).filter(is_nested)?;
            let mut ask = trellis(&BTreeMap::new());
            let done = ask
                .args([command, nested, "--help"])
                .output()
                .expect("trellis");
            if !done.status.success() {
                return Some(format!("there is no {nested}"));
            }
            help = String::from_utf8_lossy(&done.stdout).into_owned();
        }
        let flags = words
            .iter()
            .map(|word| word.trim_end_matches(['.', ',', ')']))
            .filter(|word| word.starts_with('-'));
        let unknown: Vec<&str> = flags.filter(|flag| !is_flag(&help, flag)).collect();
        (!unknown.is_empty()).then(|| format!("{unknown:?}"))
    }
}

/// Whether a help text names a flag, as a whole word. `-` alone is standard input.
fn is_flag(help: &str, flag: &str) -> bool {
    let is_end = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
    let whole = |(at, _): (usize, &str)| help[at + flag.len()..].chars().next().is_none_or(is_end);
    flag == "-" || help.match_indices(flag).any(whole)
}

#[test]
fn d7_there_is_a_runbook_for_each_case_and_the_first_page_leads_to_it() {
    let first = read("docs/runbooks/README.md");
    for name in RUNBOOKS {
        assert!(
            first.contains(&format!("({name}.md)")),
            "{name} is not on the first page"
        );
        let page = read(&format!("docs/runbooks/{name}.md"));
        assert!(typed(&page).len() > 5, "{name} names no commands");
    }
    let incidents = read("docs/runbooks/incidents.md");
    for level in ["P1", "P2", "P3", "P4"] {
        assert!(incidents.contains(&format!("| {level} |")), "{level}");
    }
    assert!(read("docs/runbooks/maintenance-window.md").contains("72 hours"));
    assert!(read("docs/runbooks/decommissioning.md").contains("90 days"));
}

#[test]
fn d7_each_command_on_the_pages_is_one_that_there_is() {
    let mut known = Known::new();
    for wrong in [
        "export --no-such",
        "mls nonsense",
        "mls groups --no-such",
        "config nonsense",
    ] {
        let words: Vec<String> = wrong.split(' ').map(str::to_owned).collect();
        assert!(
            known.offence(&words).is_some(),
            "{wrong} is taken for a command"
        );
    }
    let mut offences = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, page) in pages() {
        for line in typed(&page) {
            for words in commands(&line) {
                seen.insert(words[0].clone());
                if let Some(offence) = known.offence(&words) {
                    offences.push(format!("{name}: trellis {}: {offence}", words.join(" ")));
                }
            }
        }
    }
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
    for command in [
        "health", "export", "import", "check", "compact", "delete", "sync", "config", "mls",
        "livekit",
    ] {
        assert!(seen.contains(command), "{command} is on no page");
    }
}

#[test]
fn d7_each_call_on_the_pages_is_one_that_there_is() {
    let mut tables = read("docs/management.md");
    for entry in fs::read_dir(path("docs/extensions"))
        .expect("a folder")
        .flatten()
    {
        tables.push_str(&fs::read_to_string(entry.path()).expect("a page"));
    }
    let mut seen = 0;
    for (name, page) in pages() {
        for line in typed(&page) {
            let words: Vec<&str> = line.split_whitespace().collect();
            for pair in words.windows(2).filter(|pair| pair[0] == "manage") {
                let method = pair[1];
                assert!(tables.contains(&format!("`{method}`")), "{name}: {method}");
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "{seen}");
}

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
