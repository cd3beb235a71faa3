//! Rule E14: the author's guide has a page for each hook, its links lead somewhere, and its tables for those who come from
//! elsewhere name what there is here.
//!
//! That the examples compile is shown by the tests of documentation (`guide.rs`) and by `relay/tests/guide`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

const PAGES: &str = "docs/extensions";

/// Of the registrar, but no hooks: what the hooks that follow are called and when they run, and what is offered to other
/// extensions.
const NO_HOOKS: [&str; 5] = ["gather", "label", "never_open", "phase", "provide"];

/// The public hooks of khatru's `Relay`.
const KHATRU: [&str; 19] = [
    "RejectEvent",
    "OverwriteDeletionOutcome",
    "StoreEvent",
    "ReplaceEvent",
    "DeleteEvent",
    "OnEventSaved",
    "OnEphemeralEvent",
    "RejectFilter",
    "RejectCountFilter",
    "OverwriteFilter",
    "QueryEvents",
    "CountEvents",
    "CountEventsHLL",
    "RejectConnection",
    "OnConnect",
    "OnDisconnect",
    "OverwriteRelayInformation",
    "OverwriteResponseEvent",
    "PreventBroadcast",
];

/// What strfry writes to a plugin and reads from it.
const STRFRY: [&str; 11] = [
    "type",
    "event",
    "receivedAt",
    "sourceType",
    "sourceInfo",
    "authed",
    "id",
    "accept",
    "reject",
    "shadowReject",
    "msg",
];

/// The methods of rnostr's trait, and what its `message` may answer.
const RNOSTR: [&str; 9] = [
    "name",
    "setting",
    "config_web",
    "connected",
    "disconnected",
    "message",
    "ExtensionMessageResult::Continue",
    "ExtensionMessageResult::Stop",
    "ExtensionMessageResult::Ignore",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[track_caller]
fn assert_none(offences: &[String]) {
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

/// The names of the methods that a source file makes public, those of a struct's `impl` or of a trait.
fn methods(path: &str, indented: &str) -> Vec<String> {
    let text = read(path);
    let names = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(indented)?;
        let rest = rest.strip_prefix("async ").unwrap_or(rest);
        let name = rest.strip_prefix("fn ")?;
        Some(name[..name.find(['(', '<'])?].to_owned())
    });
    names.collect()
}

fn hooks() -> Vec<String> {
    let files = [
        "registrar.rs",
        "registrar/reading.rs",
        "registrar/surface.rs",
    ];
    let all = files
        .iter()
        .flat_map(|file| methods(&format!("relay/src/extension/{file}"), "    pub "));
    let hooks: Vec<String> = all.filter(|it| !NO_HOOKS.contains(&it.as_str())).collect();
    assert!(hooks.len() >= 14, "the registrar was not read: {hooks:?}");
    hooks
}

/// What `Host` offers, its constructor left out, which is not public.
fn offers() -> Vec<String> {
    let offers = methods("relay/src/extension/host.rs", "    pub ");
    assert!(offers.len() >= 15, "Host was not read: {offers:?}");
    offers
}

/// Every page of the repository that people read.
fn markdown() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if path.is_dir() {
                let is_ours = !name.starts_with('.')
                    && !["target", "node_modules", "data", "template"].contains(&&*name);
                if is_ours {
                    folders.push(path);
                }
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 20, "no pages to look at");
    found
}

/// The text without fenced code.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Labels and targets of the links in a text.
fn links(text: &str) -> Vec<(&str, &str)> {
    let ends = text.match_indices("](").map(|(at, _)| at);
    let links = ends.filter_map(|at| {
        let label = &text[text[..at].rfind('[')? + 1..at];
        let target = &text[at + 2..];
        Some((label, &target[..target.find(')')?]))
    });
    links.collect()
}

/// As code hosts make them from headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text);
    let headings = headings.lines().filter(|line| line.starts_with('#'));
    let slugs = headings.map(|heading| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().replace(' ', "-")
    });
    slugs.collect()
}

fn tidied(path: &Path) -> PathBuf {
    let mut tidied = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(tidied.pop()),
            part => tidied.push(part),
        }
    }
    tidied
}

#[test]
fn e14_every_hook_has_a_page_that_is_in_the_index() {
    let index = read(format!("{PAGES}/README.md"));
    let mut offences = Vec::new();
    for hook in hooks() {
        let entry = links(&index)
            .into_iter()
            .find(|(label, _)| label.split(", ").any(|name| name == hook));
        let Some((_, page)) = entry else {
            offences.push(format!("{PAGES}/README.md: no entry for {hook}"));
            continue;
        };
        let text = read(format!("{PAGES}/{page}"));
        if !text.contains(&format!("{hook}(")) {
            offences.push(format!("{PAGES}/{page} does not show {hook}"));
        }
    }
    let pages = fs::read_dir(root().join(PAGES))
        .expect("the pages")
        .flatten();
    for page in pages.map(|page| page.file_name().to_string_lossy().into_owned()) {
        let is_listed = links(&index).iter().any(|(_, target)| *target == page);
        if page != "README.md" && !is_listed {
            offences.push(format!("{PAGES}/README.md: no entry for {page}"));
        }
    }
    let host = read(format!("{PAGES}/host.md"));
    for offer in offers() {
        if !host.contains(&format!("`{offer}(")) && !host.contains(&format!("`{offer}::")) {
            offences.push(format!("{PAGES}/host.md does not tell of {offer}"));
        }
    }
    assert_none(&offences);
}

#[test]
fn e14_every_example_is_compiled() {
    let homes = [
        "relay/src/extension/guide.rs",
        "relay/tests/guide/main.rs",
        "src/guide.rs",
    ];
    let compiled: String = homes.into_iter().map(read).collect();
    let pages = fs::read_dir(root().join(PAGES))
        .expect("the pages")
        .flatten();
    let offences: Vec<String> = pages
        .map(|page| page.file_name().to_string_lossy().into_owned())
        .filter(|page| read(format!("{PAGES}/{page}")).contains("```rust"))
        .filter(|page| {
            !compiled.contains(&format!("\"{page}\"")) && !compiled.contains(&format!("/{page}\""))
        })
        .map(|page| format!("{PAGES}/{page}: nothing compiles its examples"))
        .collect();
    assert_none(&offences);
}

#[test]
fn e14_every_link_between_files_leads_somewhere() {
    let mut offences = Vec::new();
    let mut anchors_of: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
    for page in markdown() {
        let text = fs::read_to_string(&page).expect("a page");
        for (_, target) in links(&prose(&text)) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let to = match file {
                "" => page.clone(),
                file => tidied(&page.parent().expect("a folder").join(file)),
            };
            let is_there = to.exists();
            let has_anchor = anchor.is_empty() || {
                let read = || anchors(&fs::read_to_string(&to).unwrap_or_default());
                let anchors = anchors_of.entry(to.clone()).or_insert_with(read);
                anchors.contains(anchor)
            };
            if !is_there || !has_anchor {
                let page = page.strip_prefix(root()).expect("below the root");
                offences.push(format!("{}: {target} leads nowhere", page.display()));
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn e14_what_others_have_is_mapped_to_what_there_is() {
    let text = read(format!("{PAGES}/coming-from.md"));
    let mut known: BTreeSet<String> = hooks().into_iter().chain(offers()).collect();
    known.extend(methods("relay/src/extension.rs", "    "));
    let config = read("config/trellis.toml");
    let mut offences = Vec::new();
    let mut mapped: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [theirs, ours, difference] = cells[..] else {
            offences.push(format!("three cells are wanted: {row}"));
            continue;
        };
        if ours == "Here" {
            mapped.entry(theirs.to_owned()).or_default();
            continue;
        }
        let whose = whose(&text, row);
        let names = theirs
            .split(", ")
            .map(|name| name.trim_matches('`').to_owned());
        mapped.entry(whose).or_default().extend(names);
        if difference.is_empty() {
            offences.push(format!("what differs? {row}"));
        }
        let is_known = |name: &str| match name.strip_prefix("[`") {
            Some(link) => link
                .split_once("`]")
                .is_some_and(|(name, _)| known.contains(name)),
            None => name == "none" || config.contains(&format!("\n{}\n", name.trim_matches('`'))),
        };
        if !ours.split(", ").all(is_known) {
            offences.push(format!("not all of this is there: {ours}"));
        }
    }
    for (whose, names) in [
        ("khatru", &KHATRU[..]),
        ("strfry", &STRFRY),
        ("rnostr", &RNOSTR),
    ] {
        let rows = mapped
            .get(whose)
            .unwrap_or_else(|| panic!("no table for {whose}"));
        let missing = names.iter().filter(|name| !rows.contains(**name));
        offences.extend(missing.map(|name| format!("{whose}: no row for {name}")));
    }
    assert_none(&offences);
}

/// The head of the table that a row stands in.
fn whose(text: &str, row: &str) -> String {
    let at = text.find(row).expect("a row of the text");
    let head = text[..at]
        .lines()
        .rev()
        .find(|line| line.contains("| Here |"));
    let head = head.expect("a head above the row").trim_matches('|');
    head.split(" | ")
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned()
}
