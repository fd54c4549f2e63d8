//! From a valid file to a running client and back.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;

use sixgate_config::Client;
use sixgate_io_host::{Journal, privilege};
use sixgate_io_link::Waker;
use tokio::sync::mpsc::unbounded_channel;

use crate::control::{self, Parts, ToNet};
use crate::device::{self, Device};
use crate::seam::{Tally, ToWorker};
use crate::status::Board;
use crate::worker::{self, Ends};
use crate::{Failure, connect};

/// Name of the journal in the state directory.
const JOURNAL: &str = "client.journal";

pub(crate) fn run(path: &Path, config: Client) -> Result<(), Failure> {
    privilege::keep_what_is_needed()?;
    std::fs::create_dir_all(&config.state)
        .map_err(|e| Failure::new(format!("{}: {e}", config.state.display())))?;
    let (mut journal, undone) = Journal::open(&config.state.join(JOURNAL))?;
    for remark in undone.remarks {
        tracing::warn!("left by an earlier run: {remark}");
    }
    let outcome = with_journal(path, config, &mut journal);
    for remark in journal.undo().remarks {
        tracing::warn!("{remark}");
    }
    outcome
}

fn with_journal(path: &Path, config: Client, journal: &mut Journal) -> Result<(), Failure> {
    // Before anything changes: without these nothing will ever work.
    let tls = connect::tls(&config)?;
    let tun = device::open(&config.device)?;
    let device = Device::new(&config.device)?;
    let (to_worker, inbox) = mpsc::channel();
    let waker = Waker::new()?;
    let (outbox, from_worker) = unbounded_channel();
    let tally = Arc::new(Tally::default());
    let (renewals, wishes) = unbounded_channel();
    let board = Board::new(config.name.clone(), Arc::clone(&tally), renewals);
    let net = ToNet::new(to_worker, waker.clone());
    let ends = Ends { tun, waker, inbox, outbox, tally, seed: seed()? };
    let packets = thread::Builder::new().name("worker-0".to_owned()).spawn(move || worker::run(ends))?;
    let parts = Parts { tls, device, net: net.clone(), from_worker, board, wishes, seed: seed()? };
    let outcome = control::run(path, config, parts, journal);
    net.tell(ToWorker::Stop);
    if packets.join().is_err() {
        return Err(Failure::new("the packet plane panicked; please report this as a bug"));
    }
    outcome
}

fn seed() -> Result<u64, Failure> {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).map_err(|e| Failure::new(format!("no randomness: {e}")))?;
    Ok(u64::from_ne_bytes(seed))
}
