//! NIP-13: proof of work that a kind must show.

use crate::event::Event;
use crate::reason::Reason;

/// Checks leading zero bits of the id, and the target the author committed to: without the latter an author could keep
/// what a search for fewer bits found by luck. 0 bits ask for nothing.
pub fn check(event: &Event, bits: u16) -> Result<(), Reason> {
    if bits == 0 {
        return Ok(());
    }
    let shown = leading_zero_bits(event.id().as_bytes());
    if shown < u32::from(bits) {
        return Err(Reason::pow(format!(
            "kind {} needs {bits} leading zero bits, the id has {shown}",
            event.kind()
        )));
    }
    let committed = event
        .tags()
        .find(|tag| tag.name() == "nonce")
        .and_then(|tag| tag.get(2)?.parse::<u32>().ok());
    match committed {
        Some(target) if target >= u32::from(bits) => Ok(()),
        Some(target) => Err(Reason::pow(format!(
            "kind {} needs a committed target of {bits}, the nonce tag says {target}",
            event.kind()
        ))),
        None => Err(Reason::pow(format!(
            "kind {} needs a committed target: [\"nonce\", \"<nonce>\", \"{bits}\"]",
            event.kind()
        ))),
    }
}

fn leading_zero_bits(id: &[u8; 32]) -> u32 {
    let zero_bytes = id.iter().take_while(|byte| **byte == 0).count();
    let rest = id.get(zero_bytes).map_or(0, |byte| byte.leading_zeros());
    zero_bytes as u32 * 8 + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventParts;

    fn event(first: [u8; 2], tags_json: &str) -> Event {
        let mut id = [0xff; 32];
        id[..2].copy_from_slice(&first);
        EventParts {
            id: &id,
            pubkey: &[1; 32],
            created_at: 1,
            kind: 1,
            tags_json,
            content_json: "\"\"",
            sig: &[0; 64],
        }
        .assemble()
    }

    #[test]
    fn c6_id_and_committed_target_must_both_suffice() {
        let committed = r#"[["nonce","1","12"]]"#;
        assert_eq!(check(&event([0, 0x0f], committed), 12), Ok(()));
        assert_eq!(check(&event([0xff, 0], "[]"), 0), Ok(()));
        for (first, tags, said) in [
            ([0, 0x1f], committed, "the id has 11"),
            (
                [0, 0x0f],
                r#"[["nonce","1","11"]]"#,
                "the nonce tag says 11",
            ),
            ([0, 0x0f], r#"[["nonce","1"]]"#, "needs a committed target"),
            ([0, 0x0f], "[]", "needs a committed target"),
        ] {
            let reason = check(&event(first, tags), 12)
                .expect_err("refused")
                .to_string();
            assert!(
                reason.starts_with("pow: ") && reason.contains(said),
                "{reason}"
            );
        }
    }
}
