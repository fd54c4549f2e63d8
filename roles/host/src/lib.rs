//! sixgate-role-host
