//! What a new extension is called, as a crate, as a table and as a type.

use std::str::FromStr;

/// A name that Cargo, Rust and the relay take.
#[derive(Debug)]
pub(super) struct Name {
    /// Words in lower case, at least one.
    words: Vec<String>,
}

/// So long a name at most, so that what is written keeps to the width of a line.
const CHARACTERS_MAX: usize = 32;

/// What Cargo or Rust has taken for itself, or the new crate depends on.
const TAKEN: [&str; 64] = [
    "abstract",
    "actix_web",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "metrics",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "schemars",
    "self",
    "serde",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "tokio",
    "trait",
    "trellis",
    "trellis_relay",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "use",
    "where",
    "while",
];

impl Name {
    /// The table, and the crate as Rust code calls it: `short_notes`.
    pub(super) fn snake(&self) -> String {
        self.words.join("_")
    }

    /// The package: `short-notes`.
    fn kebab(&self) -> String {
        self.words.join("-")
    }

    /// The type: `ShortNotes`.
    fn camel(&self) -> String {
        let capitalised = self.words.iter().map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_uppercase() + rest
        });
        capitalised.collect()
    }

    /// The template's text with this name in it.
    pub(super) fn fill_in(&self, template: &str) -> String {
        template
            .replace("new_extension", &self.snake())
            .replace("new-extension", &self.kebab())
            .replace("NewExtension", &self.camel())
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = |why: &str| Err(format!("{text:?} cannot be an extension's name: {why}"));
        let is_good = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        if !text.bytes().all(is_good) {
            return refuse("only lower case letters, digits, _ and - are allowed");
        }
        if !text.starts_with(|first: char| first.is_ascii_lowercase()) {
            return refuse("it must begin with a letter");
        }
        if text.len() > CHARACTERS_MAX {
            return refuse(&format!("at most {CHARACTERS_MAX} characters are allowed"));
        }
        let words: Vec<String> = text.split(['_', '-']).map(str::to_owned).collect();
        if words.iter().any(String::is_empty) {
            return refuse("_ and - stand between words, one at a time");
        }
        let name = Name { words };
        match TAKEN.contains(&name.snake().as_str()) {
            true => refuse("it means something else to Rust or Cargo"),
            false => Ok(name),
        }
    }
}
