//! What a new extension is called, as a crate, as a table and as a type.

use super::taken;
use std::str::FromStr;

/// A name that Cargo, Rust and the relay take.
#[derive(Debug)]
pub(super) struct Name {
    /// Words in lower case, at least one.
    words: Vec<String>,
}

/// So long a name at most, so that what is written keeps to the width of a line.
const CHARACTERS_MAX: usize = 32;

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
        if taken::as_crate(&name.snake()) {
            return refuse("it means something else to Rust or Cargo");
        }
        let camel = name.camel();
        if taken::as_type(&camel) {
            return refuse(&format!(
                "its type would be {camel}, which is another type already"
            ));
        }
        Ok(name)
    }
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
