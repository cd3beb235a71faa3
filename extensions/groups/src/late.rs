//! Late publication (NIP-29): an event that says it is from hours ago would be shown among messages that people have long
//! read. What the operator imports is exempt, since a group may move from another relay.

use trellis_relay::extension::prelude::*;

/// Refuses an event for a group that is older than the window; 0 is any age.
pub(crate) fn check(event: &Event, window_s: u64, now_s: u64) -> Result<(), Reason> {
    let age_s = now_s.saturating_sub(event.created_at());
    match window_s == 0 || age_s <= window_s {
        true => Ok(()),
        false => Err(Reason::invalid(format!(
            "late publication: this event is {age_s} seconds old, and groups here take what is at most {window_s} seconds old"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trellis_relay::testing::{Author, START_S};

    #[test]
    fn g4_what_is_older_than_the_window_is_late() {
        let note = Author::new(1).note("hello");
        let is_taken = |window_s, age_s| check(&note, window_s, START_S + age_s).is_ok();
        assert!(is_taken(60, 60));
        assert!(!is_taken(60, 61));
        assert!(is_taken(0, 1_000_000));
    }
}
