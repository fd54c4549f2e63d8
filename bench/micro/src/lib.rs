//! Time and allocations of each packet on its way through the cores.

mod counting;
mod cutter;
mod fabric;
mod measure;
mod nat64;
mod offload;
mod packets;
mod sessions;
mod siit;

pub use measure::{Bench, Row};

/// Measures everything whose name contains `part`.
#[must_use]
pub fn measure(part: Option<String>) -> Bench {
    let mut bench = Bench::new(part);
    fabric::run(&mut bench);
    nat64::run(&mut bench);
    siit::run(&mut bench);
    sessions::run(&mut bench);
    cutter::run(&mut bench);
    offload::run(&mut bench);
    bench
}

/// Allocations a packet of every row of the translator.
#[must_use]
pub fn nat64_allocations() -> Vec<(String, f64)> {
    let mut bench = Bench::new(None);
    nat64::run(&mut bench);
    bench.rows().iter().map(|row| (row.name().to_owned(), row.allocations_each())).collect()
}
