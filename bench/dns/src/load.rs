//! Questions as fast as they are answered: dnsperf.

use std::fmt::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use domain::base::iana::Rtype;
use domain::base::{MessageBuilder, Name};

use crate::daemon::{Daemon, PORT, write};
use crate::zone::ZONE;

/// Questions a second, and nanoseconds of the processor for each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speed {
    pub(crate) per_second: f64,
    pub(crate) nanos: f64,
    /// Of a hundred.
    pub(crate) lost: f64,
}

/// A file of AAAA questions for dnsperf.
pub(crate) fn questions(folder: &Path, name: &str, names: Range<u32>) -> Result<PathBuf, String> {
    let mut text = String::new();
    for n in names {
        // Writing to a string does not fail.
        let _ = writeln!(text, "n{n}.{ZONE} AAAA");
    }
    let file = folder.join(name);
    write(&file, &text)?;
    Ok(file)
}

/// One AAAA question with an OPT record.
pub(crate) fn question(id: u16, name: &str) -> Vec<u8> {
    let name: Name<Vec<u8>> = format!("{name}.{ZONE}").parse().expect("a short name of letters and digits");
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(id);
    builder.header_mut().set_rd(true);
    let mut builder = builder.question();
    builder.push((name, Rtype::AAAA)).expect("a vector has room");
    let mut builder = builder.additional();
    builder
        .opt(|opt| {
            opt.set_udp_payload_size(1_232);
            Ok(())
        })
        .expect("a vector has room");
    builder.finish()
}

/// All questions once.
pub(crate) fn once(file: &Path) -> Result<(), String> {
    dnsperf(file, &["-n", "1", "-q", "200"]).map(drop)
}

/// All questions once, measured.
pub(crate) fn each(daemon: &Daemon, file: &Path, count: u32) -> Result<Speed, String> {
    let before = daemon.busy()?;
    let said = dnsperf(file, &["-n", "1", "-q", "200"])?;
    Ok(speed(&said, daemon.busy()? - before, Some(count)))
}

/// The questions over and over.
pub(crate) fn flood(daemon: &Daemon, file: &Path, seconds: u32) -> Result<Speed, String> {
    let before = daemon.busy()?;
    let said = dnsperf(file, &["-l", &seconds.to_string(), "-q", "200"])?;
    Ok(speed(&said, daemon.busy()? - before, None))
}

struct Said {
    completed: f64,
    lost: f64,
    per_second: f64,
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn speed(said: &Said, busy: u64, _count: Option<u32>) -> Speed {
    let all = said.completed + said.lost;
    Speed {
        per_second: said.per_second,
        nanos: busy as f64 / said.completed.max(1.0),
        lost: 100.0 * said.lost / all.max(1.0),
    }
}

fn dnsperf(file: &Path, how: &[&str]) -> Result<Said, String> {
    let mut command = Command::new("taskset");
    command.args([
        "-c",
        "1",
        "dnsperf",
        "-s",
        "127.0.0.1",
        "-p",
        &PORT.to_string(),
        "-e",
        "-c",
        "4",
        "-T",
        "1",
        "-d",
    ]);
    let output = command.arg(file).args(how).output().map_err(|e| format!("dnsperf: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let value = |label: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(label));
        let word = line.and_then(|rest| rest.split_whitespace().next());
        let broken =
            || format!("dnsperf says nothing of {label} {text} {}", String::from_utf8_lossy(&output.stderr));
        word.and_then(|word| word.parse::<f64>().ok()).ok_or_else(broken)
    };
    Ok(Said {
        completed: value("Queries completed:")?,
        lost: value("Queries lost:")?,
        per_second: value("Queries per second:")?,
    })
}
