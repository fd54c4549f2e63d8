//! A network namespace and a directory of its own for a test. Needs root, and says so.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process, thread};

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

/// An empty directory that goes with the value.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("sixgate-host-{}-{number}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
