//! A report as a person reads it.

use sixgate_doctor::{Finding, Report, Severity};

/// Further lines below a finding's fix, by its code.
pub(crate) type Hint<'a> = &'a dyn Fn(&str) -> Vec<String>;

/// Columns of a line.
const WIDTH: usize = 118;
/// Where a finding's text begins.
const INDENT: usize = 14;

/// Every finding, then the count.
pub(crate) fn render(report: &Report, seconds: f64, all: bool, hint: Hint<'_>) -> String {
    let mut out = String::new();
    for f in &report.findings {
        finding(&mut out, f, hint);
    }
    if all {
        for what in &report.passed {
            out.push_str(&format!(" ✓ {what}\n"));
        }
        for why in &report.skipped {
            out.push_str(&format!(" - {why}\n"));
        }
    }
    let (n, m) = (report.findings.len(), report.passed.len());
    let word = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    out.push_str(&format!("{}, {} passed in {seconds:.1} s\n", word(n, "finding"), word(m, "check")));
    out
}

fn finding(out: &mut String, f: &Finding, hint: Hint<'_>) {
    let severity = match f.severity {
        Severity::Fail => "FAIL",
        Severity::Warn => "WARN",
    };
    let head = format!("{}  {}", f.code, f.what);
    out.push_str(&format!("{head:<width$}  {severity}\n", width = WIDTH - 6));
    let likely = if f.certain { "because" } else { "likely" };
    let mut lines = |label: &str, text: &str| {
        let mut label = label;
        for line in wrap(text) {
            out.push_str(&format!("  {label:<width$}{line}\n", width = INDENT - 2));
            label = "";
        }
    };
    lines(likely, &f.cause);
    for (label, items) in [("evidence", &f.evidence), ("not", &f.not)] {
        let mut label = label;
        for item in items.iter().filter(|i| !i.is_empty()) {
            lines(label, item);
            label = "";
        }
    }
    if !f.explains.is_empty() {
        lines("explains", &f.explains.join(", "));
    }
    lines("fix", &f.fix);
    for more in hint(&f.code) {
        lines("", &more);
    }
    let mut label = "next";
    for next in &f.next {
        lines(label, next);
        label = "";
    }
    lines("", &format!("sixgate explain {}", f.code));
}

/// At words, so that a line fits.
fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let fits = |line: &String| line.chars().count() + word.chars().count() < WIDTH - INDENT;
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if fits(line) => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_like_the_manual() {
        let mut report = Report::default();
        report.findings.push(Finding {
            code: "SG-ISATAP-003".to_owned(),
            severity: Severity::Fail,
            certain: true,
            what: "helpdesk-01 has only a link-local ISATAP address".to_owned(),
            cause: "protocol 41 is dropped".to_owned(),
            evidence: vec!["it sent 3".to_owned(), "ICMP works".to_owned()],
            not: vec!["the allow list".to_owned()],
            fix: "allow protocol 41".to_owned(),
            next: vec!["tcpdump".to_owned()],
            explains: Vec::new(),
            explained_by: Vec::new(),
        });
        report.passed.push("one".to_owned());
        let text = render(&report, 2.1, false, &|_| vec!["lab: `sixgate lab fix x`".to_owned()]);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert!(lines[0].starts_with("SG-ISATAP-003  helpdesk-01 has") && lines[0].ends_with("FAIL"));
        assert_eq!(
            &lines[1..],
            [
                "  because     protocol 41 is dropped",
                "  evidence    it sent 3",
                "              ICMP works",
                "  not         the allow list",
                "  fix         allow protocol 41",
                "              lab: `sixgate lab fix x`",
                "  next        tcpdump",
                "              sixgate explain SG-ISATAP-003",
                "1 finding, 1 check passed in 2.1 s",
            ]
        );
    }

    #[test]
    fn long_lines_are_cut_at_words() {
        let text = "word ".repeat(60);
        assert!(wrap(&text).iter().all(|line| line.chars().count() <= WIDTH - INDENT));
        assert_eq!(wrap(&text).join(" "), text.trim());
    }
}
