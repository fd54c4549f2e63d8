//! DNS on sockets: servers, exchanges with upstreams, look-ups and updates. The messages' meaning is somebody else's.
//!
//! | module | for |
//! | --- | --- |
//! | [`server`] | UDP and TCP loops in front of a [`Handler`](server::Handler), with access list and limits |
//! | [`upstream`] | one question to several servers, over UDP and, where it must be, TCP; forwarding by suffix |
//! | [`resolve`] | addresses of a name, for the ISATAP host and the client |
//! | [`reverse`] | the name of an address, for lists |
//! | [`inventory`] | AAAA records as they stand, by name or by zone transfer |
//! | [`resolv_conf`] | what the system asks |
//! | [`update`] | RFC 2136 with TSIG |
//!
//! Wire format and TSIG are the `domain` crate's; there is no parser here.

pub mod inventory;
mod random;
pub mod resolv_conf;
pub mod resolve;
pub mod reverse;
pub mod server;
pub mod update;
pub mod upstream;
