//! What was found, as lines for people or as JSON for scripts.

use serde_json::json;
use std::io::{self, Write as _};
use trellis_relay::config::Loaded;
use trellis_relay::extension::{Finding, Findings, Grade};

/// All that was found.
pub(super) struct Report {
    /// Of the relay and its extensions.
    pub(super) checks: Vec<Finding>,
    /// Of the list before a launch, where it was asked for.
    pub(super) launch: Vec<Finding>,
}

impl Report {
    /// How many checks there were.
    pub(super) fn len(&self) -> usize {
        self.all().count()
    }

    /// How many of them fail.
    pub(super) fn failed(&self) -> usize {
        self.count(Grade::Fail)
    }

    fn all(&self) -> impl Iterator<Item = &Finding> {
        self.checks.iter().chain(&self.launch)
    }

    fn count(&self, grade: Grade) -> usize {
        self.all().filter(|finding| finding.grade == grade).count()
    }

    pub(super) fn print(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for finding in &self.checks {
            writeln!(out, "{}", line(finding))?;
        }
        if !self.launch.is_empty() {
            writeln!(out, "\nbefore the launch:")?;
        }
        for finding in &self.launch {
            writeln!(out, "{}", line(finding))?;
        }
        let count = |grade| self.count(grade);
        writeln!(
            out,
            "\n{} ok, {} warn, {} fail, {} to confirm by hand",
            count(Grade::Ok),
            count(Grade::Warn),
            count(Grade::Fail),
            count(Grade::ByHand)
        )
    }

    pub(super) fn print_json(&self) -> io::Result<()> {
        let count = |grade| self.count(grade);
        let report = json!({
            "checks": self.checks,
            "launch": self.launch,
            "ok": count(Grade::Ok),
            "warn": count(Grade::Warn),
            "fail": count(Grade::Fail),
            "by_hand": count(Grade::ByHand),
        });
        writeln!(io::stdout().lock(), "{report:#}")
    }
}

fn line(finding: &Finding) -> String {
    let (check, found) = (&finding.check, &finding.found);
    let advice = match &finding.advice {
        Some(advice) => format!("; {advice}"),
        None => String::new(),
    };
    match finding.grade {
        Grade::Ok => format!("ok    {check}: {found}{advice}"),
        Grade::Warn => format!("warn  {check}: {found}{advice}"),
        Grade::Fail => format!("fail  {check}: {found}{advice}"),
        Grade::ByHand => format!("hand  {check}: {found}{advice}"),
    }
}

/// What `config check` says.
pub(super) fn of_configuration(loaded: &Loaded, found: &mut Findings) {
    let file = match &loaded.file {
        Some(file) => file.display().to_string(),
        None => "the built-in defaults".to_owned(),
    };
    let tables = loaded.config.extensions.iter();
    let on = tables.filter(|(_, table)| crate::commands::job::is_on(table));
    let on: Vec<&str> = on.map(|(name, _)| name.as_str()).collect();
    let on = match on.is_empty() {
        true => "no extensions".to_owned(),
        false => format!("extensions {}", on.join(", ")),
    };
    found.ok("configuration", format!("{file} is right, with {on}"));
    for note in &loaded.notes {
        if loaded.file.is_some() {
            found.warn(
                "configuration",
                note.clone(),
                "trellis config explain shows where each value comes from",
            );
        }
    }
}

/// A number of bytes for people.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match UNITS.iter().find(|(_, shift)| bytes >> shift > 0) {
        Some((unit, shift)) => format!("{:.1} {unit}", bytes as f64 / (1_u64 << shift) as f64),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d9_a_line_says_what_was_found_and_what_would_be_right() {
        let mut found = Findings::default();
        found.ok("disk", "10 GiB free");
        found.fail("certificate", "it has\nexpired", "renew it");
        found.by_hand("policy", "nobody can tell", "read it");
        let lines: Vec<String> = found.all.iter().map(line).collect();
        assert_eq!(
            lines,
            [
                "ok    disk: 10 GiB free",
                "fail  certificate: it has expired; renew it",
                "hand  policy: nobody can tell; read it",
            ]
        );
        let report = Report {
            checks: found.all,
            launch: Vec::new(),
        };
        assert_eq!((report.len(), report.failed()), (3, 1));
    }

    #[test]
    fn d9_bytes_are_told_in_units() {
        for (number, told) in [
            (0, "0 bytes"),
            (1_023, "1023 bytes"),
            (1_536, "1.5 KiB"),
            (64 << 30, "64.0 GiB"),
        ] {
            assert_eq!(bytes(number), told);
        }
    }
}
