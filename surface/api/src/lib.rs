//! sixgate-api
