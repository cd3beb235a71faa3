//! The rules of STYLE.md and ARCHITECTURE.md that a reader of files can check, so that no review has to.
//!
//! Reads source text only. Each test collects every offence before it fails.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that are not ours or not source.
const SKIPPED_FOLDERS: [&str; 5] = ["target", "node_modules", ".git", "data", ".cache"];

/// Longest file below a `src`. Lines.
const MAX_FILE_LINES: usize = 500;

/// Modules of `relay/src` that are pure: no I/O, clock or async.
const PURE: [&str; 4] = ["wire", "event", "filter", "reason"];

/// Modules by layer; each may use its own layer and those before it. A module that is not named here is of the second
/// layer: it serves the flows and knows nothing of them.
///
/// A flow is written on the session whose message it carries out; worker, writer and the state they share hold sessions
/// and are held by them. So these are one layer.
const LAYERS: [&[&str]; 5] = [
    &PURE,
    &["store", "fanout", "extension"],
    &[
        "flow",
        "session",
        "worker",
        "writer",
        "readers",
        "sweeper",
        "relay",
        "admin",
        "moderator",
        "announcer",
        "backup",
    ],
    &["ws", "http"],
    &["parts", "running", "server", "testing"],
];
const UNNAMED_LAYER: usize = 1;

/// What pure modules do without.
const IMPURE: [&str; 13] = [
    "tokio::",
    "actix",
    "std::fs",
    "std::io::{",
    "std::io::std",
    "std::net",
    "std::process",
    "std::thread",
    "Instant",
    "SystemTime",
    "async fn",
    "async move",
    ".await",
];

/// Crates with one home, so that each can be replaced in an afternoon; a home is the beginning of a path.
const HOMES: [(&str, &[&str]); 9] = [
    ("lmdb::", &["relay/src/store/lmdb"]),
    ("actix_web_actors", &["relay/src/ws/actor.rs"]),
    ("actix::", &["relay/src/ws/actor.rs"]),
    ("negentropy::", &["relay/src/nips/nip77.rs"]),
    (
        "object_store::",
        &[
            "relay/src/backup/target",
            "extensions/blossom-policy/src/storage/s3",
        ],
    ),
    (
        "reqwest::",
        &[
            "relay/src/extension/outbound",
            // Programs of their own, without a host.
            "extensions/qube-agent/src/download",
            "extensions/qube-tools/src/rest",
            "src/commands/doctor/web.rs",
        ],
    ),
    ("nostr_sdk::", &["extensions/qube-client/src"]),
    (
        "sqlx::",
        &[
            "extensions/blossom-policy/src/index",
            "extensions/mls-gateway/src/storage",
            "extensions/qube-coordination/src/mirror",
            "extensions/sqlite-file/src",
            // Tests that look into a database, or damage it.
            "extensions/blossom-policy/src/tests/backing_up.rs",
            "extensions/mls-gateway/src/tests/ground.rs",
            "extensions/mls-gateway/src/upkeep_tests/backup.rs",
            "extensions/mls-gateway/src/upkeep_tests/ground.rs",
        ],
    ),
    (
        "secp256k1",
        &[
            "relay/src/event/verify",
            "extensions/mls-gateway/src/rest/signature.rs",
            "relay/src/event/sign",
            "src/commands/bench/signer.rs",
            "src/commands/bench/floor.rs",
        ],
    ),
];

/// Where tests may sleep: the functions that poll, and extensions that hang on purpose.
const SLEEPERS: [&str; 6] = [
    "relay/tests/extension/commit.rs",
    "relay/tests/extension/gate.rs",
    "relay/tests/extension/support.rs",
    "relay/tests/extension/words.rs",
    "tests/probe/src/lib.rs",
    "tests/support/src/wait.rs",
];

/// Words that promise work instead of doing it. Written in two parts so that this file does not offend.
const FORBIDDEN_WORDS: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("to", "do!("),
    concat!("unimpl", "emented!("),
];

/// File names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 6] = ["mod", "util", "utils", "common", "helpers", "manager"];

/// A text file of the repository.
struct Source {
    /// Relative to the root, with `/`.
    path: String,
    text: String,
}

impl Source {
    fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.split('.').next().unwrap_or_default()
    }

    /// Whether it is library or program code rather than a test of it.
    fn is_product(&self) -> bool {
        let in_src = self.path.starts_with("src/") || self.path.contains("/src/");
        in_src && !self.path.starts_with("tests/")
    }

    /// Its lines of code, numbered from 1, without comments; the unit tests at its end are left out.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.text.find("#[cfg(test)]\nmod ");
        numbered_code(&self.text[..end.unwrap_or(self.text.len())])
    }
}

fn numbered_code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(at, line)| (at + 1, line.split(" // ").next().unwrap_or_default()))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(extensions: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path: PathBuf = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if !SKIPPED_FOLDERS.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if extensions.iter().any(|extension| name.ends_with(extension)) {
                let relative = path.strip_prefix(root()).expect("below the root");
                found.push(Source {
                    path: relative.to_string_lossy().replace('\\', "/"),
                    text: fs::read_to_string(&path).unwrap_or_default(),
                });
            }
        }
    }
    assert!(!found.is_empty(), "no files to look at");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

#[track_caller]
fn assert_none(offences: &[String]) {
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

/// Whether the text holds the word and no path or identifier goes on before it: `a::lmdb` is not `lmdb`.
fn holds(text: &str, word: &str) -> bool {
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c)))
}

#[test]
fn tidy_no_arrow_points_up() {
    let relay: Vec<Source> = sources(&[".rs"])
        .into_iter()
        .filter(|source| source.path.starts_with("relay/src/"))
        .collect();
    let modules: BTreeSet<&str> = relay.iter().map(module).collect();
    let mut offences = Vec::new();
    for source in &relay {
        let own = module(source);
        if own == "lib" {
            continue;
        }
        for used in used_modules(source, &modules) {
            let up = layer(used) > layer(own);
            let impure = PURE.contains(&own) && !PURE.contains(&used);
            if up || impure {
                offences.push(format!("{}: {own} must not use {used}", source.path));
            }
        }
    }
    assert_none(&offences);
}

/// The module of the crate's root that a file of `relay/src` belongs to.
fn module(source: &Source) -> &str {
    let inside = source.path.strip_prefix("relay/src/").unwrap_or_default();
    inside.split(['/', '.']).next().unwrap_or_default()
}

fn layer(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|layer| layer.contains(&module))
        .unwrap_or(UNNAMED_LAYER)
}

/// The modules of the crate's root that a file names by `crate::` or by enough `super::`.
fn used_modules<'m>(source: &Source, modules: &BTreeSet<&'m str>) -> BTreeSet<&'m str> {
    let code: String = source.code().flat_map(|(_, line)| [line, " "]).collect();
    let inside = source.path.strip_prefix("relay/src/").unwrap_or_default();
    let to_root = "super::".repeat(inside.split('/').count());
    let mut names = Vec::new();
    for prefix in ["crate::", to_root.as_str()] {
        for (at, _) in code.match_indices(prefix) {
            names.extend(first_names(&code[at + prefix.len()..]));
        }
    }
    modules
        .iter()
        .copied()
        .filter(|module| names.contains(module))
        .collect()
}

/// The first identifiers of a path, or of each path in a group in braces.
fn first_names(path: &str) -> Vec<&str> {
    let Some(group) = path.strip_prefix('{') else {
        return vec![identifier(path)];
    };
    let mut names = vec![identifier(group)];
    let mut depth = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(identifier(&group[at + 1..])),
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> &str {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

#[test]
fn tidy_pure_modules_do_no_io_and_know_no_time() {
    let mut offences = Vec::new();
    for source in sources(&[".rs"]) {
        if !source.path.starts_with("relay/src/") || !PURE.contains(&module(&source)) {
            continue;
        }
        for (line, code) in source.code() {
            for word in IMPURE.iter().filter(|word| holds(code, word)) {
                offences.push(format!("{}:{line}: {word} in a pure module", source.path));
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn tidy_crates_with_a_home_stay_there() {
    let mut offences = Vec::new();
    for source in sources(&[".rs"])
        .iter()
        .filter(|source| source.is_product())
    {
        for (word, homes) in HOMES {
            if homes.iter().any(|home| source.path.starts_with(home)) {
                continue;
            }
            for (line, _) in source.code().filter(|(_, code)| holds(code, word)) {
                offences.push(format!(
                    "{}:{line}: {word} belongs to {homes:?}",
                    source.path
                ));
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn tidy_crates_depend_on_the_core_and_never_on_each_other() {
    let mut offences = Vec::new();
    for manifest in sources(&["Cargo.toml"]) {
        let (core, extension) = (
            manifest.path == "relay/Cargo.toml",
            manifest.path.starts_with("extensions/"),
        );
        for (at, line) in manifest.text.lines().enumerate() {
            let reaches_out =
                line.contains("path = ") && line.contains("..") && !line.contains("/relay\"");
            let names_extension = line.contains("extensions/");
            if (core || extension) && (reaches_out || names_extension) {
                offences.push(format!("{}:{}: {line}", manifest.path, at + 1));
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn tidy_files_are_named_for_what_they_hold_and_are_short() {
    let mut offences = Vec::new();
    for source in sources(&[".rs"]) {
        if EMPTY_NAMES.contains(&source.stem()) {
            offences.push(format!("{}: a name that says nothing", source.path));
        }
        if !source.text.starts_with("//!") {
            offences.push(format!(
                "{}: does not begin with its role (//!)",
                source.path
            ));
        }
        let lines = source.text.lines().count();
        if source.path.contains("src/") && lines > MAX_FILE_LINES {
            offences.push(format!(
                "{}: {lines} lines, at most {MAX_FILE_LINES}",
                source.path
            ));
        }
    }
    assert_none(&offences);
}

#[test]
fn tidy_nothing_is_left_for_later() {
    let mut offences = Vec::new();
    for source in sources(&[".rs", ".toml", ".js", ".md", ".sh", "/run"]) {
        for (at, line) in source.text.lines().enumerate() {
            for word in FORBIDDEN_WORDS.iter().filter(|word| line.contains(*word)) {
                offences.push(format!("{}:{}: {word}", source.path, at + 1));
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn tidy_tests_poll_and_do_not_sleep() {
    let mut offences = Vec::new();
    for source in sources(&[".rs"]) {
        if SLEEPERS.contains(&source.path.as_str()) || source.path == "tests/tidy.rs" {
            continue;
        }
        let test_code = if source.is_product() {
            source
                .text
                .find("#[cfg(test)]\nmod ")
                .map(|at| &source.text[at..])
        } else {
            Some(source.text.as_str())
        };
        for (_, code) in test_code.into_iter().flat_map(numbered_code) {
            if code.contains("sleep(") {
                offences.push(format!("{}: {}", source.path, code.trim()));
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn tidy_metrics_are_counted_as_their_table_says() {
    let mut counted = BTreeSet::new();
    let product = sources(&[".rs"])
        .into_iter()
        .filter(|source| source.is_product() && source.path != "relay/src/metrics.rs");
    for source in product {
        let code: String = source.code().map(|(_, line)| line).collect();
        for (macro_at, _) in code.match_indices("!(") {
            let name = code[macro_at + 2..].trim_start().strip_prefix("\"trellis_");
            let name = name.and_then(|name| Some(name.split_once('"')?.0));
            counted.extend(name.map(|name| format!("trellis_{name}")));
        }
    }
    let table: BTreeSet<String> = trellis_relay::metrics::TABLE
        .iter()
        .map(|metric| metric.name.to_owned())
        .collect();
    let differences: Vec<String> = counted.symmetric_difference(&table).cloned().collect();
    assert_none(&differences);
}

#[test]
fn tidy_every_span_is_explained() {
    let page = fs::read_to_string(root().join("docs/logging.md")).expect("docs/logging.md");
    let mut offences = Vec::new();
    for source in sources(&[".rs"])
        .iter()
        .filter(|source| source.is_product())
    {
        let code: String = source.code().map(|(_, line)| line).collect();
        for (at, _) in code.match_indices("_span!(") {
            let name = code[at..].split('"').nth(1).unwrap_or_default();
            if !page.contains(&format!("| `{name}` |")) {
                offences.push(format!("{}: span {name:?}", source.path));
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn tidy_every_rule_that_a_test_names_is_explained() {
    let explained = fs::read_to_string(root().join("docs/rules.md")).expect("docs/rules.md");
    let mut offences = BTreeSet::new();
    for source in sources(&[".rs"]) {
        let mut is_test = false;
        for (_, code) in numbered_code(&source.text) {
            is_test |= code.trim_start().starts_with("#[") && code.contains("test");
            let Some(function) = code.split("fn ").nth(1).filter(|_| is_test) else {
                continue;
            };
            is_test = false;
            let Some(rule) = rule_of(function) else {
                continue;
            };
            if !explained.contains(&format!("- **{rule}** ")) {
                offences.insert(format!("{}: {rule} is not in docs/rules.md", source.path));
            }
        }
    }
    assert_none(&offences.into_iter().collect::<Vec<_>>());
}

/// `C19` of `c19_second_process(...)`.
fn rule_of(function: &str) -> Option<String> {
    let (head, _) = function.split_once('_')?;
    let letter = head.chars().next().filter(char::is_ascii_lowercase)?;
    let number: u32 = head[1..].parse().ok()?;
    Some(format!("{}{number}", letter.to_ascii_uppercase()))
}

#[test]
fn tidy_tests_that_a_page_names_are_there() {
    let sources_in_rust = sources(&[".rs"]);
    let is_there = |name: &str| {
        let function = format!("fn {name}(");
        let mut texts = sources_in_rust.iter().map(|source| &source.text);
        texts.any(|text| text.contains(&function))
    };
    let mut offences = Vec::new();
    for page in sources(&[".md"]) {
        for name in page.text.split('`').skip(1).step_by(2) {
            let is_name =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            let is_test =
                rule_of(name).is_some() && name.split('_').count() > 3 && name.bytes().all(is_name);
            if is_test && !is_there(name) {
                offences.push(format!("{}: there is no test {name}", page.path));
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn tidy_links_between_documents_lead_somewhere() {
    let mut offences = Vec::new();
    for page in sources(&[".md"]) {
        let folder = root().join(&page.path);
        let folder = folder.parent().expect("a folder");
        for link in page.text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap_or_default();
            let outside = target.contains("://") || target.starts_with("mailto:");
            if !target.is_empty() && !outside && !folder.join(target).exists() {
                offences.push(format!("{}: {target} does not exist", page.path));
            }
        }
    }
    assert_none(&offences);
}
