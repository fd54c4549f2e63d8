//! The one place that writes to standard output; a reader that has gone away is no error.

mod address;
mod amount;
mod table;

use std::io::{self, Write};

use serde_json::Value;

pub(crate) use address::dotted;
pub(crate) use amount::{ago, octets, span, until};
pub(crate) use table::Table;

/// Where a command prints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    /// One document instead of text.
    pub(crate) json: bool,
}

impl Out {
    /// Prints text that ends in a line feed.
    #[allow(clippy::unused_self)]
    pub(crate) fn text(&self, text: &str) {
        put(text.as_bytes());
    }

    /// Prints the one document.
    #[allow(clippy::unused_self)]
    pub(crate) fn document(&self, document: &Value) {
        put(format!("{document}\n").as_bytes());
    }
}

/// Says something to standard error; nobody can be told when that is gone too.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn put(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => {}
        // `sixgate who | head -1`: the reader has what it wanted.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {}
        Err(e) => {
            complain(&format!("sixgate: standard output cannot be written: {e}"));
            std::process::exit(1);
        }
    }
}
