//! The devices of a gateway, with their addresses and routes.

use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_config::Gateway;
use sixgate_io_host::{Address, Journal, Netlink, Route, sysctl};
use sixgate_io_link::{PathErrors, Proto41, Tun, TunOptions};
use sixgate_wire::addr::{Ipv6Prefix, isatap};

use super::Machine;
use super::leads::Leads;
use super::native::{self, Advertised};
use crate::Failure;

/// A device that the kernel may hand anything to: what does not fit further on is told by us, not by it.
const LARGEST_MTU: u32 = 65_535;

/// Everything that is open and set up.
pub(crate) struct Devices {
    /// Into the kernel's own IPv6.
    pub(crate) kernel: Vec<Tun>,
    /// The translator's device and what leads to it.
    pub(crate) nat64: Option<(Tun, Leads)>,
    /// The ISATAP link's socket, and the one for errors about what it sends.
    pub(crate) isatap: Option<(Proto41, PathErrors)>,
    /// Segments on which the way to the clients is advertised.
    pub(crate) native: Vec<Advertised>,
}

/// Makes the devices and sets up what leads to them. The translator's has a queue for each of the `workers`.
pub(crate) fn prepare(
    config: &Gateway,
    machine: &Machine,
    workers: u16,
    netlink: &mut Netlink,
    journal: &mut Journal,
) -> Result<Devices, Failure> {
    let mut devices = Devices { kernel: Vec::new(), nat64: None, isatap: None, native: Vec::new() };
    if let Some(site) = &config.site {
        let tun = open(&site.device, 1500, 1)?;
        let index = start(&tun, netlink)?;
        netlink.add_address(&Address::plain(index, site.dns64_address(), 128))?;
        netlink.add_route(&through(site.clients(), index))?;
        devices.kernel.push(tun);
    }
    if let (Some(isatap), Some(v4)) = (&config.isatap, machine.isatap) {
        let tun = open(&isatap.device, isatap.mtu, 1)?;
        let index = start(&tun, netlink)?;
        let link_local = isatap::link_local(isatap::Form::of(v4), v4);
        netlink.add_address(&Address::plain(index, link_local, 64))?;
        for prefix in isatap.prefixes() {
            add_prefix(netlink, index, prefix, v4)?;
        }
        devices.kernel.push(tun);
        let mut socket = Proto41::bind(v4)?;
        socket.set_mtu(u16::try_from(isatap.mtu).unwrap_or(u16::MAX));
        devices.isatap = Some((socket, PathErrors::open(v4)?));
        if config.site.is_none() {
            forward_ipv6(journal)?;
        }
    }
    if let Some(device) = config.translator_device() {
        devices.nat64 = translator(config, device, machine, workers, netlink, journal)?;
    }
    devices.native = native::prepare(config, netlink, journal)?;
    Ok(devices)
}

/// Gives the ISATAP device the prefixes `after` where it has the prefixes `before`. The device takes them with it at the end.
pub(crate) fn change_prefixes(
    device: &str,
    v4: Ipv4Addr,
    before: &[Ipv6Prefix],
    after: &[Ipv6Prefix],
) -> Result<(), Failure> {
    let mut netlink = Netlink::new()?;
    let index = netlink.link(device)?.index;
    for prefix in after.iter().filter(|prefix| !before.contains(prefix)) {
        add_prefix(&mut netlink, index, *prefix, v4)?;
    }
    for prefix in before.iter().filter(|prefix| !after.contains(prefix)) {
        netlink.remove_route(&through(*prefix, index))?;
        netlink.remove_address(&Address::plain(index, isatap::own(*prefix, v4), 64))?;
    }
    Ok(())
}

/// Our address in a prefix of the ISATAP link, and the route that leads there.
fn add_prefix(netlink: &mut Netlink, index: u32, prefix: Ipv6Prefix, v4: Ipv4Addr) -> Result<(), Failure> {
    netlink.add_address(&Address::plain(index, isatap::own(prefix, v4), 64))?;
    netlink.add_route(&through(prefix, index))?;
    Ok(())
}

/// A route by way of a next hop that is nobody: on-link, every destination would cost the kernel a neighbour entry
/// (RFC 6583), and a device without link-layer addresses asks no next hop anything.
pub(super) fn through(prefix: Ipv6Prefix, link: u32) -> Route {
    const NOBODY: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    Route { onlink: true, ..Route::dev(prefix, link).via(NOBODY) }
}

fn open(name: &str, mtu: u32, queues: u16) -> Result<Tun, Failure> {
    Ok(Tun::open(name, &TunOptions { mtu, queues: usize::from(queues), offload: true })?)
}

/// Sets a device up with IPv6 and no address of the kernel's own making. Settings of a device of ours go with it.
fn start(tun: &Tun, netlink: &mut Netlink) -> Result<u32, Failure> {
    let name = tun.name();
    for (key, value) in
        [("disable_ipv6", "0"), ("accept_ra", "0"), ("addr_gen_mode", "1"), ("router_solicitations", "0")]
    {
        sysctl::set(&format!("net/ipv6/conf/{name}/{key}"), value)?;
    }
    sysctl::set(&format!("net/ipv4/conf/{name}/rp_filter"), "0")?;
    tun.set_up()?;
    Ok(netlink.link(name)?.index)
}

fn forward_ipv6(journal: &mut Journal) -> Result<(), Failure> {
    journal.sysctl("net/ipv6/conf/all/forwarding", "1")?;
    Ok(())
}

/// The translator's device: prefix, and pool or mappings, lead to it.
fn translator(
    config: &Gateway,
    device: &str,
    machine: &Machine,
    workers: u16,
    netlink: &mut Netlink,
    journal: &mut Journal,
) -> Result<Option<(Tun, Leads)>, Failure> {
    let tun = open(device, LARGEST_MTU, workers)?;
    start(&tun, netlink)?;
    let Some(leads) = Leads::wanted(config, machine, netlink, None)? else { return Ok(None) };
    leads.add(None, netlink, journal)?;
    // Our own errors come out of the device from an address of the machine, which the kernel takes for forged otherwise.
    sysctl::set(&format!("net/ipv4/conf/{device}/accept_local"), "1")?;
    match &config.site {
        // A gateway between two networks must not become a router between them: only what is translated is forwarded.
        Some(site) => {
            sysctl::set(&format!("net/ipv4/conf/{device}/forwarding"), "1")?;
            journal.sysctl(&format!("net/ipv4/conf/{}/forwarding", site.inside), "1")?;
        }
        None => {
            journal.sysctl("net/ipv4/ip_forward", "1")?;
            forward_ipv6(journal)?;
        }
    }
    Ok(Some((tun, leads)))
}

/// Sources of the translator's own errors.
pub(crate) fn error_sources(
    machine: &Machine,
    netlink: &mut Netlink,
    own6: Option<Ipv6Addr>,
) -> Result<(Ipv4Addr, Ipv6Addr), Failure> {
    let v4 = machine.representative().unwrap_or(Ipv4Addr::new(192, 0, 0, 8));
    let v6 = match own6 {
        Some(v6) => Some(v6),
        None => super::machine::ipv6_representative(netlink)?,
    };
    Ok((v4, v6.unwrap_or(Ipv6Addr::UNSPECIFIED)))
}
