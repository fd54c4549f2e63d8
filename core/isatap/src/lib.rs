//! sixgate-isatap
