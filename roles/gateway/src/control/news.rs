//! News of the machine's network: links, addresses and routes that changed.

use std::time::Duration;

use sixgate_io_host::Monitor;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::Failure;

/// How often it is looked whether there is news. Changes come in bursts, and a table of many routes takes a while to read.
const PAUSE: Duration = Duration::from_millis(200);

/// A watch over the network; what changed is for whoever waits to find out.
pub(crate) struct News {
    monitor: Monitor,
    pause: Interval,
    again: bool,
}

impl News {
    /// Watches from now on. The first news is there at once: something may have changed before anybody watched.
    pub(crate) fn start() -> Result<Self, Failure> {
        let mut pause = interval(PAUSE);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self { monitor: Monitor::new()?, pause, again: true })
    }

    /// Waits for the next news.
    pub(crate) async fn next(&mut self) {
        loop {
            self.pause.tick().await;
            if self.monitor.drain() || self.again {
                self.again = false;
                return;
            }
        }
    }

    /// What was read could not be believed: it is to be read again after the pause.
    pub(crate) fn again(&mut self) {
        self.again = true;
    }
}
