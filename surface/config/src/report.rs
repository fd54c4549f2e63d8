//! What is wrong with a file: every fault with its place, its rule and what is allowed, as text and as values.

use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

pub use crate::rule::Rule;

/// Octets of the text, as the TOML parser counts them.
pub(crate) type Span = Range<usize>;

/// How bad a fault is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing starts.
    Error,
    /// It starts, but probably does not do what was meant.
    Warning,
}

/// One fault, with octet offsets into the text.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) severity: Severity,
    pub(crate) rule: Rule,
    pub(crate) key: String,
    pub(crate) title: String,
    pub(crate) span: Span,
    pub(crate) label: String,
    pub(crate) also: Vec<(Span, String)>,
    pub(crate) help: Option<String>,
}

/// One fault as programs read it; this is what `check --json` prints.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// Error or warning.
    pub severity: Severity,
    /// The stable code of the rule.
    pub code: &'static str,
    /// The file as it was named.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The key, with dots: `nat64.prefix`. Empty where the fault has none, as in a syntax error.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What is allowed, or what else is known about the place.
    pub detail: String,
    /// What to do, where that is more than the detail says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// Faults that are told; a file with more is something else than a configuration.
const MOST_FAULTS: usize = 200;

/// All faults of one file, in the order of their places.
#[derive(Clone, Debug)]
pub struct Report {
    file: PathBuf,
    text: String,
    faults: Vec<Fault>,
    /// An error was left out because there are too many faults.
    more: bool,
}

impl Report {
    pub(crate) fn new(file: &Path, text: &str) -> Self {
        Self { file: file.to_path_buf(), text: text.to_owned(), faults: Vec::new(), more: false }
    }

    pub(crate) fn add(&mut self, fault: Fault) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(fault);
        } else {
            self.more |= fault.severity == Severity::Error;
        }
    }

    pub(crate) fn sort(&mut self) {
        self.faults.sort_by_key(|f| (f.span.start, f.span.end));
    }

    /// The line of an octet of the text, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.place(at).0
    }

    /// True when something in the file keeps it from being used.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.more || self.faults.iter().any(|f| f.severity == Severity::Error)
    }

    /// True when there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// The faults as values.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        self.faults.iter().map(|f| self.finding(f)).collect()
    }

    /// The faults as text for a person, each with the line it is about; no colour, ends in a line feed unless empty.
    #[must_use]
    pub fn render(&self) -> String {
        let renderer = Renderer::plain();
        let file = self.file.display().to_string();
        let mut out = String::new();
        for fault in &self.faults {
            let level = match fault.severity {
                Severity::Error => Level::ERROR,
                Severity::Warning => Level::WARNING,
            };
            let marks = std::iter::once(
                AnnotationKind::Primary.span(self.inside(&fault.span)).label(fault.label.as_str()),
            )
            .chain(
                fault
                    .also
                    .iter()
                    .map(|(s, t)| AnnotationKind::Context.span(self.inside(s)).label(t.as_str())),
            );
            let snippet = Snippet::source(self.text.as_str()).path(file.as_str()).annotations(marks);
            let mut group: Group<'_> = level.primary_title(fault.title.as_str()).element(snippet);
            if let Some(help) = &fault.help {
                group = group.element(Level::HELP.message(help.as_str()));
            }
            out.push_str(&renderer.render(&[group]));
            out.push('\n');
        }
        out
    }

    fn finding(&self, fault: &Fault) -> Finding {
        let (line, column) = self.place(fault.span.start);
        Finding {
            severity: fault.severity,
            code: fault.rule.code(),
            file: self.file.display().to_string(),
            line,
            column,
            key: fault.key.clone(),
            message: fault.title.clone(),
            detail: fault.label.clone(),
            help: fault.help.clone(),
        }
    }

    fn place(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at.min(self.text.len())).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }

    /// The part of a span that the renderer can mark: inside the text, on character borders.
    fn inside(&self, span: &Span) -> Span {
        let border = |mut at: usize| {
            at = at.min(self.text.len());
            while !self.text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (start, end) = (border(span.start), border(span.end));
        start..end.max(start)
    }
}
