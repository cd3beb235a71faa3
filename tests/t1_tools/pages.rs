//! T3: commands on the pages about fleets are ones that `trellis qube` and `qube-agent` take.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use trellis_test_support::page::typed;

/// The pages with commands for people who direct or run a fleet.
fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let folder = fs::read_dir(root.join("runbooks")).expect("a folder");
    let runbooks = folder.flatten().map(|entry| entry.path());
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("fleet-")
    };
    let mut pages: Vec<PathBuf> = runbooks.filter(is_ours).collect();
    pages.sort();
    assert!(pages.len() > 5, "{pages:?}");
    pages.push(root.join("fleet.md"));
    pages.push(root.join("extensions/qube-tools.md"));
    pages.push(root.join("extensions/qube-agent.md"));
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a page");
        (path.display().to_string(), text)
    };
    pages.into_iter().map(read).collect()
}

/// The words of a line of the shell: blanks part them outside quotes, and what ends a command is a word.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in line.chars() {
        match (letter, quote) {
            (_, Some(open)) if letter == open => quote = None,
            ('\'' | '"', None) => quote = Some(letter),
            (_, None) if letter.is_whitespace() => words.push(std::mem::take(&mut word)),
            _ => word.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// The commands of `program` in a line, without it: words of ours up to the next command of the shell or to `...`.
fn commands(line: &str, program: &[&str]) -> Vec<Vec<String>> {
    let words = words(line);
    let ends = [
        "&&", "||", "|", ";", ">", ">>", "#", "<", "...", "2>&1", "&",
    ];
    let mut found = Vec::new();
    for at in 0..words.len() {
        let rest = &words[at..];
        let is_begun =
            at == 0 || ["&&", "||", "|", ";", "$", "sudo"].contains(&words[at - 1].as_str());
        if is_begun && rest.len() > program.len() && rest.iter().zip(program).all(|(a, b)| a == b) {
            let own = rest[program.len()..].iter();
            let own = own.take_while(|word| !ends.contains(&word.as_str()));
            let own: Vec<String> = own.map(|word| filled_in(word)).collect();
            // Where a page leaves out the rest, two words say at least which command is meant.
            let is_cut = rest
                .get(program.len() + own.len())
                .is_some_and(|end| end == "...");
            if !is_cut || own.len() > 1 {
                found.push(own);
            }
        }
    }
    found
}

/// A word with something in the place of variables and of what pages leave out.
fn filled_in(word: &str) -> String {
    let hash = "a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1d2e3f4a5b6c7d8e9f0a1b2";
    let npub = "npub1sr47j9awvw2xa0m4w770dr2rl7ylzq4xt9k5rel3h4h58sc3mjysx6pj64";
    let address = "z1qpecepafw0m6pyxd9lx0vngpqkrsd6f44gjx2v";
    [
        ("$HASH", hash),
        ("$GENESIS_HASH", hash),
        ("$GENESIS_URL", "https://example.com/genesis.json"),
        ("$AT", "1790000000"),
        ("$FROM", "1790000000"),
        ("$UNTIL", "1790003600"),
        ("$DEADLINE", "1790000000"),
        ("$REQUIRED_BY", "1790000000"),
        ("npub1...", npub),
        ("z1q...", address),
    ]
    .iter()
    .fold(word.to_owned(), |word, (name, value)| {
        word.replace(name, value)
    })
}

/// What is wrong with a command, if anything is. With `--help` after it, it is read and not carried out.
fn offence(program: &str, before: &[&str], words: &[String]) -> Option<String> {
    let mut command = Command::new(program);
    command.env_clear().args(before).args(words).arg("--help");
    let done = command.output().expect("the program");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    // The help of the subcommand, not of what it is below.
    let depth = words
        .iter()
        .take_while(|word| !word.starts_with('-'))
        .count();
    let is_group = said.contains("\nCommands:\n");
    match done.status.success() {
        false => Some(String::from_utf8_lossy(&done.stderr).into_owned()),
        true if is_group && depth > 0 => Some("a word is missing".to_owned()),
        true => None,
    }
}

#[test]
fn t3_each_command_on_the_pages_about_fleets_is_one_that_there_is() {
    let trellis = env!("CARGO_BIN_EXE_trellis");
    for wrong in [
        "signal",
        "signal nonsense",
        "nonsense",
        "signal upgrade --no-such",
        "rollback KEY --required-by tomorrow",
        "audit export --out a b",
    ] {
        let words = words(wrong);
        let found = offence(trellis, &["qube"], &words);
        assert!(found.is_some(), "{wrong} is taken for a command");
    }
    let (mut offences, mut seen) = (Vec::new(), std::collections::BTreeSet::new());
    for (name, page) in pages() {
        for line in typed(&page, &["sh", "bash", "console"]) {
            for words in commands(&line, &["trellis", "qube"]) {
                seen.insert(words.first().cloned().unwrap_or_default());
                if let Some(offence) = offence(trellis, &["qube"], &words) {
                    offences.push(format!(
                        "{name}: trellis qube {}: {offence}",
                        words.join(" ")
                    ));
                }
            }
            #[cfg(feature = "qube_agent")]
            for words in commands(&line, &["qube-agent"]) {
                let agent = env!("CARGO_BIN_EXE_qube-agent");
                if let Some(offence) = offence(agent, &[], &words) {
                    offences.push(format!("{name}: qube-agent {}: {offence}", words.join(" ")));
                }
            }
        }
    }
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
    for command in [
        "keygen", "signal", "fleet", "quorum", "acks", "history", "audit", "verify", "genesis",
        "launch", "onboard", "health", "rollback",
    ] {
        assert!(seen.contains(command), "{command} is on no page");
    }
}
