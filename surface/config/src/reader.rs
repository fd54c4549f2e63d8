//! Walks the TOML tree with the place of every key and value, and goes on after a fault so that all are found in one run.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::report::{Fault, Report, Rule, Severity, Span};

/// What a value parser says of a text that it refuses.
pub(crate) struct Complaint {
    pub(crate) rule: Rule,
    pub(crate) title: String,
    pub(crate) label: String,
}

impl Complaint {
    pub(crate) fn new(rule: Rule, title: impl Into<String>, label: impl Into<String>) -> Self {
        Self { rule, title: title.into(), label: label.into() }
    }

    /// One line, for where there is no file to show.
    pub(crate) fn into_line(self) -> String {
        format!("{}: {}", self.title, self.label)
    }
}

/// A value together with its place, for checks that look at several values.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
    pub(crate) key: String,
}

/// A table of the file; remembers which keys were asked for, so that the rest are unknown.
pub(crate) struct Table<'t> {
    /// With dots; empty for the file itself.
    pub(crate) path: String,
    /// Its header, or the braces of an inline table.
    pub(crate) span: Span,
    /// One of an array of tables.
    is_element: bool,
    entries: &'t DeTable<'t>,
    allowed: Vec<&'static str>,
    refused: Vec<&'static str>,
}

/// A value of the file.
#[derive(Clone)]
pub(crate) struct Node<'t> {
    /// The key, with dots.
    pub(crate) key: String,
    /// Where the last part of the key begins; a key of the user's may have dots itself.
    name_at: usize,
    /// Where the value stands; for a table with a header, the header.
    pub(crate) span: Span,
    value: &'t DeValue<'t>,
}

impl<'t> Table<'t> {
    pub(crate) fn root(entries: &'t DeTable<'t>) -> Self {
        Self {
            path: String::new(),
            span: 0..0,
            is_element: false,
            entries,
            allowed: Vec::new(),
            refused: Vec::new(),
        }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// True when it has no keys but these.
    pub(crate) fn is_empty_but(&self, keys: &[&str]) -> bool {
        self.entries.iter().all(|(k, _)| keys.contains(&k.get_ref().as_ref()))
    }

    /// The value of an optional key.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Node<'t>> {
        self.allowed.push(key);
        let (name, value) = self.find(key)?;
        Some(self.node(name, value))
    }

    /// The value of a required key.
    pub(crate) fn need(&mut self, key: &'static str, example: &str, report: &mut Report) -> Option<Node<'t>> {
        let node = self.take(key);
        if node.is_none() {
            self.missing(key, example, report);
        }
        node
    }

    /// Says that a required key is missing.
    pub(crate) fn missing(&self, key: &str, example: &str, report: &mut Report) {
        let place = self.place();
        report.add(Fault {
            severity: Severity::Error,
            rule: Rule::MissingKey,
            key: self.join(key),
            title: format!("{place} needs the key `{key}`"),
            span: self.span.clone(),
            label: format!("add for example `{key} = {example}`"),
            also: Vec::new(),
            help: None,
        });
    }

    /// Refuses a key whose part this version does not have; it is known, so it gives no second error.
    pub(crate) fn not_yet(&mut self, key: &'static str, what: &str, report: &mut Report) {
        self.refused.push(key);
        if let Some((name, value)) = self.find(key) {
            let node = self.node(name, value);
            report.not_yet(&node.key, name.span(), what);
        }
    }

    /// Every key and value, for tables whose keys are the user's.
    pub(crate) fn each(&self) -> Vec<(&'t str, Span, Node<'t>)> {
        let mut all: Vec<_> =
            self.entries.iter().map(|(k, v)| (k.get_ref().as_ref(), k.span(), self.node(k, v))).collect();
        all.sort_by_key(|(_, span, _)| span.start);
        all
    }

    /// Complains of every key that nobody asked for.
    pub(crate) fn finish(self, report: &mut Report) {
        for (name, _) in self.entries {
            let text = name.get_ref().as_ref();
            if self.allowed.contains(&text) || self.refused.contains(&text) {
                continue;
            }
            let place = self.place();
            let near = nearest(text, &self.allowed);
            report.add(Fault {
                severity: Severity::Error,
                rule: Rule::UnknownKey,
                key: self.join(text),
                title: format!("unknown key `{text}` in {place}"),
                span: name.span(),
                label: near.map_or_else(|| "not a key here".to_owned(), |n| format!("did you mean `{n}`?")),
                also: Vec::new(),
                help: Some(format!("allowed here: {}", self.allowed.join(", "))),
            });
        }
    }

    fn place(&self) -> String {
        match (self.path.is_empty(), self.is_element) {
            (true, _) => "this file".to_owned(),
            (false, false) => format!("[{}]", self.path),
            (false, true) => format!("[[{}]]", self.path),
        }
    }

    pub(crate) fn join(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn find(&self, key: &str) -> Option<(&'t Spanned<toml::de::DeString<'t>>, &'t Spanned<DeValue<'t>>)> {
        self.entries.iter().find(|(k, _)| k.get_ref().as_ref() == key)
    }

    fn node(&self, name: &Spanned<toml::de::DeString<'t>>, value: &'t Spanned<DeValue<'t>>) -> Node<'t> {
        // A table written with a header has the header's place; one written inline, and any other value, its own.
        let key = self.join(name.get_ref());
        let name_at = key.len() - name.get_ref().len();
        Node { key, name_at, span: value.span(), value: value.get_ref() }
    }
}

impl<'t> Node<'t> {
    pub(crate) fn at<T>(&self, value: T) -> At<T> {
        At { value, span: self.span.clone(), key: self.key.clone() }
    }

    /// The same value, but faults of it are shown elsewhere: at its key.
    pub(crate) fn shown_at(mut self, span: Span) -> Self {
        self.span = span;
        self
    }

    pub(crate) fn is_boolean(&self) -> bool {
        self.value.as_bool().is_some()
    }

    pub(crate) fn boolean(&self, report: &mut Report) -> Option<bool> {
        let found = self.value.as_bool();
        if found.is_none() {
            self.wrong_type("true or false", report);
        }
        found
    }

    pub(crate) fn text(&self, report: &mut Report) -> Option<&'t str> {
        let found = self.value.as_str();
        if found.is_none() {
            self.wrong_type("a string in quotes", report);
        }
        found
    }

    /// A whole number from `low` to `high`.
    pub(crate) fn number(&self, low: u64, high: u64, report: &mut Report) -> Option<u64> {
        let Some(integer) = self.value.as_integer() else {
            self.wrong_type("a whole number", report);
            return None;
        };
        let value =
            i128::from_str_radix(integer.as_str(), integer.radix()).ok().and_then(|v| u64::try_from(v).ok());
        match value {
            Some(v) if (low..=high).contains(&v) => Some(v),
            _ => {
                let name = self.name();
                self.fault(
                    Rule::Range,
                    format!("`{name}` is out of range"),
                    format!("allowed: {low} to {high}"),
                    report,
                );
                None
            }
        }
    }

    /// A string that `read` understands.
    pub(crate) fn parse<T>(
        &self,
        read: impl FnOnce(&str) -> Result<T, Complaint>,
        report: &mut Report,
    ) -> Option<T> {
        match read(self.text(report)?) {
            Ok(value) => Some(value),
            Err(c) => {
                self.fault(c.rule, c.title, c.label, report);
                None
            }
        }
    }

    /// One of these words.
    pub(crate) fn choice<T: Copy>(&self, words: &[(&str, T)], report: &mut Report) -> Option<T> {
        let given = self.text(report)?;
        let found = words.iter().find(|(w, _)| *w == given).map(|(_, v)| *v);
        if found.is_none() {
            let name = self.name();
            let all = words.iter().map(|(w, _)| format!("\"{w}\"")).collect::<Vec<_>>().join(", ");
            self.fault(
                Rule::Choice,
                format!("`{given}` is no value of `{name}`"),
                format!("allowed: {all}"),
                report,
            );
        }
        found
    }

    /// The elements of a list. A value that is no list is a fault and gives none.
    pub(crate) fn items(&self, report: &mut Report) -> Vec<Self> {
        let Some(array) = self.value.as_array() else {
            self.wrong_type("a list in brackets", report);
            return Vec::new();
        };
        array
            .iter()
            .map(|item| Node {
                key: self.key.clone(),
                name_at: self.name_at,
                span: item.span(),
                value: item.get_ref(),
            })
            .collect()
    }

    /// The tables of an array of tables.
    pub(crate) fn tables(&self, report: &mut Report) -> Vec<Table<'t>> {
        if self.value.as_table().is_some() {
            let key = &self.key;
            let name = self.name();
            let label = format!("allowed: [[{key}]], with double brackets");
            self.fault(Rule::Type, format!("`{name}` is a list of tables"), label, report);
            return Vec::new();
        }
        let tables = self.items(report).into_iter().filter_map(|item| item.table(report));
        tables.map(|table| Table { is_element: true, ..table }).collect()
    }

    /// The elements of a list, each read by `read`; elements with a fault are left out.
    pub(crate) fn list<T>(
        &self,
        read: impl Fn(&str) -> Result<T, Complaint>,
        report: &mut Report,
    ) -> Vec<At<T>> {
        let mut out = Vec::new();
        for item in self.items(report) {
            if let Some(value) = item.parse(&read, report) {
                out.push(item.at(value));
            }
        }
        out
    }

    /// As [`Node::list`], with at least one element.
    pub(crate) fn list_of_some<T>(
        &self,
        read: impl Fn(&str) -> Result<T, Complaint>,
        report: &mut Report,
    ) -> Vec<At<T>> {
        if self.value.as_array().is_some_and(|a| a.is_empty()) {
            let name = self.name();
            self.fault(Rule::Empty, format!("`{name}` is empty"), "at least one element is needed", report);
        }
        self.list(read, report)
    }

    pub(crate) fn table(&self, report: &mut Report) -> Option<Table<'t>> {
        let Some(entries) = self.value.as_table() else {
            self.wrong_type("a table", report);
            return None;
        };
        Some(Table {
            path: self.key.clone(),
            span: self.span.clone(),
            is_element: false,
            entries,
            allowed: Vec::new(),
            refused: Vec::new(),
        })
    }

    pub(crate) fn fault(
        &self,
        rule: Rule,
        title: impl Into<String>,
        label: impl Into<String>,
        report: &mut Report,
    ) {
        report.add(Fault {
            severity: Severity::Error,
            rule,
            key: self.key.clone(),
            title: title.into(),
            span: self.span.clone(),
            label: label.into(),
            also: Vec::new(),
            help: None,
        });
    }

    /// The last part of the key.
    pub(crate) fn name(&self) -> &str {
        self.key.get(self.name_at..).unwrap_or(&self.key)
    }

    fn wrong_type(&self, wanted: &str, report: &mut Report) {
        let found = match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let name = self.name();
        self.fault(
            Rule::Type,
            format!("`{name}` has the wrong type"),
            format!("this is {found}; allowed: {wanted}"),
            report,
        );
    }
}

impl<T> At<T> {
    pub(crate) fn fault(
        &self,
        rule: Rule,
        title: impl Into<String>,
        label: impl Into<String>,
        report: &mut Report,
    ) {
        self.fault_beside(rule, title, label, None, report);
    }

    /// A fault that rests on a second place of the file.
    pub(crate) fn fault_beside(
        &self,
        rule: Rule,
        title: impl Into<String>,
        label: impl Into<String>,
        also: Option<(Span, String)>,
        report: &mut Report,
    ) {
        report.add(Fault {
            severity: Severity::Error,
            rule,
            key: self.key.clone(),
            title: title.into(),
            span: self.span.clone(),
            label: label.into(),
            also: also.into_iter().collect(),
            help: None,
        });
    }

    pub(crate) fn warn(
        &self,
        rule: Rule,
        title: impl Into<String>,
        label: impl Into<String>,
        report: &mut Report,
    ) {
        report.add(Fault {
            severity: Severity::Warning,
            rule,
            key: self.key.clone(),
            title: title.into(),
            span: self.span.clone(),
            label: label.into(),
            also: Vec::new(),
            help: None,
        });
    }
}

impl Report {
    /// Refuses what this version does not have.
    pub(crate) fn not_yet(&mut self, key: &str, span: Span, what: &str) {
        self.add(Fault {
            severity: Severity::Error,
            rule: Rule::NotInThisVersion,
            key: key.to_owned(),
            title: format!("this version of sixgate does not have {what}"),
            span,
            label: "remove this".to_owned(),
            also: Vec::new(),
            help: None,
        });
    }
}

/// The allowed key that differs least, when it differs little enough to be a slip.
fn nearest(text: &str, allowed: &[&'static str]) -> Option<&'static str> {
    let limit = (text.chars().count() / 3).max(1);
    allowed.iter().copied().map(|a| (distance(text, a), a)).filter(|(d, _)| *d <= limit).min().map(|(_, a)| a)
}

/// Insertions, deletions, exchanges and swaps of neighbours between two short words.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0_usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let exchange = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = exchange.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_key_and_a_foreign_word_does_not() {
        let allowed = ["prefix", "pool", "router-lifetime"];
        assert_eq!(nearest("prefx", &allowed), Some("prefix"));
        assert_eq!(nearest("perfix", &allowed), Some("prefix"));
        assert_eq!(nearest("router_lifetime", &allowed), Some("router-lifetime"));
        assert_eq!(nearest("banana", &allowed), None);
    }
}
