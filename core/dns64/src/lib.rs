//! sixgate-dns64
