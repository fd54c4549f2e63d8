//! `sixgate lab up`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use super::down;
use crate::Options;
use crate::error::LabError;
use crate::handle::wait_for;
use crate::supervisor::{self, KEEP, Progress};
use crate::{signals, tools};

/// How long a supervisor may take to end when its pipe is closed.
const PATIENCE: Duration = Duration::from_secs(15);

/// A lab that still ends with this process.
pub(crate) struct Building {
    hold: Arc<Mutex<Hold>>,
    seconds: f64,
}

/// What keeps a lab.
enum Hold {
    /// There is none yet.
    Nothing,
    /// The pipe to the supervisor: closing it without [`KEEP`] ends the lab. And the supervisor's number.
    Pipe(ChildStdin, u32),
    /// It was let go, or is not to be begun.
    Over,
}

impl Building {
    /// The lab stays when this process ends.
    pub(crate) fn keep(self) -> Result<(), LabError> {
        let mut hold = self.hold.lock().unwrap_or_else(PoisonError::into_inner);
        let Hold::Pipe(mut pipe, _) = std::mem::replace(&mut *hold, Hold::Over) else {
            return Err(LabError::failed("the lab ended"));
        };
        pipe.write_all(format!("{KEEP}\n").as_bytes()).map_err(|e| LabError::io("keep the lab", &e))
    }
}

pub(crate) fn up(options: &Options, out: &mut dyn Write) -> Result<(), LabError> {
    let built = build(options, out)?;
    let seconds = built.seconds;
    built.keep()?;
    if options.json {
        print(
            out,
            &format!("{}\n", json!({"schema": 1, "lab": options.name, "up": true, "seconds": seconds})),
        );
    }
    Ok(())
}

/// Builds the lab, telling `out` how it goes; Ctrl-C from here on takes it down and ends this process.
pub(crate) fn build(options: &Options, out: &mut dyn Write) -> Result<Building, LabError> {
    tools::check()?;
    let start = Instant::now();
    if !options.json {
        print(out, &picture(&options.name));
    }
    // Before anything is begun: who is interrupted in between must not leave a supervisor to clean up behind its back.
    let hold = Arc::new(Mutex::new(Hold::Nothing));
    let interrupted = (Arc::clone(&hold), options.name.clone());
    signals::on_interrupt(move |signal| {
        let (hold, lab) = interrupted;
        let held = std::mem::replace(&mut *hold.lock().unwrap_or_else(PoisonError::into_inner), Hold::Over);
        if let Hold::Pipe(pipe, supervisor) = held {
            drop(pipe);
            // One that has not begun yet would begin behind the back of whoever looks for what is left.
            wait_for(PATIENCE, || has_ended(supervisor));
        }
        down::end_of_process(&lab, signal);
    });
    let mut child = begin(options, &hold)?;
    follow(&mut child, options, out)?;
    let seconds = start.elapsed().as_secs_f64();
    if !options.json {
        print(out, &format!(" ✓ lab '{}' is up{seconds:>48.1} s\n", options.name));
    }
    Ok(Building { hold, seconds })
}

/// Starts the supervisor, unless this process is about to end.
fn begin(options: &Options, hold: &Mutex<Hold>) -> Result<Child, LabError> {
    let mut held = hold.lock().unwrap_or_else(PoisonError::into_inner);
    if matches!(*held, Hold::Over) {
        drop(held);
        signals::wait_for_the_end();
    } else {
        let mut child = supervisor::spawn(options)?;
        if let Some(pipe) = child.stdin.take() {
            *held = Hold::Pipe(pipe, child.id());
        }
        return Ok(child);
    }
    Err(LabError::failed("interrupted before anything was begun"))
}

/// True for a process that is gone, or that only waits for its parent to ask how it ended.
fn has_ended(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in between may hold anything but comes to an end with the last bracket.
    stat.rsplit(')')
        .next()
        .is_none_or(|rest| rest.trim_start().is_empty() || rest.trim_start().starts_with('Z'))
}

fn follow(child: &mut Child, options: &Options, out: &mut dyn Write) -> Result<(), LabError> {
    let Some(stdout) = child.stdout.take() else {
        return Err(LabError::failed("the supervisor has no output"));
    };
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(Progress::Done { what, seconds }) => {
                if !options.json {
                    print(out, &format!(" ✓ {what:<56}{seconds:>6.1} s\n"));
                }
            }
            Ok(Progress::Up) => return Ok(()),
            Ok(Progress::Failed { why }) => {
                let _ = child.wait();
                // Nothing may be left when this command says that it failed.
                down::end(&options.name)?;
                return Err(LabError::failed(why));
            }
            Ok(Progress::Taken) => {
                let _ = child.wait();
                let name = &options.name;
                return Err(LabError::failed(format!(
                    "lab '{name}' is already up: `sixgate lab --name {name} demo` or `down`, or another name"
                )));
            }
            Err(_) => {}
        }
    }
    // A signal ends the supervisor through us, and its own thread will end this process when nothing is left.
    while signals::arrived() {
        std::thread::park();
    }
    down::end(&options.name)?;
    Err(LabError::failed("the lab's supervisor ended while it was building; nothing is left"))
}

fn picture(lab: &str) -> String {
    format!(
        "sixgate lab: building a private network in {} namespaces (sg-{lab}-*). Nothing outside them is touched.\n\n\
\x20  corp 10.6.0.0/24 (IPv4 only)                  \"internet\" 203.0.113.0/24      home 192.168.77.0/24\n\
\x20  files        10.6.0.30 ─┬─ gateway 10.6.0.1 ▮ 203.0.113.10 ─┬─ web .80    ┌─ laptop-01 192.168.77.10\n\
\x20  dns          10.6.0.53 ─┤                                   ├─ nat .77 ───┴─ laptop-02 192.168.77.11\n\
\x20                          └─ router ── 203.0.113.1 ───────────┘\n\
\x20  desk 10.6.8.0/24 (IPv4 only)  │\n\
\x20  helpdesk-01  10.6.8.20 ───────┤\n\
\x20  bystander-01 10.6.8.30 ───────┘\n\n",
        crate::topology::MACHINES.len() + 1
    )
}

/// Prints; who closed the pipe does not want to read more.
pub(crate) fn print(out: &mut dyn Write, text: &str) {
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
