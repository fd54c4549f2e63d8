//! sixgate-lab
