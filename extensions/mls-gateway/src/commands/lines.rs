//! The JSON lines of import and export: one object a row, its keys those of the tables `groups`, `mail_keypackages` and
//! `mail_welcomes`, and of a group its members beside them. Shown in `docs/extensions/mls-gateway-operations.md`.
//!
//! Pure. A line that holds what nobody knows is wrong, so that nothing of it is lost without a word.

mod group;
mod letter;
mod time;

pub(super) use group::GroupLine;
pub(super) use letter::read_letter;
pub(super) use letter::write_letter;

use serde::de::DeserializeOwned;

/// The longest id, in bytes.
const ID_BYTES_MAX: usize = 256;

/// Reads a line's JSON.
fn read<T: DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    serde_json::from_slice(line).map_err(|error| without_values(error.to_string()))
}

/// An error may quote a value, which in a letter is its content; where it stands says enough.
fn without_values(mut text: String) -> String {
    if let (Some(first), Some(last)) = (text.find('"'), text.rfind('"')) {
        text.replace_range(first..=last, "...");
    }
    text
}

fn check_id(name: &str, id: &str) -> Result<(), String> {
    match id.len() {
        1..=ID_BYTES_MAX => Ok(()),
        bytes => Err(format!(
            "{name} has {bytes} bytes, 1 to {ID_BYTES_MAX} are allowed"
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::storage::LetterBox;

    #[test]
    fn m32_the_lines_that_the_documentation_shows_are_read() {
        let page = include_str!("../../../../docs/extensions/mls-gateway-operations.md");
        let lines: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("{\""))
            .collect();
        let [group, package, welcome] = lines[..] else {
            panic!("three lines are shown: {lines:?}");
        };
        let (group, roster) = GroupLine::read(group.as_bytes()).unwrap();
        assert_eq!(
            (group.last_epoch, roster.unwrap().members.len()),
            (Some(42), 2)
        );
        for (line, wanted) in [
            (package, LetterBox::KeyPackages),
            (welcome, LetterBox::Welcomes),
        ] {
            assert_eq!(read_letter(line.as_bytes()).unwrap().0, wanted);
        }
    }

    #[test]
    fn m34_an_error_quotes_no_value() {
        let text =
            "invalid type: string \"a \\\"secret\", expected u64 at line 1 column 9".to_owned();
        let wanted = "invalid type: string ..., expected u64 at line 1 column 9";
        assert_eq!(without_values(text), wanted);
    }
}
