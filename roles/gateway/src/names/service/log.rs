//! The query log: one JSON value a line for each question, where the file wants one. Who writes it never waits for the disk: what
//! does not fit into the queue is counted and left out.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use domain::base::Message;
use jiff::Timestamp;
use serde_json::json;
use sixgate_config::{QueryLog, QueryPrivacy};

/// Questions that wait for the disk.
const QUEUE: usize = 8_192;
/// How long a line may wait for others.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Takes questions to the file.
pub(super) struct Log {
    queue: SyncSender<Line>,
    privacy: QueryPrivacy,
    of: QueryLog,
}

enum Line {
    Entry(String),
    Reopen,
}

/// What is said of a question.
pub(super) struct Entry<'a> {
    pub(super) client: IpAddr,
    pub(super) question: &'a [u8],
    pub(super) answer: Option<&'a [u8]>,
    /// `cache`, `upstream`, ...
    pub(super) from: &'static str,
    pub(super) took: Duration,
}

impl Log {
    /// Opens the file and starts the thread that writes it.
    pub(super) fn open(of: &QueryLog) -> io::Result<Self> {
        let file = open(&of.file)?;
        let (queue, lines) = sync_channel(QUEUE);
        let path = of.file.clone();
        std::thread::Builder::new().name("dns-log".to_owned()).spawn(move || write(file, &path, &lines))?;
        Ok(Self { queue, privacy: of.privacy, of: of.clone() })
    }

    /// Whether this is the log that the file wants.
    pub(super) fn is(&self, of: &QueryLog) -> bool {
        self.of == *of
    }

    /// Writes into a new file from here on, where the old one was moved away.
    pub(super) fn reopen(&self) {
        let _full = self.queue.try_send(Line::Reopen);
    }

    /// False when it had to be left out.
    pub(super) fn say(&self, entry: &Entry<'_>) -> bool {
        let text = line(entry, self.privacy, Timestamp::now());
        !matches!(self.queue.try_send(Line::Entry(text)), Err(TrySendError::Full(_)))
    }
}

fn line(entry: &Entry<'_>, privacy: QueryPrivacy, now: Timestamp) -> String {
    let question = Message::from_slice(entry.question).ok().and_then(|message| message.sole_question().ok());
    let name = question.as_ref().map(|question| question.qname().to_string());
    let rcode =
        entry.answer.and_then(|answer| Message::from_slice(answer).ok()).map(|m| m.opt_rcode().to_string());
    let mut value = json!({
        "schema": 1,
        "time": now.to_string(),
        "name": name,
        "type": question.map(|question| question.qtype().to_string()),
        "rcode": rcode,
        "from": entry.from,
        "milliseconds": entry.took.as_secs_f64() * 1_000.0,
    });
    let client = match privacy {
        QueryPrivacy::Full => Some(entry.client.to_string()),
        QueryPrivacy::Network => Some(network(entry.client)),
        QueryPrivacy::NoClient => None,
    };
    if let (Some(client), Some(object)) = (client, value.as_object_mut()) {
        object.insert("client".to_owned(), client.into());
    }
    format!("{value}\n")
}

/// The network of a client: a house or an office, not a machine.
fn network(client: IpAddr) -> String {
    match client {
        IpAddr::V4(v4) => format!("{}/24", Ipv4Addr::from(u32::from(v4) & 0xffff_ff00)),
        IpAddr::V6(v6) => format!("{}/48", Ipv6Addr::from(u128::from(v6) >> 80 << 80)),
    }
}

fn open(path: &Path) -> io::Result<File> {
    // Never through a link that somebody else put there.
    let flags = rustix::fs::OFlags::NOFOLLOW.bits();
    OpenOptions::new().create(true).append(true).mode(0o600).custom_flags(flags as i32).open(path)
}

fn write(file: File, path: &Path, lines: &Receiver<Line>) {
    let mut out = BufWriter::new(file);
    loop {
        let line = match lines.recv_timeout(FLUSH_EVERY) {
            Ok(line) => line,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                let _full_disk = out.flush();
                continue;
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
        };
        match line {
            // A full disk costs lines, never answers.
            Line::Entry(text) => drop(out.write_all(text.as_bytes())),
            Line::Reopen => {
                let _full_disk = out.flush();
                match open(path) {
                    Ok(file) => out = BufWriter::new(file),
                    Err(error) => {
                        tracing::warn!("query log {}: {error}; the old file is kept", path.display())
                    }
                }
            }
        }
    }
    let _full_disk = out.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_no_more_than_it_may() {
        let mut builder = domain::base::MessageBuilder::new_vec().question();
        let name: domain::base::Name<Vec<u8>> = "files.corp.example".parse().unwrap();
        builder.push((name, domain::base::iana::Rtype::AAAA)).unwrap();
        let question = builder.finish();
        let entry = |client: &str| Entry {
            client: client.parse().unwrap(),
            question: &question,
            answer: Some(&question),
            from: "cache",
            took: Duration::from_millis(2),
        };
        let said = |client: &str, privacy| {
            let text = line(&entry(client), privacy, Timestamp::UNIX_EPOCH);
            serde_json::from_str::<serde_json::Value>(&text).unwrap()
        };
        let full = said("10.6.8.20", QueryPrivacy::Full);
        assert_eq!(full["client"], "10.6.8.20");
        assert_eq!(
            (&full["name"], &full["type"], &full["rcode"]),
            (&json!("files.corp.example"), &json!("AAAA"), &json!("NOERROR"))
        );
        assert_eq!(said("10.6.8.20", QueryPrivacy::Network)["client"], "10.6.8.0/24");
        assert_eq!(said("fd64:1:2:3::9", QueryPrivacy::Network)["client"], "fd64:1:2::/48");
        assert!(said("10.6.8.20", QueryPrivacy::NoClient).get("client").is_none());
    }
}
