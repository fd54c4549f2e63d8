//! sixgate-nat64
