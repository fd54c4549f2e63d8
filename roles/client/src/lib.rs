//! sixgate-role-client
