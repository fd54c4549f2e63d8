//! `sixgate lab internal ...`: the lab's own processes.

use std::ffi::OsString;

use crate::{faults, node, reaper, supervisor};

pub(crate) fn internal(args: &[OsString]) -> i32 {
    let args: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    match args.as_slice() {
        ["supervisor", lab, exe, kind] => supervisor::supervisor(lab, exe, *kind == "bare"),
        ["reaper", lab] => reaper::reaper(lab),
        ["init", lab, name, exe, resolver] => node::init::init(lab, name, exe, resolver),
        ["stranger"] => faults::stranger(),
        _ => 2,
    }
}
