//! What a rule says.

use serde::{Deserialize, Serialize};
use sixgate_reason::Diagnosis;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something does not work.
    Fail,
    /// It works and will not for long, or not for everybody.
    Warn,
}

/// A fault that was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// Of the registry, as `SG-ISATAP-003`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// True when the evidence leaves no other explanation; else it is the likely one.
    pub certain: bool,
    /// One line: who is hit, and how it shows.
    pub what: String,
    /// The broken step.
    pub cause: String,
    /// What was observed, one line each.
    pub evidence: Vec<String>,
    /// What it is not, and why that is known.
    pub not: Vec<String>,
    /// What to do, the main thing first.
    pub fix: String,
    /// The next commands.
    pub next: Vec<String>,
    /// Findings that this one explains, and that are not listed for themselves.
    #[serde(default)]
    pub explains: Vec<String>,
    /// Codes that would explain this one.
    #[serde(skip, default)]
    pub explained_by: Vec<&'static str>,
}

impl Finding {
    /// A finding with the registry's fix; the rest is filled in by the rule.
    #[must_use]
    pub fn new(diagnosis: &Diagnosis, what: impl Into<String>, cause: impl Into<String>) -> Self {
        Self {
            code: diagnosis.code.to_owned(),
            severity: Severity::Fail,
            certain: true,
            what: what.into(),
            cause: cause.into(),
            evidence: Vec::new(),
            not: Vec::new(),
            fix: diagnosis.fix.to_owned(),
            next: Vec::new(),
            explains: Vec::new(),
            explained_by: Vec::new(),
        }
    }

    /// It works for the moment.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warn;
        self
    }

    /// Another cause would look the same from here.
    #[must_use]
    pub fn likely(mut self) -> Self {
        self.certain = false;
        self
    }

    /// Adds a line of evidence.
    #[must_use]
    pub fn because(mut self, line: impl Into<String>) -> Self {
        self.evidence.push(line.into());
        self
    }

    /// Adds what it is not.
    #[must_use]
    pub fn not(mut self, line: impl Into<String>) -> Self {
        self.not.push(line.into());
        self
    }

    /// Replaces the registry's fix by one that names names.
    #[must_use]
    pub fn fix(mut self, line: impl Into<String>) -> Self {
        self.fix = line.into();
        self
    }

    /// Adds a command to go on with.
    #[must_use]
    pub fn next(mut self, command: impl Into<String>) -> Self {
        self.next.push(command.into());
        self
    }

    /// Is not listed for itself where one of these is found.
    #[must_use]
    pub fn unless(mut self, diagnoses: &[&Diagnosis]) -> Self {
        self.explained_by.extend(diagnoses.iter().map(|d| d.code));
        self
    }
}

/// What became of one check.
#[derive(Clone, PartialEq, Debug)]
pub enum Check {
    /// All is well: what was checked.
    Passed(String),
    /// The evidence does not reach: what is missing.
    Skipped(String),
    /// It is not well.
    Found(Box<Finding>),
}

impl Check {
    /// A check that was passed.
    pub(crate) fn passed(what: impl Into<String>) -> Self {
        Self::Passed(what.into())
    }

    /// A check that cannot be made.
    pub(crate) fn skipped(why: impl Into<String>) -> Self {
        Self::Skipped(why.into())
    }
}

impl From<Finding> for Check {
    fn from(finding: Finding) -> Self {
        Self::Found(Box::new(finding))
    }
}

/// What all rules say together.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Report {
    /// Failures first, then by number.
    pub findings: Vec<Finding>,
    /// Checks that were passed.
    pub passed: Vec<String>,
    /// Checks that could not be made, and why.
    pub skipped: Vec<String>,
}

impl Report {
    pub(crate) fn of(checks: impl Iterator<Item = Check>) -> Self {
        let mut report = Self::default();
        let mut found = Vec::new();
        for check in checks {
            match check {
                Check::Passed(what) => report.passed.push(what),
                Check::Skipped(why) => report.skipped.push(why),
                Check::Found(finding) => found.push(*finding),
            }
        }
        report.findings = fold(unite(found));
        report.findings.sort_by_key(|f| (f.severity, number(&f.code)));
        report
    }
}

/// Makes one finding of those that name one cause, seen from several places.
fn unite(found: Vec<Finding>) -> Vec<Finding> {
    let mut left: Vec<Finding> = Vec::new();
    for finding in found {
        match left.iter_mut().find(|f| f.code == finding.code && f.cause == finding.cause) {
            None => left.push(finding),
            Some(first) => {
                first.severity = first.severity.min(finding.severity);
                for (to, from) in [
                    (&mut first.evidence, finding.evidence),
                    (&mut first.not, finding.not),
                    (&mut first.next, finding.next),
                ] {
                    for line in from {
                        if !to.contains(&line) {
                            to.push(line);
                        }
                    }
                }
            }
        }
    }
    left
}

/// Folds each finding into the one that explains it.
fn fold(found: Vec<Finding>) -> Vec<Finding> {
    let codes: Vec<String> = found.iter().map(|f| f.code.clone()).collect();
    let cause = |f: &Finding| f.explained_by.iter().find(|c| codes.iter().any(|code| code == *c)).copied();
    let (explained, mut left): (Vec<_>, Vec<_>) = found.into_iter().partition(|f| cause(f).is_some());
    for finding in explained {
        let because = cause(&finding).unwrap_or_default();
        match left.iter_mut().find(|f| f.code == because) {
            Some(f) if f.explains.contains(&finding.code) => {}
            Some(f) => f.explains.push(finding.code),
            // What would explain it is itself explained by a third, which stands for both.
            None => {}
        }
    }
    left
}

fn number(code: &str) -> u16 {
    Diagnosis::from_code(code).map_or(u16::MAX, |d| d.number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sixgate_reason::diagnoses::{SG_ISATAP_003, SG_ISATAP_004, SG_SYS_001, SG_SYS_007};

    fn plain(diagnosis: &Diagnosis) -> Finding {
        Finding::new(diagnosis, "what", "cause")
    }

    #[test]
    fn a_finding_is_folded_into_its_cause_and_stands_alone_without_it() {
        let not_running = || plain(&SG_SYS_007).unless(&[&SG_SYS_001]);
        let report = Report::of([not_running().into(), plain(&SG_SYS_001).into()].into_iter());
        assert_eq!(report.findings.len(), 1);
        assert_eq!(
            (report.findings[0].code.as_str(), &report.findings[0].explains[..]),
            ("SG-SYS-001", &["SG-SYS-007".to_owned()][..])
        );
        let report = Report::of([not_running().into()].into_iter());
        assert_eq!(report.findings[0].code, "SG-SYS-007");
    }

    #[test]
    fn one_cause_seen_from_two_places_is_one_finding_and_as_bad_as_the_worse() {
        let here = plain(&SG_ISATAP_003).warning().because("here");
        let there = plain(&SG_ISATAP_003).because("there");
        let report = Report::of([here.into(), there.into()].into_iter());
        assert_eq!(report.findings.len(), 1);
        assert_eq!(report.findings[0].evidence, ["here", "there"]);
        assert_eq!(report.findings[0].severity, Severity::Fail);
    }

    #[test]
    fn failures_come_before_warnings_and_then_by_number() {
        let report = Report::of(
            [
                plain(&SG_ISATAP_003).warning().into(),
                plain(&SG_SYS_001).into(),
                plain(&SG_ISATAP_004).into(),
                Check::passed("one"),
            ]
            .into_iter(),
        );
        let codes: Vec<&str> = report.findings.iter().map(|f| f.code.as_str()).collect();
        assert_eq!(codes, ["SG-ISATAP-004", "SG-SYS-001", "SG-ISATAP-003"]);
        assert_eq!(report.passed.len(), 1);
    }
}
