//! The whole network in one thread: a virtual clock, links that lose and delay, and the real machines of `core/`.
//!
//! Days pass in seconds, and the same seed gives the same days. Nothing here is a model of a protocol: the router, the
//! hosts and the fabric are those that ship. What is a model is around them: the wire, a kernel that has the addresses and
//! routes that its host tells it, and people who talk ([`Talk`]).
//!
//! ```text
//!   station --+                    +-- client
//!   station --+-- wire -- gateway --+-- client      station: core's Host and a kernel
//!   station --+   lossy            +-- client      gateway: core's Router and Fabric
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | [`world`] | the machines, and time |
//! | [`agenda`] | what happens when |
//! | [`chance`] | the one source of chance |
//! | [`gateway`] | router and fabric, as the gateway's worker puts them together |
//! | [`station`] | a host and what its kernel knows |
//! | [`talk`] | a flow with somebody at each end |
#![forbid(unsafe_code)]

pub mod agenda;
pub mod chance;
pub mod gateway;
pub mod station;
pub mod talk;
pub mod world;

pub use gateway::Gateway;
pub use station::{Choice, Station};
pub use talk::{Outcome, Talk, TalkId, Transport};
pub use world::{Wire, World};
