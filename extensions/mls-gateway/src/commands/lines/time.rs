//! Times in lines: seconds since 1970.

/// Seconds beyond which somebody must have written milliseconds: in the year 5138.
const SECONDS_MAX: u64 = 100_000_000_000;

/// Refuses what is no number of seconds.
pub(super) fn check(name: &str, seconds: u64) -> Result<(), String> {
    match seconds > SECONDS_MAX {
        true => Err(format!(
            "{name}: {seconds} looks like milliseconds, wanted seconds since 1970"
        )),
        false => Ok(()),
    }
}
