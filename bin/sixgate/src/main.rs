//! sixgate
fn main() {}
