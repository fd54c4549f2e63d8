//! sixgate-iphttps
