//! NIP-62: whether a request to vanish is addressed to this relay.
//!
//! Pure; what a request does is the store's work. Not here: who may send one, which is everybody.

use super::nip42::same_relay;
use crate::event::Event;
use crate::reason::Reason;
use crate::store::Write;
use std::sync::Arc;

/// The kind of a request.
pub const KIND: u16 = 62;

const EVERY_RELAY: &str = "ALL_RELAYS";

/// What to do with an event that was let in, from wherever it came: a request to vanish binds, everything else is
/// stored. `known_as` holds the relay's public URL, or several where it had others before; without any only requests to all
/// relays bind.
pub fn write_for<'a>(
    event: Arc<Event>,
    known_as: impl IntoIterator<Item = &'a str>,
) -> Result<Write, Reason> {
    if event.kind() != KIND {
        return Ok(Write::Put(event));
    }
    check(&event, known_as)?;
    Ok(Write::Vanish(event))
}

/// Refuses a request that is not addressed to this relay: to store it would promise what is not done.
pub fn check<'a>(
    request: &Event,
    known_as: impl IntoIterator<Item = &'a str>,
) -> Result<(), Reason> {
    let known_as: Vec<&str> = known_as.into_iter().collect();
    let mut names_any = false;
    for tag in request.tags().filter(|tag| tag.name() == "relay") {
        let Some(relay) = tag.value() else { continue };
        if relay == EVERY_RELAY || known_as.iter().any(|ours| same_relay(&relay, ours)) {
            return Ok(());
        }
        names_any = true;
    }
    let text = match (names_any, &known_as[..]) {
        (false, _) => {
            "a request to vanish needs a relay tag with this relay's URL or ALL_RELAYS (NIP-62)"
                .to_owned()
        }
        (true, []) => {
            "this relay does not know its own address, so to vanish from it name ALL_RELAYS (NIP-62); its operator must \
             set network.relay_url for requests that name it"
                .to_owned()
        }
        (true, ours) => format!(
            "the request to vanish names other relays only; to vanish from this one, name {} or ALL_RELAYS (NIP-62)",
            ours.join(" or ")
        ),
    };
    Err(Reason::invalid(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventParts;

    fn event(kind: u16, tags_json: &str) -> Arc<Event> {
        let parts = EventParts {
            id: &[2; 32],
            pubkey: &[1; 32],
            created_at: 10_000,
            kind,
            tags_json,
            content_json: "\"\"",
            sig: &[0; 64],
        };
        Arc::new(parts.assemble())
    }

    #[test]
    fn c10_a_request_to_vanish_binds_where_it_names_this_relay_or_all() {
        let ours = Some("wss://relay.example.com");
        for tags in [
            r#"[["relay","wss://relay.example.com/"]]"#,
            r#"[["relay","ws://RELAY.example.com:80"]]"#,
            r#"[["relay","wss://other.example"],["relay","wss://relay.example.com"]]"#,
            r#"[["relay","wss://other.example"],["relay","ALL_RELAYS"]]"#,
        ] {
            let written = write_for(event(KIND, tags), ours);
            assert!(matches!(written, Ok(Write::Vanish(_))), "{tags}");
        }
        for (tags, said) in [
            (
                r#"[["relay","wss://other.example"]]"#,
                "wss://relay.example.com",
            ),
            (r#"[["relay","all_relays"]]"#, "other relays only"),
            (r#"[["relay"]]"#, "needs a relay tag"),
            ("[]", "needs a relay tag"),
            (r#"[["r","ALL_RELAYS"]]"#, "needs a relay tag"),
        ] {
            let reason = write_for(event(KIND, tags), ours)
                .expect_err(tags)
                .to_string();
            assert!(
                reason.starts_with("invalid: ") && reason.contains(said),
                "{reason}"
            );
        }
    }

    #[test]
    fn c10_without_an_address_of_its_own_a_relay_hears_requests_to_all() {
        let named = event(KIND, r#"[["relay","wss://relay.example.com"]]"#);
        let reason = write_for(named, None).expect_err("refused").to_string();
        assert!(reason.contains("ALL_RELAYS"), "{reason}");
        let all = event(KIND, r#"[["relay","ALL_RELAYS"]]"#);
        assert!(matches!(write_for(all, None), Ok(Write::Vanish(_))));
    }

    #[test]
    fn c10_a_relay_of_several_addresses_hears_requests_to_each() {
        let ours = ["wss://new.example", "wss://old.example:444"];
        for named in ours {
            let named = event(KIND, &format!(r#"[["relay","{named}"]]"#));
            assert!(matches!(write_for(named, ours), Ok(Write::Vanish(_))));
        }
        let other = event(KIND, r#"[["relay","wss://other.example"]]"#);
        let reason = write_for(other, ours).expect_err("refused").to_string();
        assert!(ours.iter().all(|ours| reason.contains(ours)), "{reason}");
    }

    #[test]
    fn c10_other_kinds_are_stored_whatever_they_name() {
        let note = event(1, r#"[["relay","ALL_RELAYS"]]"#);
        assert!(matches!(write_for(note, None), Ok(Write::Put(_))));
    }
}
