//! The decisions of a roaming client: which names go into the tunnel ([`steer`]), and when to try again ([`backoff`]).
//!
//! Values in, values out: no socket, no clock, no resolver. `roles/client` asks and acts.
//!
//! ```
//! use sixgate_roaming::steer::{Decision, Mode, Steering};
//!
//! let mut steering = Steering::new([".corp.example"], ["da.corp.example"], ["corp.example"])?;
//! assert_eq!(steering.decide("files.corp.example"), Decision::Unreachable);
//! steering.set_mode(Mode::Tunnel);
//! assert_eq!(steering.decide("files.corp.example"), Decision::Tunnel);
//! assert_eq!(steering.decide("da.corp.example"), Decision::Local);
//! assert_eq!(steering.decide("www.example.org"), Decision::Local);
//! # Ok::<(), sixgate_roaming::steer::BadName>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod backoff;
pub mod steer;
