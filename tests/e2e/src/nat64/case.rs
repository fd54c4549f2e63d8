//! A table of cases and how it is run.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::site::{Setting, Site};
use super::subject::Subject;
use super::talk::Talk;
use crate::watched::Watched;

/// One thing that a translator must do.
#[derive(Clone, Copy)]
pub struct Case {
    name: &'static str,
    cannot: Option<&'static str>,
    does: fn(&mut Talk<'_>),
}

impl Case {
    /// A case with its name, a sentence, and what happens.
    #[must_use]
    pub const fn new(name: &'static str, does: fn(&mut Talk<'_>)) -> Self {
        Self { name, cannot: None, does }
    }

    /// The peer fails here, and why.
    #[must_use]
    pub const fn cannot(mut self, why: &'static str) -> Self {
        self.cannot = Some(why);
        self
    }
}

/// Runs all cases one after the other through one gateway, each with a client and a server of its own.
///
/// # Panics
/// One fails that must not, or the peer can do what the table says that it cannot.
#[track_caller]
pub fn run(test: &str, setting: &Setting<'_>, cases: &[Case]) {
    if let (Some(why), Subject::Tayga) = (setting.peer, Subject::chosen()) {
        let _ = std::io::stderr().write_all(format!("  the peer is left out: {why}\n").as_bytes());
        return;
    }
    let site = Site::new(test, setting);
    let wrong: Vec<String> = cases.iter().enumerate().filter_map(|(n, case)| judge(&site, n, case)).collect();
    let log = site.daemon().map(Watched::log).unwrap_or_default();
    assert!(wrong.is_empty(), "{} of {}:\n{}\n{log}", wrong.len(), cases.len(), wrong.join("\n"));
    for word in ["ERROR", "panicked"] {
        assert!(!log.contains(word), "{log}");
    }
    site.stop();
}

/// What is wrong with a case.
fn judge(site: &Site, number: usize, case: &Case) -> Option<String> {
    let cannot = case.cannot.filter(|_| site.subject != Subject::Sixgate);
    let mut talk = Talk::begin(site, u16::try_from(number).expect("some cases"), cannot.is_some());
    let done = catch_unwind(AssertUnwindSafe(|| {
        (case.does)(&mut talk);
        talk.end();
    }));
    let (said, wrong) = match (done, cannot) {
        (Ok(()), None) => ("passed".to_owned(), false),
        (Ok(()), Some(why)) => (format!("passed, although the table says: {why}"), true),
        (Err(_), Some(why)) => (format!("cannot: {why}"), false),
        (Err(what), None) => (format!("FAILED: {}", message(what.as_ref())), true),
    };
    let line = format!("{}: {said}", case.name);
    let _ = std::io::stderr().write_all(format!("  {line}\n").as_bytes());
    wrong.then_some(line)
}

fn message(what: &(dyn std::any::Any + Send)) -> String {
    what.downcast_ref::<String>()
        .cloned()
        .or_else(|| what.downcast_ref::<&str>().map(|s| (*s).to_owned()))
        .unwrap_or_default()
}
