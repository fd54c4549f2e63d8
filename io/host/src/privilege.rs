//! Giving up what is not needed: who finds a hole in a daemon that runs as root finds little more than its network.

use std::io;

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs,
};

use crate::HostError;

/// Links, addresses and routes; protocol 41; ports below 1024; and files, which an administrator may keep under any owner.
const NEEDED: CapabilitySet = CapabilitySet::NET_ADMIN
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::CHOWN)
    .union(CapabilitySet::FOWNER);
/// The largest number that a set has room for.
const LAST: u32 = 63;

/// Gives up every capability that no daemon of ours needs, for this thread, those that it starts, and the programs that it
/// runs. Call before there are other threads. What is not there is no error: the call that needs it says so.
///
/// # Errors
/// One line.
pub fn keep_what_is_needed() -> Result<(), HostError> {
    let fail = |e: rustix::io::Errno| HostError::new("giving up capabilities", e);
    let held = capabilities(None).map_err(fail)?;
    // Only who may set capabilities may take them from the bounding set, and who may not loses nothing by it.
    if held.effective.contains(CapabilitySet::SETPCAP) {
        for number in 0..=LAST {
            let one = CapabilitySet::from_bits_retain(1 << number);
            // The kernel knows fewer than the set has room for.
            if !NEEDED.contains(one) && remove_capability_from_bounding_set(one).is_err() {
                break;
            }
        }
    }
    set_no_new_privs(true).map_err(fail)?;
    let kept = CapabilitySets {
        effective: held.effective & NEEDED,
        permitted: held.permitted & NEEDED,
        inheritable: held.inheritable & NEEDED,
    };
    set_capabilities(None, kept).map_err(fail)
}

/// Gives up every capability of this thread: for those that only move packets between descriptors that are open.
///
/// # Errors
/// Of the system; there is none in practice, since giving up is always allowed.
pub fn give_up_all() -> io::Result<()> {
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        .map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;
    use std::thread;

    use super::*;

    fn line(status: &str, name: &str) -> u64 {
        let line = status.lines().find(|l| l.starts_with(name)).unwrap();
        u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
    }

    fn own() -> String {
        fs::read_to_string("/proc/thread-self/status").unwrap()
    }

    #[test]
    fn nothing_but_what_is_needed_is_left_also_to_programs() {
        // A thread of its own: what is given up does not come back.
        let thread = thread::spawn(|| {
            let before = line(&own(), "CapPrm");
            keep_what_is_needed().unwrap();
            let after = own();
            assert_eq!(line(&after, "CapPrm"), before & NEEDED.bits());
            assert_eq!(line(&after, "CapEff"), before & NEEDED.bits());
            assert_eq!(line(&after, "NoNewPrivs"), 1);
            let child = Command::new("cat").arg("/proc/self/status").output().unwrap();
            let child = String::from_utf8(child.stdout).unwrap();
            assert_eq!(line(&child, "CapEff") & !NEEDED.bits(), 0, "{child}");
            assert_eq!(line(&child, "CapBnd") & !NEEDED.bits(), 0, "{child}");
            give_up_all().unwrap();
            assert_eq!(line(&own(), "CapPrm"), 0);
            // Twice is no error.
            give_up_all().unwrap();
            keep_what_is_needed().unwrap();
        });
        thread.join().unwrap();
    }
}
