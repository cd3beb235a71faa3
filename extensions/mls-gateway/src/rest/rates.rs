//! How often letters may be put into mailboxes.
//!
//! Keys cost nothing, so a limit by sender alone stops nobody: an address, too, may write to one recipient only so often.
//! Services are trusted with the rest; how much a box holds is bounded for them as well (`letters`).

use super::asker::Asker;
use crate::config::Settings;
use std::time::Duration;
use trellis_relay::extension::RateLimiter;
use trellis_relay::extension::prelude::*;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// Letters in an hour from one address to one recipient.
const LETTERS_TO_ONE: u32 = 60;

/// The limits of this instance.
#[derive(Debug)]
pub(crate) struct DepositRates {
    by_sender: RateLimiter,
    by_address: RateLimiter,
    by_recipient: RateLimiter,
    by_address_and_recipient: RateLimiter,
}

impl DepositRates {
    /// As `[rate_limits]` has it.
    pub(crate) fn new(settings: &Settings, host: &Host) -> Self {
        let per_minute = settings.rate_limits.max_events_per_minute;
        let of_address = settings.rate_limits.per_address();
        DepositRates {
            by_sender: host.rate_limiter(per_minute, MINUTE),
            by_address: host.rate_limiter(of_address, MINUTE),
            by_recipient: host.rate_limiter(per_minute, MINUTE),
            by_address_and_recipient: host.rate_limiter(LETTERS_TO_ONE, HOUR),
        }
    }

    /// Counts a letter, or refuses it with 429.
    pub(super) fn check(&self, asker: &Asker, recipient: &PublicKey) -> Result<(), ApiError> {
        let Some(sender) = asker.signer() else {
            return Ok(());
        };
        let (address, recipient) = (asker.address.rate_key(), recipient.to_hex());
        self.by_address.check_http(&address)?;
        self.by_sender.check_http(&sender.to_hex())?;
        let pair = format!("{address} {recipient}");
        self.by_address_and_recipient.check_http(&pair)?;
        self.by_recipient.check_http(&recipient)
    }
}
