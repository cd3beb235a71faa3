//! A line of mailboxes: a row of `mail_keypackages`, which has `content_b64`, or of `mail_welcomes`, which has
//! `welcome_b64`.

use super::{check_id, read, time};
use crate::rules::key_package::BASE64;
use crate::storage::{Letter, LetterBox};
use base64::Engine as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trellis_relay::extension::Pubkey;

/// The longest content, decoded.
const CONTENT_BYTES_MAX: usize = 1 << 20;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct PackageLine {
    id: String,
    recipient_pubkey: Pubkey,
    sender_pubkey: Pubkey,
    content_b64: String,
    /// A list of lists of words, or the same as text.
    #[serde(default)]
    tags: Option<Value>,
    created_at: u64,
    expires_at: u64,
    #[serde(default)]
    picked_up_at: Option<u64>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WelcomeLine {
    id: String,
    recipient_pubkey: Pubkey,
    sender_pubkey: Pubkey,
    /// Empty where it is not known, as in tables of older servers.
    group_id: String,
    welcome_b64: String,
    #[serde(default)]
    ratchet_tree_b64: Option<String>,
    created_at: u64,
    expires_at: u64,
    #[serde(default)]
    picked_up_at: Option<u64>,
}

/// The letter of a line, and the box that it belongs to.
pub(in crate::commands) fn read_letter(line: &[u8]) -> Result<(LetterBox, Letter), String> {
    let keys: Map<String, Value> = read(line)?;
    let (letter_box, letter) = if keys.contains_key("welcome_b64") {
        (LetterBox::Welcomes, read::<WelcomeLine>(line)?.letter()?)
    } else if keys.contains_key("content_b64") {
        (LetterBox::KeyPackages, read::<PackageLine>(line)?.letter()?)
    } else {
        return Err("neither content_b64 (a KeyPackage) nor welcome_b64 (a Welcome)".to_owned());
    };
    check_id("id", &letter.id)?;
    time::check("created_at", letter.created_at_s)?;
    time::check("expires_at", letter.expires_at_s)?;
    time::check("picked_up_at", letter.picked_up_at_s.unwrap_or(0))?;
    Ok((letter_box, letter))
}

/// The line of a letter.
pub(in crate::commands) fn write_letter(
    letter_box: LetterBox,
    letter: Letter,
) -> Result<String, serde_json::Error> {
    match letter_box {
        LetterBox::KeyPackages => serde_json::to_string(&PackageLine::of(letter)),
        LetterBox::Welcomes => serde_json::to_string(&WelcomeLine::of(letter)),
    }
}

impl PackageLine {
    fn letter(self) -> Result<Letter, String> {
        Ok(Letter {
            content_b64: checked("content_b64", self.content_b64)?,
            tags_json: self.tags.map(tags_json).transpose()?,
            group_id: None,
            ratchet_tree_b64: None,
            id: self.id,
            recipient: *self.recipient_pubkey.key(),
            sender: *self.sender_pubkey.key(),
            created_at_s: self.created_at,
            expires_at_s: self.expires_at,
            picked_up_at_s: self.picked_up_at,
            acknowledged_at_s: None,
        })
    }

    fn of(letter: Letter) -> Self {
        let tags = letter.tags_json.as_deref();
        PackageLine {
            id: letter.id,
            recipient_pubkey: letter.recipient.into(),
            sender_pubkey: letter.sender.into(),
            content_b64: letter.content_b64,
            tags: tags.and_then(|tags| serde_json::from_str(tags).ok()),
            created_at: letter.created_at_s,
            expires_at: letter.expires_at_s,
            picked_up_at: letter.picked_up_at_s,
        }
    }
}

impl WelcomeLine {
    fn letter(self) -> Result<Letter, String> {
        if !self.group_id.is_empty() {
            check_id("group_id", &self.group_id)?;
        }
        let tree = self.ratchet_tree_b64;
        Ok(Letter {
            content_b64: checked("welcome_b64", self.welcome_b64)?,
            ratchet_tree_b64: tree
                .map(|tree| checked("ratchet_tree_b64", tree))
                .transpose()?,
            group_id: Some(self.group_id).filter(|id| !id.is_empty()),
            tags_json: None,
            id: self.id,
            recipient: *self.recipient_pubkey.key(),
            sender: *self.sender_pubkey.key(),
            created_at_s: self.created_at,
            expires_at_s: self.expires_at,
            picked_up_at_s: self.picked_up_at,
            acknowledged_at_s: None,
        })
    }

    fn of(letter: Letter) -> Self {
        WelcomeLine {
            id: letter.id,
            recipient_pubkey: letter.recipient.into(),
            sender_pubkey: letter.sender.into(),
            group_id: letter.group_id.unwrap_or_default(),
            welcome_b64: letter.content_b64,
            ratchet_tree_b64: letter.ratchet_tree_b64,
            created_at: letter.created_at_s,
            expires_at: letter.expires_at_s,
            picked_up_at: letter.picked_up_at_s,
        }
    }
}

/// Base64 that decodes to something of a sensible size. What it is nobody looks at.
fn checked(name: &str, text: String) -> Result<String, String> {
    let bytes = BASE64
        .decode(&text)
        .map_err(|_| format!("{name} is not base64"))?
        .len();
    match bytes {
        0 => Err(format!("{name} is empty")),
        1..=CONTENT_BYTES_MAX => Ok(text),
        _ => Err(format!(
            "{name} has {bytes} bytes, at most {CONTENT_BYTES_MAX} are allowed"
        )),
    }
}

fn tags_json(tags: Value) -> Result<String, String> {
    let wrong = |_| "tags must be a list of lists of text".to_owned();
    let lists: Vec<Vec<String>> = match tags {
        Value::String(text) => serde_json::from_str(&text).map_err(wrong)?,
        list => serde_json::from_value(list).map_err(wrong)?,
    };
    serde_json::to_string(&lists).map_err(wrong)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;
    use trellis_relay::testing::Author;

    fn package() -> Value {
        json!({
            "id": "k1", "recipient_pubkey": Author::new(1).pubkey().to_hex(),
            "sender_pubkey": Author::new(2).pubkey().to_hex(), "content_b64": "aGVsbG8=",
            "tags": "[[\"cs\",\"1\"]]", "created_at": 10, "expires_at": 20, "picked_up_at": null,
        })
    }

    fn welcome() -> Value {
        json!({
            "id": "w1", "recipient_pubkey": Author::new(1).pubkey().to_hex(),
            "sender_pubkey": Author::new(2).pubkey().to_hex(), "group_id": "g", "welcome_b64": "aGVsbG8=",
            "ratchet_tree_b64": "dHJlZQ==", "created_at": 10, "expires_at": 20, "picked_up_at": 15,
        })
    }

    #[test]
    fn m32_letters_of_both_boxes_are_read_and_written_the_same() {
        let mut of_no_group = welcome();
        of_no_group["group_id"] = json!("");
        for (row, wanted) in [
            (package(), LetterBox::KeyPackages),
            (welcome(), LetterBox::Welcomes),
            (of_no_group, LetterBox::Welcomes),
        ] {
            let (letter_box, letter) = read_letter(row.to_string().as_bytes()).unwrap();
            assert_eq!(letter_box, wanted);
            let line = write_letter(letter_box, letter.clone()).unwrap();
            assert_eq!(read_letter(line.as_bytes()), Ok((wanted, letter)));
        }
    }

    #[test]
    fn m32_what_is_wrong_with_a_letter_is_told_without_its_content() {
        for (key, value, said) in [
            ("id", json!(""), "id has 0 bytes"),
            ("recipient_pubkey", json!("alice"), "public key"),
            (
                "content_b64",
                json!("c3VwZXItc2VjcmV0*LWNvbnRlbnQ"),
                "not base64",
            ),
            ("content_b64", json!(""), "empty"),
            (
                "content_b64",
                json!(BASE64.encode(vec![0; CONTENT_BYTES_MAX + 1])),
                "at most",
            ),
            ("tags", json!("{}"), "tags"),
            ("tags", json!([1]), "tags"),
            ("created_at", json!(1_700_000_000_000_u64), "milliseconds"),
            (
                "secret",
                json!("c3VwZXItc2VjcmV0LWNvbnRlbnQ"),
                "unknown field",
            ),
        ] {
            let mut line = package();
            line[key] = value;
            let wrong = read_letter(line.to_string().as_bytes()).unwrap_err();
            assert!(wrong.contains(said), "{key}: {wrong}");
            assert!(!wrong.contains("c3VwZXI"), "{wrong}");
        }
        let neither = json!({"id": "x"}).to_string();
        assert!(
            read_letter(neither.as_bytes())
                .unwrap_err()
                .contains("neither")
        );
    }
}
