//! sixgate-role-gateway
