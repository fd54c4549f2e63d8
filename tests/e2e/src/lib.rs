//! End-to-end tests: the shipped binary in the laboratory, real kernels and stock programs at both ends.
//!
//! Each test builds a lab of its own (`sixgate lab up --name e2e-N`), disturbs it, and takes it down. They need root and run one
//! at a time. The binary is `SIXGATE_BIN`, else the one beside the tests (`cargo build -p sixgate`).
//!
//! Map: [`world`] a lab for one test; [`watched`] what a daemon counts and logs; [`counters`] reasons before and after;
//! [`packets`] what an attacker sends, [`noise`] by kinds, [`flood`] in numbers;
//! [`raw`] sockets inside a machine, past its kernel; [`random`] bytes that can be had again;
//! [`served`] an ISATAP host beside its router, [`directory`] real LDAP servers for it;
//! [`nat64`] what a translator does on its two wires, octet by octet;
//! [`plain`] three namespaces in a row, for functions that run alone; [`tls`] how an attacker speaks TLS; [`dump`] all that a daemon
//! may have changed on its machine.

pub mod counters;
pub mod directory;
pub mod dump;
pub mod flood;
pub mod nat64;
pub mod noise;
pub mod packets;
pub mod plain;
pub mod random;
pub mod raw;
pub mod served;
pub mod tls;
pub mod watched;
pub mod world;

pub use counters::Counters;
pub use random::Random;
pub use watched::Watched;
pub use world::World;
