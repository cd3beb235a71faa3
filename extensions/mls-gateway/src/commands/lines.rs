//! The JSON lines of import and export: one object a row, its keys those of the tables `groups`, `mail_keypackages` and
//! `mail_welcomes`, and of a group its members beside them. `docs/extensions/mls-gateway.md` shows each.
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
