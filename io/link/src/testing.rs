//! A network namespace of its own for a test. Needs root, and says so.

use std::process::Command;
use std::thread;

use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Runs `test` on a thread that is alone in a new network namespace, which goes with the thread. Panics go on to the caller.
pub(crate) fn in_namespace<T: Send + 'static>(
    test: impl FnOnce() -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    thread::spawn(move || {
        // SAFETY: only the network namespace is unshared; the descriptor table stays common to all threads.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }
            .expect("this test makes a network namespace: run it as root");
        run("ip", "link set lo up");
        test()
    })
}

/// Runs a program in the namespace of the calling thread; its failure fails the test.
pub(crate) fn run(program: &str, arguments: &str) -> String {
    let output = Command::new(program).args(arguments.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "{program} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
