//! A second NAT64, slow and plain, written from the texts of RFC 7915, 6146, 6052, 6791 and 4884: vectors, ordered maps
//! and arithmetic modulo 65,535. It shares no code with the one that is shipped. Random packets and times go through
//! both; after each the verdicts, the reasons and every octet must be the same.
//!
//! What chance decides is read from the shipped one and checked: the outside port of a new binding, the identification
//! of a packet that had none.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that cannot unwrap has failed"
)]

mod agree;
mod asks;
mod both;
mod both_stateless;
mod dice;
mod errors;
mod octets;
mod packets;
mod parts;
mod read;
mod state;
mod stateless;
mod tables;
mod write;
