//! What the conformance kit found.

use std::fmt;

/// What was found, and whether it will do.
#[derive(Clone, Debug)]
pub struct Report {
    extension: &'static str,
    passed: Vec<String>,
    problems: Vec<Problem>,
    advice: Vec<String>,
}

/// Something that no extension should do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What was found.
    pub found: String,
    /// What would be right.
    pub wanted: String,
}

impl Report {
    pub(super) fn new(extension: &'static str) -> Self {
        Report {
            extension,
            passed: Vec::new(),
            problems: Vec::new(),
            advice: Vec::new(),
        }
    }

    /// Notes a check: passed as `what`, or failed.
    pub(super) fn check(&mut self, what: &str, is_right: bool, found: &str, wanted: &str) {
        match is_right {
            true => self.pass(what),
            false => self.problem(found, wanted),
        }
    }

    pub(super) fn pass(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.passed.contains(&what) {
            self.passed.push(what);
        }
    }

    pub(super) fn problem(&mut self, found: impl Into<String>, wanted: impl Into<String>) {
        let problem = Problem {
            found: found.into(),
            wanted: wanted.into(),
        };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    pub(super) fn advise(&mut self, advice: impl Into<String>) {
        self.advice.push(advice.into());
    }

    /// What was wrong.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// What is not wrong and could be better.
    pub fn advice(&self) -> &[String] {
        &self.advice
    }

    /// Fails the test with everything that was wrong.
    #[track_caller]
    pub fn assert_passed(&self) {
        assert!(self.problems.is_empty(), "\n{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Conformance of the extension {}:", self.extension)?;
        for passed in &self.passed {
            writeln!(f, "  ok      {passed}")?;
        }
        for Problem { found, wanted } in &self.problems {
            writeln!(f, "  WRONG   {found}\n          {wanted}")?;
        }
        for advice in &self.advice {
            writeln!(f, "  advice  {advice}")?;
        }
        Ok(())
    }
}
