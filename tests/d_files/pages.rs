//! D7: pages for operators name commands and calls that there are.

use crate::ground::{path, read, trellis};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use trellis_test_support::page::typed;

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

/// Blocks of code in these languages are typed.
const SHELLS: [&str; 2] = ["sh", "bash"];

/// The pages, each with its text.
fn pages() -> Vec<(String, String)> {
    let mut names = vec![
        "docs/deploying.md".to_owned(),
        "docs/migrating.md".to_owned(),
    ];
    for folder in ["docs/deploying", "docs/runbooks"] {
        for entry in fs::read_dir(path(folder)).expect("a folder").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            names.push(format!("{folder}/{name}"));
        }
    }
    names.sort();
    names
        .into_iter()
        .map(|name| (name.clone(), read(&name)))
        .collect()
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
        } else if ["backup", "bench", "config", "extensions"].contains(&command) {
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
        assert!(typed(&page, &SHELLS).len() > 5, "{name} names no commands");
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
        for line in typed(&page, &SHELLS) {
            // `trellis qube` is parsed whole by the tests of the fleet's tools.
            let ours = |words: &Vec<String>| words[0] != "qube";
            for words in commands(&line).into_iter().filter(ours) {
                seen.insert(words[0].clone());
                if let Some(offence) = known.offence(&words) {
                    offences.push(format!("{name}: trellis {}: {offence}", words.join(" ")));
                }
            }
        }
    }
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
    for command in [
        "health", "export", "import", "check", "compact", "delete", "sync", "backup", "config",
        "mls", "livekit",
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
        for line in typed(&page, &SHELLS) {
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

/// `$DATA` is a path of the relay's, `$DISK` the same one in the shell: they differ with Compose.
#[test]
fn d7_each_path_is_that_of_whoever_reads_it() {
    for (name, page) in pages() {
        for line in typed(&page, &SHELLS) {
            let is_command = line.contains(' ');
            let names_it = line.contains("$DATA/") || line.contains("\"$DATA\"");
            let is_relays = ["trellis ", "TRELLIS_DATA__PATH=", "echo "]
                .iter()
                .any(|it| line.contains(it));
            assert!(!names_it || is_relays || !is_command, "{name}: {line}");
            let removes = ["rm -r", "rm -f", "-exec rm"]
                .iter()
                .any(|it| line.contains(it));
            let by_name = line.contains("\"$DISK") && !line.contains("${DISK:?}");
            assert!(
                !removes || !by_name,
                "an empty name removes too much: {name}: {line}"
            );
        }
    }
}

/// Extensions that start over an empty store end the calls for which they find no room there.
#[test]
fn d7_restoring_ends_no_calls_and_tries_nothing_on_what_is_in_use() {
    let page = read("docs/runbooks/restore.md");
    let imports = typed(&page, &SHELLS);
    let imports = imports
        .iter()
        .filter(|line| line.contains("trellis import -c"));
    for line in imports.clone() {
        let off = "TRELLIS_EXTENSIONS__LIVEKIT_TOKEN__ENABLED=false";
        assert!(line.contains(off), "{line}");
    }
    assert_eq!(imports.count(), 1);
    let (_, trial) = page.split_once("## Try it").expect("the section");
    assert!(trial.contains("APART=\"env -i "));
    for line in typed(trial, &SHELLS)
        .iter()
        .filter(|line| line.contains("trellis "))
    {
        assert!(line.contains("as_relay $APART trellis "), "{line}");
    }
}
