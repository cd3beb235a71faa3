//! Extractor: which service asks, by a bearer token that an extension's table lists.
//!
//! Invariant: tokens are compared in constant time and are never shown: not in logs, not by `trellis config explain`, not
//! in an error.

use super::describe::Describe;
use super::error::ApiError;
use super::operation::Inputs;
use super::surroundings::Surroundings;
use crate::config::{IpRange, Secret};
use crate::nips::nip98::sha256;
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::sync::Arc;

/// A shorter token can be guessed. Characters.
const TOKEN_CHARS_MIN: usize = 32;

/// In an extension's table: the services that may call its routes, by name, each with its token. Call the key
/// `service_tokens`, or at least something with `token` in it: such values are masked wherever a configuration is shown.
///
/// ```
/// use trellis_relay::extension::prelude::*;
/// #[derive(Deserialize, JsonSchema)]
/// #[serde(deny_unknown_fields)]
/// struct Config {
///     /// Services that may read all groups.
///     #[serde(default)]
///     service_tokens: ServiceTokens,
/// }
/// let config: Config = toml::from_str(r#"
///     [service_tokens]
///     backend = "hR3kq0ZbT1mYw8vXo5Nc7LdJf2GsPa4E"
///     cron = { token = "9uVx2BnM6QeKz1Wt5YrC8oAf3HiLd7Jg", allowed_ips = ["10.0.0.0/8"] }
/// "#)?;
/// let short = toml::from_str::<Config>("service_tokens = { backend = 'abc' }");
/// assert!(short.is_err_and(|error| error.message().contains("at least 32")));
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceTokens {
    by_name: Arc<BTreeMap<String, Entry>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    token: Secret,
    /// Empty where all are allowed.
    allowed_ips: Vec<IpRange>,
}

impl ServiceTokens {
    /// Whether no service may call.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The service that has this token. All are looked at, whichever it is.
    fn find(&self, token: &str) -> Option<(&str, &Entry)> {
        let wanted = sha256(token.as_bytes());
        let mut found = None;
        for (name, entry) in self.by_name.iter() {
            let own = sha256(entry.token.reveal().as_bytes());
            let differences = own.iter().zip(wanted).fold(0, |all, (a, b)| all | (a ^ b));
            if differences == 0 {
                found = Some((name.as_str(), entry));
            }
        }
        found
    }
}

impl Entry {
    fn allows(&self, ip: Option<IpAddr>) -> bool {
        self.allowed_ips.is_empty()
            || ip.is_some_and(|ip| self.allowed_ips.iter().any(|range| range.contains(ip)))
    }
}

/// Extractor: the service whose token a request bears (`Authorization: Bearer ...`). The tokens are those that the scope
/// was given with [`Api::service_tokens`](super::Api::service_tokens), or as `app_data`.
///
/// ```
/// use trellis_relay::extension::prelude::*;
/// async fn all_groups(service: ServiceToken) -> String {
///     format!("all groups, for {}", service.name)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceToken {
    /// As the table calls it.
    pub name: String,
}

impl ServiceToken {
    pub(super) fn read(request: &HttpRequest) -> Result<Self, ApiError> {
        let token = bearer(request).ok_or_else(|| {
            ApiError::unauthorized(
                "Bearer",
                "a service token is needed: Authorization: Bearer TOKEN",
            )
        })?;
        let tokens = request.app_data::<ServiceTokens>();
        let found = tokens.and_then(|tokens| tokens.find(token));
        let (name, entry) =
            found.ok_or_else(|| ApiError::unauthorized("Bearer", "no service has this token"))?;
        if !entry.allows(Surroundings::of(request)?.client_ip(request)) {
            return Err(ApiError::forbidden("this token is not for your address"));
        }
        let name = name.to_owned();
        Ok(ServiceToken { name })
    }
}

/// The token that a request bears.
pub(super) fn bearer(request: &HttpRequest) -> Option<&str> {
    let header = request.headers().get(header::AUTHORIZATION)?;
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl FromRequest for ServiceToken {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::read(request))
    }
}

impl Describe for ServiceToken {
    fn describe(inputs: &mut Inputs<'_>) {
        inputs.service_token();
    }
}

impl<'de> Deserialize<'de> for ServiceTokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let by_name = deserializer.deserialize_any(ByName)?;
        for (name, entry) in &by_name {
            let token = entry.token.reveal();
            let found = token.chars().count();
            if found < TOKEN_CHARS_MIN {
                return Err(de::Error::custom(format_args!(
                    "the service token {name:?} has {found} characters; at least {TOKEN_CHARS_MIN} are needed, such as \
                     `openssl rand -hex 32` prints"
                )));
            }
            if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(de::Error::custom(format_args!(
                    "the service token {name:?} has characters that no header can have; use letters and digits"
                )));
            }
            let twin = by_name
                .iter()
                .find(|(other, twin)| *other < name && twin.token == entry.token);
            if let Some((other, _)) = twin {
                return Err(de::Error::custom(format_args!(
                    "the service tokens {other:?} and {name:?} are the same; each service needs its own"
                )));
            }
        }
        let by_name = Arc::new(by_name);
        Ok(ServiceTokens { by_name })
    }
}

/// Says what is wanted and not what was found, which may be a token.
struct ByName;

impl<'de> Visitor<'de> for ByName {
    type Value = BTreeMap<String, Entry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of services, each with its token: backend = \"...\"")
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Err(E::invalid_type(de::Unexpected::Other("text"), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Deserialize::deserialize(MapAccessDeserializer::new(map))
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrTable;

        impl<'de> Visitor<'de> for TextOrTable {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a token, or a table with `token` and `allowed_ips`")
            }

            fn visit_str<E: de::Error>(self, token: &str) -> Result<Entry, E> {
                Ok(Entry {
                    token: token.into(),
                    allowed_ips: Vec::new(),
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Limited {
                    token: Secret,
                    allowed_ips: Vec<IpRange>,
                }
                let limited = Limited::deserialize(MapAccessDeserializer::new(map))?;
                if limited.allowed_ips.is_empty() {
                    let problem =
                        "allowed_ips is empty, which allows nobody; leave it out to allow all";
                    return Err(de::Error::custom(problem));
                }
                Ok(Entry {
                    token: limited.token,
                    allowed_ips: limited.allowed_ips,
                })
            }
        }

        deserializer.deserialize_any(TextOrTable)
    }
}

/// Masked.
impl Serialize for ServiceTokens {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.by_name
                .iter()
                .map(|(name, entry)| (name, &entry.token)),
        )
    }
}

impl JsonSchema for ServiceTokens {
    fn schema_name() -> Cow<'static, str> {
        "ServiceTokens".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let token = json_schema!({ "type": "string", "minLength": TOKEN_CHARS_MIN });
        json_schema!({
            "description": "Services by name, each with its token, or with its token and the addresses it may come from.",
            "type": "object",
            "additionalProperties": {
                "anyOf": [
                    token,
                    {
                        "type": "object",
                        "properties": {
                            "token": token,
                            "allowed_ips": { "type": "array", "items": { "type": "string" }, "minItems": 1 },
                        },
                        "required": ["token", "allowed_ips"],
                        "additionalProperties": false,
                    },
                ],
            },
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TOKEN: &str = "hR3kq0ZbT1mYw8vXo5Nc7LdJf2GsPa4E";

    fn read(table: &str) -> Result<ServiceTokens, String> {
        toml::from_str(table).map_err(|error: toml::de::Error| error.message().to_owned())
    }

    #[test]
    fn e11_a_token_names_its_service() {
        let other = TOKEN.replace('h', "i");
        let tokens = read(&format!(
            "a = '{TOKEN}'\nb = {{ token = '{other}', allowed_ips = ['10.0.0.0/8'] }}"
        ));
        let tokens = tokens.unwrap();
        assert_eq!(tokens.find(TOKEN).unwrap().0, "a");
        assert!(tokens.find(TOKEN).unwrap().1.allows(None));
        let (name, entry) = tokens.find(&other).unwrap();
        assert_eq!(name, "b");
        assert!(entry.allows("10.1.2.3".parse().ok()));
        assert!(!entry.allows("192.0.2.1".parse().ok()) && !entry.allows(None));
        for wrong in ["", &TOKEN[1..], &TOKEN.to_lowercase(), &format!("{TOKEN}x")] {
            assert!(tokens.find(wrong).is_none(), "{wrong}");
        }
        assert!(ServiceTokens::default().find("").is_none());
    }

    #[test]
    fn e11_tokens_are_checked_and_not_shown() {
        for (table, says) in [
            ("a = 'short'".to_owned(), "at least 32"),
            (format!("a = '{} {TOKEN}'", 1), "no header"),
            (format!("a = '{TOKEN}'\nb = '{TOKEN}'"), "its own"),
            (format!("a = {{ token = '{TOKEN}' }}"), "allowed_ips"),
            (
                format!("a = {{ token = '{TOKEN}', allowed_ips = [] }}"),
                "allows nobody",
            ),
            ("a = 7".to_owned(), "a token, or a table"),
            (format!("tokens = '{TOKEN}'"), "a table of services"),
        ] {
            #[derive(Debug, Deserialize)]
            #[allow(dead_code)]
            struct AsText {
                tokens: ServiceTokens,
            }
            let problem = match table.starts_with("tokens") {
                true => toml::from_str::<AsText>(&table)
                    .unwrap_err()
                    .message()
                    .to_owned(),
                false => read(&table).unwrap_err(),
            };
            assert!(problem.contains(says), "{problem}");
            assert!(
                !problem.contains(TOKEN) && !problem.contains("short"),
                "{problem}"
            );
        }
        let good = read(&format!("a = '{TOKEN}'")).unwrap();
        let shown = format!("{good:?} {}", serde_json::to_string(&good).unwrap());
        assert!(!shown.contains(TOKEN), "{shown}");
    }
}
