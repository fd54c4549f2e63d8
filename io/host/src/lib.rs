//! sixgate-io-host
