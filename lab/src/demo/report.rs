//! What the demo prints.

use std::io::Write;
use std::time::Instant;

use serde_json::{Value, json};

use crate::error::LabError;

/// One step while it runs: collects what was done and what came back.
#[derive(Debug, Default)]
pub struct Step {
    lines: Vec<String>,
}

impl Step {
    /// A command on a node and what came back.
    pub fn did(&mut self, node: &str, command: &str, back: &str) {
        self.lines.push(format!("{node}$ {command}\n        -> {back}"));
    }

    /// What a command printed, line by line.
    pub fn shown(&mut self, text: &str) {
        self.lines.extend(text.lines().map(|line| format!("        {line}")));
    }

    /// What the wires carried.
    pub fn wire(&mut self, text: &str) {
        self.lines.push(format!("wire: {text}"));
    }

    /// What was collected.
    #[must_use]
    pub fn into_lines(self) -> Vec<String> {
        self.lines
    }
}

pub(super) struct Report<'a> {
    out: &'a mut dyn Write,
    json: bool,
    steps: Vec<Value>,
    failed: usize,
}

impl<'a> Report<'a> {
    pub(super) fn new(out: &'a mut dyn Write, json: bool) -> Self {
        Self { out, json, steps: Vec::new(), failed: 0 }
    }

    pub(super) fn step(
        &mut self,
        letter: char,
        title: &str,
        work: impl FnOnce(&mut Step) -> Result<(), LabError>,
    ) {
        self.print(&format!("\n({letter}) {title}\n"));
        let start = Instant::now();
        let mut step = Step::default();
        let done = work(&mut step);
        let seconds = start.elapsed().as_secs_f64();
        for line in &step.lines {
            self.print(&format!("    {line}\n"));
        }
        match &done {
            Ok(()) => self.print(&format!(" ✓ ({letter}) {seconds:.1} s\n")),
            Err(why) => {
                self.failed += 1;
                self.print(&format!(" ✗ ({letter}) {why}\n"));
            }
        }
        let why = done.err().map(|why| why.to_string());
        self.steps.push(json!({"step": letter.to_string(), "title": title, "ok": why.is_none(), "why": why,
                               "seconds": seconds, "did": step.lines}));
    }

    pub(super) fn good(&self) -> bool {
        self.failed == 0
    }

    pub(super) fn finish(mut self, mut document: Value) {
        let (all, failed) = (self.steps.len(), self.failed);
        if self.json {
            document["ok"] = json!(failed == 0);
            document["steps"] = json!(self.steps);
            self.json = false;
            self.print(&format!("{document}\n"));
        } else if failed == 0 {
            self.print(&format!("\ndemo: all {all} steps verified\n"));
        } else {
            self.print(&format!("\ndemo: {failed} of {all} steps FAILED\n"));
        }
    }

    /// Prints text, unless a document was asked for; who closed the pipe does not want to read more.
    fn print(&mut self, text: &str) {
        if !self.json {
            let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        }
    }
}
