//! From a valid file to a running host and back.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use sixgate_config::Host;
use sixgate_io_host::{Netlink, privilege, sysctl};
use sixgate_io_link::{Proto41, Tun, TunOptions, Waker};
use tokio::sync::mpsc::unbounded_channel;

use crate::kernel::Kernel;
use crate::routers::Routers;
use crate::seam::{ToWorker, Work};
use crate::worker::{Parts, Worker};
use crate::{Failure, control};

/// The smallest MTU of IPv6: what the device has until a router says otherwise (RFC 4213, section 3.2).
const MTU: u32 = 1280;

pub(crate) fn run(path: &Path, config: Host) -> Result<(), Failure> {
    privilege::keep_what_is_needed()?;
    std::fs::create_dir_all(&config.state)
        .map_err(|e| Failure::new(format!("the state directory {}: {e}", config.state.display())))?;
    let mut netlink = Netlink::new()?;
    if let Some(interface) = &config.interface {
        netlink.link(interface).map_err(|e| Failure::new(format!("host.interface: {e}")))?;
    }
    // Before anything changes: an address may come later, this privilege does not.
    drop(Proto41::bind(Ipv4Addr::UNSPECIFIED)?);
    let tun = device(&config.device)?;
    let index = netlink.link(&config.device)?.index;
    let (routers, remark) = Routers::load(&config.routers, &config.state);
    if let Some(remark) = remark {
        tracing::warn!("{remark}");
    }
    let (to_worker, inbox) = mpsc::channel();
    let (outbox, from_worker) = unbounded_channel();
    let waker = Waker::new()?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| Failure::new(format!("no randomness: {e}")))?;
    let parts = Parts {
        tun,
        kernel: Kernel::new(netlink, index, config.device.clone()),
        interface: config.interface.clone(),
        routers: routers.list(),
        inbox,
        waker: waker.clone(),
        outbox,
        seed,
    };
    let work = Work::new(to_worker, waker);
    let (to_us, begun) = mpsc::channel();
    // The poller stays on the thread that waits on it, so the worker is made there.
    let packets =
        thread::Builder::new().name("worker-0".to_owned()).spawn(move || match Worker::new(parts) {
            Ok(worker) => {
                // Whoever started us waits for this.
                let _ = to_us.send(Ok(()));
                worker.run();
            }
            Err(failure) => drop(to_us.send(Err(failure))),
        })?;
    begun.recv().map_err(|_| Failure::new("the worker panicked; please report this as a bug"))??;
    let outcome = control::run(path, config, routers, work.clone(), from_worker);
    work.tell(ToWorker::Stop);
    if packets.join().is_err() {
        return Err(Failure::new("the worker panicked; please report this as a bug"));
    }
    outcome
}

/// The device, up, with IPv6 and without an address of the kernel's own making. Its settings go with it.
///
/// `disable_ipv6` may be set for all other devices, and stays so.
fn device(name: &str) -> Result<Tun, Failure> {
    let tun = Tun::open(name, &TunOptions { mtu: MTU, queues: 1, offload: true })?;
    for (key, value) in [
        ("disable_ipv6", "0"),
        ("accept_ra", "0"),
        ("autoconf", "0"),
        ("router_solicitations", "0"),
        // No link-local address but the one that we give.
        ("addr_gen_mode", "1"),
        // What comes out of the tunnel is for this machine, and is not sent on (RFC 6324).
        ("forwarding", "0"),
    ] {
        sysctl::set(&format!("net/ipv6/conf/{name}/{key}"), value)?;
    }
    tun.set_up()?;
    Ok(tun)
}
