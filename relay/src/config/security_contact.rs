//! `[security_contact]`: to whom weaknesses are reported, as RFC 9116 has it.
//!
//! Not here: the file `/.well-known/security.txt` itself (`http/security_txt`).

use super::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who takes reports of weaknesses; served at `/.well-known/security.txt` (RFC 9116) where `contact` is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SecurityContact {
    /// Where reports go, the preferred address first: `mailto:`, `https://` or `tel:`. Default none.
    pub contact: Vec<String>,
    /// When what stands here has to be looked at again; needed beside `contact`, and better less than a year ahead. A time
    /// in UTC. Default none.
    pub expires: Option<Timestamp>,
    /// Web address of what reporters may expect, `https://`. Default none.
    pub policy: Option<String>,
    /// Where the key is with which reports can be encrypted: `https://`, `dns:` or `openpgp4fpr:`. Default none.
    pub encryption: Option<String>,
    /// Web address of a page that thanks reporters, `https://`. Default none.
    pub acknowledgments: Option<String>,
    /// Languages in which reports are read, such as "en" and "pt-BR". Default none.
    pub preferred_languages: Vec<String>,
}

/// So long before `expires` the operator is reminded. Seconds.
const REMINDER_S: u64 = 30 * 86_400;
/// RFC 9116 wants the date less than a year ahead. Seconds.
const FAR_S: u64 = 366 * 86_400;

impl SecurityContact {
    /// Whether there is a file to serve.
    pub fn is_published(&self) -> bool {
        !self.contact.is_empty()
    }

    /// What the operator should hear at a second since 1970.
    pub(super) fn note_at(&self, now_s: u64) -> Option<String> {
        let expires = self.expires.filter(|_| self.is_published())?;
        let left_s = expires.unix_secs().checked_sub(now_s);
        let words = match left_s {
            None | Some(0) => "has passed: readers of security.txt take it for out of date",
            Some(left) if left < REMINDER_S => "is less than 30 days ahead: look the table over",
            Some(left) if left > FAR_S => {
                "is more than a year ahead, and RFC 9116 asks for less: who reads it then may reach nobody"
            }
            Some(_) => return None,
        };
        Some(format!("security_contact.expires {words}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c29_the_operator_is_reminded_before_the_security_contact_expires() {
        const DAY_S: u64 = 86_400;
        let expires = 1_000 * DAY_S;
        let table = SecurityContact {
            contact: vec!["mailto:security@relay.example.com".to_owned()],
            expires: Some(Timestamp::from_unix_secs(expires)),
            ..SecurityContact::default()
        };
        let note = |now_s| table.note_at(now_s).unwrap_or_default();
        assert!(note(expires).contains("has passed"));
        assert!(note(expires + 1).contains("has passed"));
        assert!(note(expires - DAY_S).contains("less than 30 days"));
        assert_eq!(note(expires - 31 * DAY_S), "");
        assert_eq!(note(expires - 365 * DAY_S), "");
        assert!(note(expires - 400 * DAY_S).contains("more than a year"));
        assert_eq!(SecurityContact::default().note_at(0), None);
    }
}
