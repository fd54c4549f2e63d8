//! Ctrl-C: the measurement ends between two figures, and what it has set up is taken down.

use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// From here on SIGINT, SIGTERM and SIGHUP are wishes; see [`check`].
pub(crate) fn listen() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let handler: extern "C" fn(libc::c_int) = note;
        // SAFETY: the handler is a function of the type that the system calls, and stores to an atomic only.
        unsafe { libc::signal(signal, handler as libc::sighandler_t) };
    }
}

extern "C" fn note(_: libc::c_int) {
    ASKED.store(true, Ordering::Relaxed);
}

/// True when somebody wants the end.
pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// An error when somebody wants the end.
pub(crate) fn check() -> Result<(), String> {
    if asked() { Err("stopped by a signal".to_owned()) } else { Ok(()) }
}
