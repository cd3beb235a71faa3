//! The words of a command: flags with a value, flags without, and what is left.

/// Words that nobody has asked for yet.
#[derive(Debug)]
pub(super) struct Words {
    left: Vec<String>,
}

impl Words {
    pub(super) fn new(words: Vec<String>) -> Self {
        Words { left: words }
    }

    /// The value of `--name VALUE` or `--name=VALUE`.
    pub(super) fn value(&mut self, name: &str) -> Result<Option<String>, String> {
        let Some(at) = self.left.iter().position(|word| flag(word) == name) else {
            return Ok(None);
        };
        let word = self.left.remove(at);
        let value = match word.split_once('=') {
            Some((_, value)) => value.to_owned(),
            None if at < self.left.len() => self.left.remove(at),
            None => return Err(format!("{name} needs a value")),
        };
        match self.left.iter().any(|word| flag(word) == name) {
            true => Err(format!("{name} is there twice")),
            false => Ok(Some(value)),
        }
    }

    /// Whether `--name` is there.
    pub(super) fn switch(&mut self, name: &str) -> bool {
        let before = self.left.len();
        self.left.retain(|word| word != name);
        self.left.len() < before
    }

    /// What is left, none of it a flag.
    pub(super) fn rest(self) -> Result<Vec<String>, String> {
        match self.left.iter().find(|word| word.starts_with("--")) {
            Some(unknown) => Err(format!("{unknown:?} is not known here")),
            None => Ok(self.left),
        }
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), String> {
        match self.left.first() {
            Some(word) => Err(format!("{word:?} is not known here")),
            None => Ok(()),
        }
    }
}

/// The name of a flag that may carry its value.
fn flag(word: &str) -> &str {
    word.split_once('=').map_or(word, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn words(text: &str) -> Words {
        Words::new(text.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn m32_flags_are_found_wherever_they_stand() {
        let mut all = words("--groups g.jsonl a --dry-run --mailboxes=m=1 b");
        assert_eq!(all.value("--groups").unwrap().as_deref(), Some("g.jsonl"));
        assert_eq!(all.value("--mailboxes").unwrap().as_deref(), Some("m=1"));
        assert!(all.switch("--dry-run"));
        assert!(!all.switch("--dry-run"));
        assert_eq!(all.value("--other"), Ok(None));
        assert_eq!(all.rest().unwrap(), ["a", "b"]);
    }

    #[test]
    fn m32_words_that_mean_nothing_are_named() {
        assert!(words("--groups").value("--groups").is_err());
        assert!(words("--groups a --groups b").value("--groups").is_err());
        assert!(words("--gruops a").rest().unwrap_err().contains("gruops"));
        assert!(words("a").end().unwrap_err().contains("\"a\""));
        assert_eq!(words("").end(), Ok(()));
    }
}
