//! A daemon under test, wherever it runs: what it has counted, what it has logged, whether it lives.

use std::collections::BTreeMap;
use std::time::Duration;

/// What was counted, by reason.
pub type Counts = BTreeMap<String, u64>;

/// How long a count may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it must then stay what it is.
const AFTERWARDS: Duration = Duration::from_millis(200);

/// A daemon that is watched.
pub trait Watched {
    /// Everything that it has counted.
    fn counters(&self) -> Counts;

    /// All that it has logged.
    fn log(&self) -> String;

    /// It still runs, in the process that was started.
    fn lives(&mut self) -> bool;

    /// What was counted since `before`, once it is `many` in all and stays so: neither fewer nor more.
    #[track_caller]
    fn counted(&self, before: &Counts, many: u64) -> Counts {
        let rise = || {
            let all = self.counters().into_iter();
            let risen = all.map(|(reason, count)| {
                let rise = count - before.get(&reason).copied().unwrap_or(0);
                (reason, rise)
            });
            risen.filter(|(_, rise)| *rise > 0).collect::<Counts>()
        };
        crate::plain::wait(PATIENCE, || rise().values().sum::<u64>() >= many);
        std::thread::sleep(AFTERWARDS);
        let rise = rise();
        assert_eq!(rise.values().sum::<u64>(), many, "{rise:?}");
        rise
    }

    /// The log has one line for each of these reasons, not one a packet.
    #[track_caller]
    fn said_once(&self, reasons: &Counts) {
        let log = self.log();
        for (reason, count) in reasons {
            let lines = log.lines().filter(|line| line.contains(&format!("code=\"{reason}\""))).count();
            assert_eq!(lines, 1, "{reason} was counted {count} times: {log}");
        }
    }
}
