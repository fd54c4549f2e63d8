//! sixgate-io-control
