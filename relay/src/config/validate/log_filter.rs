//! The form of `log.filter`: levels, and levels by module.
//!
//! Stricter than the library that applies it, which takes a mistyped level for the name of a module and logs nothing.

/// What error messages quote.
pub(super) const ALLOWED: &str = "error, warn, info, debug, trace or off, or levels by module, with commas and without blanks: \
     \"info,trellis_relay::store=debug\"";

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Whether every part says a level, or a module and its level.
pub(super) fn is_good(filter: &str) -> bool {
    filter.split(',').all(|part| match part.split_once('=') {
        Some((module, level)) => is_module(module) && is_level(level),
        None => is_level(part),
    })
}

fn is_level(word: &str) -> bool {
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word))
}

fn is_module(word: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_:-".contains(c);
    !word.is_empty() && word.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c12_a_log_filter_is_made_of_levels() {
        for good in [
            "info",
            "WARN",
            "off",
            "info,trellis_relay::store=debug",
            "actix_server=warn,trace",
        ] {
            assert!(is_good(good), "{good}");
        }
        for bad in [
            "",
            " ",
            "debgu",
            "info,",
            "a=b=c",
            "a=",
            "=info",
            "hyper",
            "info, a=debug",
            "a b=info",
            "info;warn",
        ] {
            assert!(!is_good(bad), "{bad}");
        }
    }
}
