//! A directive as an event (kind 33321): read strictly, as every reader has to find the same in it (rule Q3).

use crate::tag_set::{TagSet, read, read_number};
use crate::{
    ADDRESS, Action, ActionKey, ActionKind, Condition, Directive, EventId, Fields, KIND_SIGNAL,
    MAX_AHEAD_S, MAX_CONDITIONS, MAX_DEADLINE_S, MAX_URL_BYTES, Options, Pubkey, Rollout, TagError,
};
use serde::Serialize;
use url::Url;

/// A developer's directive, which is a vote for what it directs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Signal {
    /// The event's.
    pub id: EventId,
    /// Who signed it.
    pub developer: Pubkey,
    /// When, as the developer says. Unix seconds.
    pub created_at: u64,
    /// What is directed.
    pub directive: Directive,
    /// For people.
    pub content: String,
}

/// Why an event is no directive, in words for its author.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// Another kind.
    #[error("a directive is of kind {KIND_SIGNAL}")]
    Kind,
    /// Another address.
    #[error("the tag `d` of a directive is `{ADDRESS}`")]
    Address,
    /// A tag or the content.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// A deadline that has passed.
    #[error("the deadline `required_by` is {required_by}, and it is {now_s}: it has to lie ahead")]
    DeadlinePassed {
        /// What was found.
        required_by: u64,
        /// What time it is.
        now_s: u64,
    },
    /// A deadline that nobody will wait for.
    #[error("the deadline `required_by` is {required_by}: at most {MAX_DEADLINE_S} seconds ahead")]
    DeadlineFar {
        /// What was found.
        required_by: u64,
    },
    /// A clock that is wrong.
    #[error("`created_at` is {created_at}: at most {MAX_AHEAD_S} seconds ahead of {now_s}")]
    Ahead {
        /// What was found.
        created_at: u64,
        /// What time it is.
        now_s: u64,
    },
}

impl Signal {
    /// Reads an event. Its signature is the caller's to check; time is [`Signal::check_deadline`]'s.
    pub fn parse(fields: &Fields<'_>) -> Result<Self, SignalError> {
        if fields.kind != KIND_SIGNAL {
            return Err(SignalError::Kind);
        }
        let tags = TagSet::bounded(&fields.tags, fields.content)?;
        if tags.required("d")? != ADDRESS {
            return Err(SignalError::Address);
        }
        Ok(Self {
            id: EventId::from_bytes(fields.id),
            developer: Pubkey::from_bytes(fields.pubkey),
            created_at: fields.created_at,
            directive: directive(tags)?,
            content: fields.content.to_owned(),
        })
    }

    /// Whether a new directive comes in time. Only where it is published: later its deadline will have passed.
    pub fn check_deadline(&self, now_s: u64) -> Result<(), SignalError> {
        if self.created_at > now_s.saturating_add(MAX_AHEAD_S) {
            let created_at = self.created_at;
            return Err(SignalError::Ahead { created_at, now_s });
        }
        match self.directive.action.required_by() {
            Some(required_by) if required_by <= now_s => {
                Err(SignalError::DeadlinePassed { required_by, now_s })
            }
            Some(required_by) if required_by - now_s > MAX_DEADLINE_S => {
                Err(SignalError::DeadlineFar { required_by })
            }
            _ => Ok(()),
        }
    }

    /// What it votes for.
    pub fn key(&self) -> ActionKey {
        self.directive.key()
    }

    /// The network it is for.
    pub fn network(&self) -> &crate::NetworkId {
        &self.directive.network
    }
}

fn directive(tags: TagSet<'_, '_>) -> Result<Directive, TagError> {
    let kind: ActionKind = read("action", tags.required("action")?)?;
    Ok(Directive {
        network: read("network", tags.required("network")?)?,
        version: read("version", tags.required("version")?)?,
        hash: read("hash", tags.required("hash")?)?,
        action: match kind {
            ActionKind::Upgrade => upgrade(tags)?,
            ActionKind::Reboot => reboot(tags)?,
        },
        options: Options {
            rollout: tags.single("rollout")?.map(rollout).transpose()?,
            min_version: tags
                .optional("min_version")?
                .map(|text| read("min_version", text))
                .transpose()?,
            conditions: conditions(tags)?,
            genesis_hash: tags
                .optional("genesis_hash")?
                .map(|text| read("genesis_hash", text))
                .transpose()?,
        },
    })
}

fn upgrade(tags: TagSet<'_, '_>) -> Result<Action, TagError> {
    for tag in ["genesis_url", "required_by", "genesis_hash"] {
        if tags.all(tag).next().is_some() {
            let why = "it belongs to a reboot";
            return Err(TagError::Misplaced { tag, why });
        }
    }
    Ok(Action::Upgrade)
}

fn reboot(tags: TagSet<'_, '_>) -> Result<Action, TagError> {
    let deadline = tags.required("required_by")?;
    Ok(Action::Reboot {
        genesis_url: genesis_url(tags.required("genesis_url")?)?,
        required_by: read_number("required_by", deadline, "a time in Unix seconds")?,
    })
}

/// A URL in its normal form, so that two who mean the same sign the same text. Over TLS; from the node's own machine
/// without it, too, where there is nobody between.
fn genesis_url(text: &str) -> Result<Url, TagError> {
    let wrong = |problem: &str| TagError::value("genesis_url", problem);
    if text.len() > MAX_URL_BYTES {
        return Err(wrong(&format!("longer than {MAX_URL_BYTES} bytes")));
    }
    let url = Url::parse(text).map_err(|error| TagError::value("genesis_url", error))?;
    let own_machine = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && own_machine) {
        return Err(wrong("not https://"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(wrong("has a user, a password or a fragment: leave it out"));
    }
    if url.as_str() != text {
        return Err(wrong(&format!("not in its normal form, which is {url}")));
    }
    Ok(url)
}

fn rollout(values: &[&str]) -> Result<Rollout, TagError> {
    let number = |text: &str, least: u64| {
        let number = read_number("rollout", text, "a percentage")?;
        let percent = u8::try_from(number)
            .ok()
            .filter(|percent| *percent <= 100 && number >= least);
        percent.ok_or_else(|| TagError::value("rollout", format!("{number} is not {least} to 100")))
    };
    match values {
        [percent] => Ok(Rollout {
            percent: number(percent, 1)?,
            min_success_percent: Rollout::DEFAULT_MIN_SUCCESS_PERCENT,
        }),
        [percent, min_success] => Ok(Rollout {
            percent: number(percent, 1)?,
            min_success_percent: number(min_success, 0)?,
        }),
        _ => Err(TagError::Shape {
            tag: "rollout",
            expected: "[\"rollout\", percent of the fleet, perhaps least percent of success]",
        }),
    }
}

fn conditions(tags: TagSet<'_, '_>) -> Result<Vec<Condition>, TagError> {
    let conditions: Vec<Condition> = tags
        .all("condition")
        .take(MAX_CONDITIONS + 1)
        .map(condition)
        .collect::<Result<_, _>>()?;
    if conditions.len() > MAX_CONDITIONS {
        return Err(TagError::value(
            "condition",
            format!("more than {MAX_CONDITIONS}"),
        ));
    }
    Ok(conditions)
}

fn condition(values: &[&str]) -> Result<Condition, TagError> {
    match values {
        ["after", key] => Ok(Condition::After(read("condition", key)?)),
        ["height", height] => read_number("condition", height, "a height").map(Condition::Height),
        ["between", from, until] => {
            let from = read_number("condition", from, "a time in Unix seconds")?;
            let until = read_number("condition", until, "a time in Unix seconds")?;
            match from < until {
                true => Ok(Condition::Between { from, until }),
                false => Err(TagError::value(
                    "condition",
                    "the window ends before it begins",
                )),
            }
        }
        _ => Err(TagError::Shape {
            tag: "condition",
            expected: "[\"condition\", \"after\", action key], [\"condition\", \"height\", number] or \
                       [\"condition\", \"between\", from, until]",
        }),
    }
}
