//! Packets both ways with time between them, through a translator and through the plain one that its tests have: they must
//! agree in every octet, session and timer. The first octet says whether they have state.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../core/nat64/tests/model/asks.rs"]
mod asks;
#[path = "../../core/nat64/tests/model/both.rs"]
mod both;
#[path = "../../core/nat64/tests/model/both_stateless.rs"]
mod both_stateless;
#[path = "../../core/nat64/tests/model/dice.rs"]
mod dice;
#[path = "../../core/nat64/tests/model/errors.rs"]
mod errors;
#[path = "../../core/nat64/tests/model/octets.rs"]
mod octets;
#[path = "../../core/nat64/tests/model/packets.rs"]
mod packets;
#[path = "../../core/nat64/tests/model/parts.rs"]
mod parts;
#[path = "../../core/nat64/tests/model/read.rs"]
mod read;
#[path = "../../core/nat64/tests/model/state.rs"]
mod state;
#[path = "../../core/nat64/tests/model/stateless.rs"]
mod stateless;
#[path = "../../core/nat64/tests/model/tables.rs"]
mod tables;
#[path = "../../core/nat64/tests/model/write.rs"]
mod write;

/// Octets that decide the settings, and those of a step.
const START: usize = 14;
const STEP: usize = 32;

fuzz_target!(|data: &[u8]| {
    let Some((which, data)) = data.split_first() else { return };
    let (start, rest) = data.split_at(data.len().min(START));
    let steps: Vec<Vec<u8>> = rest.chunks(STEP).map(<[u8]>::to_vec).collect();
    if which & 1 == 0 {
        both::run(start, &steps);
    } else {
        both_stateless::run(start, &steps);
    }
});
