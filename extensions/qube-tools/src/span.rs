//! Lengths of time and moments, as people write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now, in Unix seconds.
pub(crate) fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map(|since| since.as_secs()).unwrap_or(0)
}

/// `90`, `90s`, `15m`, `2h` or `7d`.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    seconds(text).map(Duration::from_secs)
}

/// The same in seconds.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a time span: 90s, 15m, 2h or 7d");
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let factor = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(factor).ok_or_else(wrong)
}

/// A moment: Unix seconds, or `+15m` from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    At(u64),
    In(u64),
}

impl Moment {
    /// In Unix seconds.
    pub(crate) fn at_s(self, now_s: u64) -> u64 {
        match self {
            Self::At(at_s) => at_s,
            Self::In(seconds) => now_s.saturating_add(seconds),
        }
    }
}

/// Reads a moment.
pub(crate) fn moment(text: &str) -> Result<Moment, String> {
    match text.strip_prefix('+') {
        Some(later) => seconds(later).map(Moment::In),
        None => text
            .parse()
            .map(Moment::At)
            .map_err(|_| format!("{text:?} is not a moment: Unix seconds, or +15m from now")),
    }
}

/// How long ago, or in how long, in one unit.
pub(crate) fn ago(at_s: u64, now_s: u64) -> String {
    let (seconds, later) = match now_s.checked_sub(at_s) {
        Some(seconds) => (seconds, false),
        None => (at_s - now_s, true),
    };
    let text = match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    };
    match later {
        true => format!("in {text}"),
        false => format!("{text} ago"),
    }
}
