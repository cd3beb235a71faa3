//! Parameters of management calls, checked and read; what is wrong is said in words for the operator.

use super::methods::Method;
use crate::config::{IpRange, Pubkey};
use crate::event::{EventId, PublicKey};
use serde_json::Value;
use std::ops::RangeInclusive;

/// Longest reason. Characters.
const REASON_CHARS: usize = 500;

/// The parameters of one call, as many as its method takes.
pub(super) struct Params<'v> {
    method: &'static str,
    values: &'v [Value],
}

impl<'v> Params<'v> {
    /// Whether there are as many as the method takes. Some clients fill what they leave out with null.
    pub(super) fn check(method: &Method, values: &'v [Value]) -> Result<Self, String> {
        let named = values.iter().rposition(|value| !value.is_null());
        let given = named.map_or(0, |last| last + 1);
        // Null is a value where a method takes it in that place.
        let given = given.max(values.len().min(method.least));
        if (method.least..=method.most).contains(&given) {
            return Ok(Params {
                method: method.name,
                values: &values[..given],
            });
        }
        let (least, most) = (method.least, method.most);
        let wanted = match (least, most) {
            (_, 0) => "no parameters".to_owned(),
            (least, most) if least == most => format!("{most}, {}", method.takes),
            (least, most) => format!("{least} to {most}, {}", method.takes),
        };
        let name = method.name;
        Err(format!("{name} takes {wanted}; {given} were given"))
    }

    /// Of which method.
    pub(super) fn method(&self) -> &'static str {
        self.method
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// A public key, as npub or hex.
    pub(super) fn pubkey(&self, at: usize) -> Result<PublicKey, String> {
        let text = self.text(at, "a public key, as npub1... or 64 hex digits")?;
        let key: Result<Pubkey, _> = text.parse();
        key.map(|key| *key.key())
            .map_err(|allowed| self.wrong(at, allowed))
    }

    /// An event id, as note or hex.
    pub(super) fn event_id(&self, at: usize) -> Result<EventId, String> {
        const ALLOWED: &str = "an event id, as note1... or 64 hex digits";
        let text = self.text(at, ALLOWED)?;
        let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex && !text.starts_with("note1") {
            return Err(self.wrong(at, ALLOWED));
        }
        EventId::parse(text).map_err(|_| self.wrong(at, ALLOWED))
    }

    /// A kind, as a number; some clients send digits.
    pub(super) fn kind(&self, at: usize) -> Result<u16, String> {
        let value = &self.values[at];
        let digits = value.as_str().and_then(|text| text.parse().ok());
        let kind = value.as_u64().or(digits);
        kind.and_then(|kind| u16::try_from(kind).ok())
            .ok_or_else(|| self.wrong(at, "a kind, 0 to 65535"))
    }

    /// A number within bounds, where there is one.
    pub(super) fn number(
        &self,
        at: usize,
        bounds: RangeInclusive<u64>,
    ) -> Result<Option<u64>, String> {
        match self.values.get(at) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let number = value.as_u64().filter(|number| bounds.contains(number));
                let (least, most) = bounds.into_inner();
                let allowed = match most {
                    u64::MAX => format!("a whole number from {least} on"),
                    most => format!("a whole number from {least} to {most}"),
                };
                number.map(Some).ok_or_else(|| self.wrong(at, &allowed))
            }
        }
    }

    /// An address or a network.
    pub(super) fn address(&self, at: usize) -> Result<IpRange, String> {
        let text = self.text(at, "an address or a network")?;
        text.parse().map_err(|allowed| self.wrong(at, allowed))
    }

    /// A reason, where there is one.
    pub(super) fn reason(&self, at: usize) -> Result<String, String> {
        match self.values.get(at) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(_) => self.words(at, REASON_CHARS),
        }
    }

    /// Text of at most so many characters.
    pub(super) fn words(&self, at: usize, most_chars: usize) -> Result<String, String> {
        let text = self.text(at, "text")?;
        if text.chars().count() > most_chars {
            let allowed = format!("text of at most {most_chars} characters");
            return Err(self.wrong(at, &allowed));
        }
        Ok(text.to_owned())
    }

    /// The value as it came.
    pub(super) fn value(&self, at: usize) -> &Value {
        &self.values[at]
    }

    /// Says what would be right.
    pub(super) fn wrong(&self, at: usize, allowed: &str) -> String {
        let (method, place) = (self.method, at + 1);
        format!("{method}: parameter {place} must be {allowed}")
    }

    fn text(&self, at: usize, allowed: &str) -> Result<&str, String> {
        self.values[at]
            .as_str()
            .ok_or_else(|| self.wrong(at, allowed))
    }
}

#[cfg(test)]
mod tests {
    use super::super::methods::METHODS;
    use super::*;
    use serde_json::json;

    fn problem(method: &str, values: Value) -> String {
        let method = METHODS.iter().find(|it| it.name == method).expect(method);
        let values = values.as_array().cloned().expect("a list");
        let params = match Params::check(method, &values) {
            Ok(params) => params,
            Err(problem) => return problem,
        };
        let read = match method.name {
            "banpubkey" => params.pubkey(0).map(drop).and(params.reason(1).map(drop)),
            "banevent" => params.event_id(0).map(drop),
            "listdecisions" => params.number(1, 1..=1_000).map(drop),
            "allowkind" => params.kind(0).map(drop),
            "blockip" => params.address(0).map(drop),
            _ => Ok(()),
        };
        read.err().unwrap_or_default()
    }

    #[test]
    fn c10_what_is_wrong_with_parameters_is_said() {
        let hex = "7e".repeat(32);
        for (method, values, words) in [
            ("stats", json!([1]), "takes no parameters; 1 were given"),
            ("banpubkey", json!([]), "takes 1 to 2, [pubkey, reason]; 0"),
            ("banpubkey", json!([hex, "spam", 3]), "3 were given"),
            (
                "banpubkey",
                json!(["alice"]),
                "parameter 1 must be a public key",
            ),
            ("banpubkey", json!([7]), "parameter 1 must be a public key"),
            ("banpubkey", json!([hex, 7]), "parameter 2 must be text"),
            ("banpubkey", json!([hex, "x".repeat(501)]), "at most 500"),
            ("banevent", json!(["note1"]), "an event id"),
            ("listdecisions", json!([null, 0]), "from 1 to 1000"),
            ("listdecisions", json!([1, "many"]), "from 1 to 1000"),
            ("allowkind", json!([65_536]), "a kind, 0 to 65535"),
            ("allowkind", json!([-1]), "a kind, 0 to 65535"),
            ("blockip", json!(["10.0.0.0/33"]), "an IP address or CIDR"),
            (
                "changemaintenance",
                json!([null]),
                "takes 2, [from, until]; 1",
            ),
        ] {
            let said = problem(method, values.clone());
            assert!(said.contains(words), "{method} {values}: {said}");
        }
        let npub = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg";
        for (method, values) in [
            ("stats", json!([])),
            ("banpubkey", json!([npub])),
            ("banpubkey", json!([hex, null])),
            ("banpubkey", json!([hex, null, null])),
            ("allowkind", json!(["1"])),
            ("changemaintenance", json!([null, null])),
        ] {
            assert_eq!(problem(method, values), "");
        }
    }
}
