//! sixgate-io-dns
