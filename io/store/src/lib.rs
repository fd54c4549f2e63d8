//! sixgate-io-store
