//! The commands, one file each.

pub(crate) mod down;
pub(crate) mod exec;
pub(crate) mod internal;
pub(crate) mod status;
pub(crate) mod up;
pub(crate) mod whole;
