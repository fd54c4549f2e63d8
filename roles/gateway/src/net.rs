//! The packet plane: workers, their ports, and the path of a packet between them.
//!
//! Nothing here waits for anything but readiness: names, files, handshakes and stores belong to control.

mod alias;
mod answers;
mod capture;
mod client;
mod crossing;
mod engine;
mod explain;
mod forward;
mod heard;
mod isatap;
mod nat64;
mod port;
mod retire;
mod session;
mod timers;
mod trace;
mod ways;
mod worker;

pub(crate) use alias::Aliases;
pub(crate) use capture::{Captured, Fate, Meter, Place, Tap, Wanted};
pub(crate) use crossing::{Crossing, Traffic};
pub(crate) use engine::{Engine, Settings};
pub(crate) use heard::Heard;
pub(crate) use isatap::IsatapLink;
pub(crate) use nat64::Translator;
pub(crate) use port::Way;
pub(crate) use ways::KernelWays;
pub(crate) use worker::{Parts, Worker};
