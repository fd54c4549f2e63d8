//! Which machines are in a group of an LDAP directory: Active Directory, OpenLDAP and what speaks like them.
//!
//! What it is: one question ([`Directory::machines`]), asked of the first server that answers, over TLS. What it is not: a
//! cache (who asks keeps the last good answer) or a resolver (machines that have only a name are looked up elsewhere).
//!
//! ```no_run
//! # use std::time::Duration;
//! use sixgate_io_ldap::{Config, Directory, Security, Server};
//! # async fn run() -> Result<(), sixgate_io_ldap::Error> {
//! let server = Server { url: "ldap://dc1.corp.example:389".into(), security: Security::StartTls };
//! let directory = Directory::new(Config {
//!     servers: vec![server],
//!     base: "DC=corp,DC=example".into(),
//!     timeout: Duration::from_secs(5),
//!     ..Config::default()
//! })?;
//! let found = directory.machines(&["CN=Helpdesk,OU=Groups,DC=corp,DC=example".into()]).await?;
//! for (group, machines) in found.groups {
//!     println!("{group}: {machines:?} says {}", found.server);
//! }
//! # Ok(()) }
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | `directory` | servers in their order, connection, TLS, bind |
//! | `ask` | the few questions that are asked, so that what follows can be tested without a server |
//! | `chain` | nested groups as Active Directory unfolds them itself |
//! | `walk` | nested groups one by one, with loops, depth and size limited |
//! | `entry` | what an entry is: a group, a machine, something else |
//! | `password` | the file with the password |
#![forbid(unsafe_code)]

mod ask;
mod chain;
mod directory;
mod entry;
mod error;
mod password;
mod walk;

pub use directory::{Bind, Config, Directory, Found, Security, Server};
pub use entry::{Group, Machine};
pub use error::Error;
pub use password::check as check_password_file;
