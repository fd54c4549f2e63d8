//! sixgate-roaming
