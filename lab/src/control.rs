//! How commands speak to a lab's supervisor: one JSON line there, one back, over a unix socket that only root opens.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::LabError;
use crate::registry;

/// What can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    /// Start a new stretch of the taps and look for these strings in it.
    Watch { markers: Vec<String> },
    /// What the taps counted in this stretch.
    Taps,
    /// Forget all stretches.
    Begin,
    /// What the taps counted in all stretches.
    Whole,
    /// Let the taps see nothing any more: copying every frame takes time from what is measured.
    Deafen,
    /// End.
    Down,
}

/// Asks, and answers what came back.
pub(crate) fn call(lab: &str, request: &Request) -> Result<Value, LabError> {
    let unreachable = |_| LabError::not_up(lab);
    let mut stream = UnixStream::connect(registry::socket(lab)).map_err(unreachable)?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).map_err(unreachable)?;
    let mut line = serde_json::to_vec(request).map_err(|e| LabError::failed(e.to_string()))?;
    line.push(b'\n');
    stream.write_all(&line).map_err(unreachable)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).map_err(unreachable)?;
    serde_json::from_str(&answer).map_err(|_| LabError::not_up(lab))
}

/// Reads one request and writes what `answer` says to it.
pub(crate) fn serve(stream: UnixStream, answer: impl FnOnce(Request) -> Value) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut line = String::new();
    let mut reader = BufReader::new(stream);
    reader.read_line(&mut line)?;
    let request = serde_json::from_str(&line)?;
    let mut text = serde_json::to_vec(&answer(request))?;
    text.push(b'\n');
    reader.into_inner().write_all(&text)
}
