//! sixgate-io-tls
