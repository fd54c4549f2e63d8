//! sixgate-io-link
