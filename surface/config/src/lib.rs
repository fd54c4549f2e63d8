//! sixgate-config
