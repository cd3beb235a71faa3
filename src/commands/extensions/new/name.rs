//! What a new extension is called, as a crate, as a table and as a type.

use super::FILES;
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

/// Types that every file of an extension sees, from the relay's prelude and Rust's own: the extension's would hide them.
/// Those that the template names besides are read from it.
const TAKEN_TYPES: [&str; 93] = [
    "Access",
    "AccessRequest",
    "Admit",
    "AdmitRequest",
    "Api",
    "ApiError",
    "AsMut",
    "AsRef",
    "Audience",
    "Box",
    "BuildError",
    "Caller",
    "CallerJson",
    "Cause",
    "Change",
    "ClientIp",
    "Clone",
    "Commit",
    "CommitTx",
    "Copy",
    "Current",
    "Debug",
    "Default",
    "Deserialize",
    "DoubleEndedIterator",
    "Drop",
    "Eq",
    "Err",
    "Event",
    "EventId",
    "ExactSizeIterator",
    "Extend",
    "Extension",
    "Filter",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "FromIterator",
    "Hash",
    "Health",
    "HookError",
    "Host",
    "Into",
    "IntoIterator",
    "Iterator",
    "JsonSchema",
    "Kinds",
    "Mount",
    "Narrow",
    "Needs",
    "Nip98",
    "Nip98Bytes",
    "Nip98Json",
    "Nip98Stream",
    "None",
    "Ok",
    "Option",
    "Ord",
    "Page",
    "PageOf",
    "PartialEq",
    "PartialOrd",
    "Phase",
    "Pubkeys",
    "PublicKey",
    "Reason",
    "Registrar",
    "Reload",
    "Removal",
    "Result",
    "Self",
    "Send",
    "Serialize",
    "ServiceRef",
    "ServiceToken",
    "ServiceTokens",
    "SessionNote",
    "Sized",
    "Some",
    "StartAt",
    "StopToken",
    "String",
    "Sync",
    "TaskError",
    "ToOwned",
    "ToString",
    "TryFrom",
    "TryInto",
    "Unpin",
    "Vec",
    "Verb",
    "Viewer",
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
        if TAKEN.contains(&name.snake().as_str()) {
            return refuse("it means something else to Rust or Cargo");
        }
        let camel = name.camel();
        if TAKEN_TYPES.contains(&camel.as_str()) || in_template().any(|word| word == camel) {
            return refuse(&format!(
                "its type would be {camel}, which is another type already"
            ));
        }
        Ok(name)
    }
}

/// Every word in the code that is written, but for the type's placeholder.
fn in_template() -> impl Iterator<Item = &'static str> {
    let code = FILES.iter().filter(|(file, _)| file.ends_with(".rs"));
    let lines = code.flat_map(|(_, text)| text.lines());
    lines
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric()))
        .filter(|word| *word != "NewExtension")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn refusal(name: &str) -> Option<String> {
        name.parse::<Name>().err()
    }

    /// The name that makes this type: `admit-request` of `AdmitRequest`.
    fn name_of(camel: &str) -> String {
        let mut name = String::new();
        for letter in camel.chars() {
            if letter.is_ascii_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }

    #[test]
    fn e9_a_name_whose_type_is_there_already_is_refused() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let prelude = std::fs::read_to_string(root.join("relay/src/extension/prelude.rs"))
            .expect("the prelude");
        let code = prelude.lines().filter(|line| !line.starts_with("//"));
        let words = code.flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric()));
        let types: Vec<&str> = words
            .filter(|word| word.starts_with(|first: char| first.is_ascii_uppercase()))
            .collect();
        assert!(
            types.contains(&"Registrar") && types.len() > 40,
            "{types:?}"
        );
        let template = [
            "Notes", "Config", "Counter", "Me", "Path", "Author", "Compiled",
        ];
        let rust = ["Option", "Result", "String", "Vec"];
        for camel in types.into_iter().chain(template).chain(rust) {
            let why = refusal(&name_of(camel)).unwrap_or_default();
            assert!(
                why.contains("another type") || camel == "Self",
                "{camel}: {why}"
            );
        }
    }

    #[test]
    fn e9_other_names_are_taken() {
        for name in [
            "new_extension",
            "short-notes",
            "invites",
            "paid",
            "my_config",
            "a",
        ] {
            assert_eq!(refusal(name), None);
        }
    }
}
