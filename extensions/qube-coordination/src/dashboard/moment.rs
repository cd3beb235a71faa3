//! Moments as the page tells them: how long ago or how soon, with the date in UTC beside it.
//!
//! `page.js` words them alike, so that what it brings up to date reads as what the server wrote.

use std::fmt::{self, Display, Formatter};

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 60 * MINUTE_S;
const DAY_S: u64 = 24 * HOUR_S;
/// The last second of the year 9999; what is later has no date here.
const LAST_S: u64 = 253_402_300_799;

/// A moment, seen from another; both in seconds since 1970.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) at_s: u64,
    pub(super) now_s: u64,
}

impl Display for Moment {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let at_s = self.at_s;
        write!(
            out,
            "<time datetime=\"{}\" data-at=\"{at_s}\" title=\"{}\">{}</time>",
            Date {
                at_s,
                style: Style::Machine
            },
            Date {
                at_s,
                style: Style::Person
            },
            self.words(),
        )
    }
}

impl Moment {
    /// `5 min ago`, `in 3 h`.
    fn words(self) -> String {
        let span_s = self.now_s.abs_diff(self.at_s);
        let span = match span_s {
            0..MINUTE_S => {
                return if self.at_s <= self.now_s {
                    "just now"
                } else {
                    "in a moment"
                }
                .to_owned();
            }
            MINUTE_S..HOUR_S => format!("{} min", span_s / MINUTE_S),
            HOUR_S..TWO_DAYS_S => format!("{} h", span_s / HOUR_S),
            _ => format!("{} d", span_s / DAY_S),
        };
        match self.at_s <= self.now_s {
            true => format!("{span} ago"),
            false => format!("in {span}"),
        }
    }
}

const TWO_DAYS_S: u64 = 2 * DAY_S;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Machine,
    Person,
}

struct Date {
    at_s: u64,
    style: Style,
}

impl Display for Date {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let at_s = self.at_s.min(LAST_S);
        let (year, month, day) = civil(at_s / DAY_S);
        let (hour, minute) = (at_s % DAY_S / HOUR_S, at_s % HOUR_S / MINUTE_S);
        write!(out, "{year:04}-{month:02}-{day:02}")?;
        match self.style {
            Style::Machine => write!(out, "T{hour:02}:{minute:02}:{:02}Z", at_s % MINUTE_S),
            Style::Person => write!(out, " {hour:02}:{minute:02} UTC"),
        }
    }
}

/// Year, month and day of a day since 1970, by the Gregorian calendar. Years begin in March here, so that the day that
/// comes and goes is their last; 400 of them have the same number of days always.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_FROM_MARCH_OF_YEAR_0: u64 = 719_468;
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let days = days + DAYS_FROM_MARCH_OF_YEAR_0;
    let (era, day_of_era) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let leap_days = day_of_era / 1_460 + day_of_era / 146_096 - day_of_era / 36_524;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(at_s: u64) -> String {
        let style = Style::Person;
        Date { at_s, style }.to_string()
    }

    #[test]
    fn q13_moments_are_told_as_people_do() {
        let now_s = 1_700_000_000;
        let words = |at_s| Moment { at_s, now_s }.words();
        assert_eq!(words(now_s), "just now");
        assert_eq!(words(now_s - 59), "just now");
        assert_eq!(words(now_s + 59), "in a moment");
        assert_eq!(words(now_s - 60), "1 min ago");
        assert_eq!(words(now_s - 3_600), "1 h ago");
        assert_eq!(words(now_s - 47 * 3_600), "47 h ago");
        assert_eq!(words(now_s - 48 * 3_600), "2 d ago");
        assert_eq!(words(now_s + 7_200), "in 2 h");
    }

    #[test]
    fn q13_dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_700_000_000), "2023-11-14 22:13 UTC");
        assert_eq!(date(4_107_542_399), "2100-02-28 23:59 UTC");
        assert_eq!(date(4_107_542_400), "2100-03-01 00:00 UTC");
        assert_eq!(date(u64::MAX), "9999-12-31 23:59 UTC");
        let moment = Moment { at_s: 0, now_s: 60 }.to_string();
        assert!(
            moment.contains("datetime=\"1970-01-01T00:00:00Z\""),
            "{moment}"
        );
        assert!(moment.ends_with(">1 min ago</time>"), "{moment}");
    }
}
