//! Ctrl-C, SIGTERM and SIGHUP for commands that must not leave anything behind.

use std::sync::Once;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

static ARRIVED: AtomicI32 = AtomicI32::new(0);
static INSTALL: Once = Once::new();

extern "C" fn note(signal: libc::c_int) {
    ARRIVED.store(signal, Ordering::Relaxed);
}

/// Did one of the three arrive? Then whoever waits for its end waits for [`on_interrupt`]'s thread.
pub(crate) fn arrived() -> bool {
    ARRIVED.load(Ordering::Relaxed) != 0
}

/// Returns at once, unless one of the three arrived: then [`on_interrupt`]'s thread ends this process.
pub(crate) fn wait_for_the_end() {
    while arrived() {
        thread::sleep(Duration::from_millis(100));
    }
}

/// Calls `then` once with the signal, from a thread of its own, when the first of the three arrives.
pub(crate) fn on_interrupt(then: impl FnOnce(i32) + Send + 'static) {
    INSTALL.call_once(|| {
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            // SAFETY: `note` only stores to an atomic, which is async-signal-safe, and has the signature that signal(2) wants.
            unsafe { libc::signal(signal, note as extern "C" fn(libc::c_int) as libc::sighandler_t) };
        }
    });
    thread::spawn(move || {
        while ARRIVED.load(Ordering::Relaxed) == 0 {
            thread::sleep(Duration::from_millis(20));
        }
        then(ARRIVED.load(Ordering::Relaxed));
    });
}
