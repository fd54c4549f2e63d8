//! Packets through a NAT64 whose two wires the test holds: what goes in on one, what comes out on the other, octet by octet.
//!
//! ```text
//!   inside ======== gateway ======== outside
//!  (left)  l0    m0 (middle) m1    r0  (right)
//! ```
//! The machines at both ends have no address and answer nothing: every packet on the wires is the test's or the gateway's. All
//! IPv6 clients (2001:db8:1::/48) are behind l0, the whole of IPv4 is behind r0.
//!
//! Map: [`craft`] packets of both families, written by hand; [`site`] the wires and the gateway between them; [`subject`] who
//! translates: sixgate, or by `NAT64_SUBJECT=tayga` somebody else, which proves the tests; [`case`] a table of cases and
//! how it is run; [`talk`] what a case does.

pub mod case;
pub mod craft;
pub mod site;
pub mod subject;
pub mod talk;

pub use case::{Case, run};
pub use craft::{Four, Six, Upper};
pub use site::{Setting, Site};
pub use subject::Subject;
pub use talk::{Outside, Talk};
