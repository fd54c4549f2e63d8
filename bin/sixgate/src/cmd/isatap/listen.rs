//! `sixgate isatap listen`

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sixgate_io_dns::resolv_conf::ResolvConf;
use sixgate_io_dns::resolve::{Family, ResolveError, resolve_family};
use sixgate_io_link::{Ear, Interest, Overheard, Poller, clock};
use sixgate_isatap::listen::{Listener, Pair};
use sixgate_wire::Packet;

use crate::cli::Context;
use crate::exit::{Exit, Trouble};
use crate::print::Table;

/// Listen who still asks which ISATAP router, anybody's
///
/// Sends nothing but questions to the name server. On a host it hears that host, on a router or at a mirror port whatever
/// passes there.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: sixgate isatap listen --interface eth1 --seconds 300")]
pub(super) struct Listen {
    /// The interface to listen on; default: all
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,
    /// How long; a host asks every two minutes or less often
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u64,
}

/// The name by which hosts find a router without being told (RFC 5214, section 8.3.2).
const BARE: &str = "isatap";
/// Packets that are remembered to tell one that is sent on from a new one.
const REMEMBERED: usize = 256;

/// A bare name and where it leads.
struct Bare {
    name: String,
    /// `None` when nobody said.
    addresses: Option<Vec<IpAddr>>,
}

pub(super) fn run(args: &Listen, context: &Context) -> Result<Exit, Trouble> {
    listen(args.interface.as_deref(), args.seconds, context)
}

pub(super) fn listen(interface: Option<&str>, seconds: u64, context: &Context) -> Result<Exit, Trouble> {
    let listener = hear(interface, seconds).map_err(|e| Trouble::failed("listen", e))?;
    let names = bare_names()?;
    if context.out.json {
        context.out.document(&document(interface, seconds, &listener, &names));
    } else {
        context.out.text(&text(seconds, &listener, &names));
    }
    Ok(Exit::Good)
}

fn hear(interface: Option<&str>, seconds: u64) -> Result<Listener, String> {
    let said = |e: std::io::Error| e.to_string();
    let mut ear = Ear::open(interface).map_err(|e| e.to_string())?;
    let mut poller = Poller::new(1).map_err(said)?;
    poller.add(&ear, 0, Interest::READ).map_err(said)?;
    let mut listener = Listener::default();
    let (mut packet, mut passed) = (Packet::new(), VecDeque::with_capacity(REMEMBERED));
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        while let Some(overheard) = ear.hear(&mut packet).map_err(said)? {
            if !is_sent_on(&mut passed, &overheard, &packet) {
                listener.hear(clock::now(), overheard.src, overheard.dst, &packet);
            }
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(listener);
        }
        let _ = poller.wait(Some(left)).map_err(said)?;
    }
}

/// True for a packet that came a moment ago and leaves now: a router shows it twice.
fn is_sent_on(passed: &mut VecDeque<u64>, overheard: &Overheard, packet: &Packet) -> bool {
    let mut hasher = DefaultHasher::new();
    (overheard.src, overheard.dst, packet.bytes()).hash(&mut hasher);
    let hash = hasher.finish();
    if overheard.leaving {
        if let Some(at) = passed.iter().position(|known| *known == hash) {
            passed.remove(at);
            return true;
        }
        return false;
    }
    if passed.len() == REMEMBERED {
        passed.pop_front();
    }
    passed.push_back(hash);
    false
}

/// What the name server says of `isatap`, alone and under each search domain.
fn bare_names() -> Result<Vec<Bare>, Trouble> {
    let Ok(system) = ResolvConf::of_system() else { return Ok(Vec::new()) };
    let mut names = vec![BARE.to_owned()];
    names.extend(system.search.iter().map(|domain| format!("{BARE}.{}", domain.trim_end_matches('.'))));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Trouble::failed("system", format!("no runtime: {e}")))?;
    Ok(runtime.block_on(async {
        let mut found = Vec::new();
        for name in names {
            let answer = resolve_family(&name, Family::V4, &system.servers).await;
            let addresses = match answer {
                Ok(resolved) => Some(resolved.addresses),
                Err(ResolveError::NoSuchName) => Some(Vec::new()),
                Err(ResolveError::BadName(_) | ResolveError::Exchange(_) | ResolveError::Failed(_)) => None,
            };
            found.push(Bare { name, addresses });
        }
        found
    }))
}

fn text(seconds: u64, listener: &Listener, names: &[Bare]) -> String {
    let head = ["host", "router", "asked", "answered", "packets", "last", "offers"];
    let mut table = Table::new("", &head);
    for pair in listener.pairs() {
        table.row([
            pair.host.to_string(),
            pair.router.to_string(),
            pair.solicitations.to_string(),
            pair.advertisements.to_string(),
            pair.packets.to_string(),
            format!("{} s ago", clock::now().since(pair.last).as_secs()),
            offers(pair),
        ]);
    }
    let pairs = listener.pairs().count();
    let mut text = match pairs {
        0 => format!(
            "no ISATAP heard in {seconds} s. Hosts ask every two minutes or less often: listen for longer, where it passes\n"
        ),
        _ => table.render(),
    };
    if listener.other() > 0 {
        text.push_str(&format!("{} packets in protocol 41 that are not ISATAP's\n", listener.other()));
    }
    for bare in names {
        let line = match bare.addresses.as_deref() {
            None => format!("`{}`: no name server said whether it exists\n", bare.name),
            Some([]) => format!("`{}` does not exist: nobody finds a router by it\n", bare.name),
            Some(some) => format!(
                "`{}` leads to {}: every Windows host tries it; delete the name before the router\n",
                bare.name,
                some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
        };
        text.push_str(&line);
    }
    if pairs > 0 {
        text.push_str(
            "Before the router goes: have it advertise preferred lifetime 0 and router lifetime 0, wait until nobody has a\n\
             connection open, set the hosts' ISATAP state to Disabled, and listen again until nobody asks.\n",
        );
    }
    text
}

fn offers(pair: &Pair) -> String {
    let mut offers: Vec<String> = pair.prefixes.iter().map(ToString::to_string).collect();
    if pair.router_lifetime > 0 {
        offers.push("a default route".to_owned());
    }
    if offers.is_empty() { "-".to_owned() } else { offers.join(", ") }
}

fn document(interface: Option<&str>, seconds: u64, listener: &Listener, names: &[Bare]) -> Value {
    let pair = |pair: &Pair| {
        json!({
            "host": pair.host, "router": pair.router, "solicitations": pair.solicitations,
            "advertisements": pair.advertisements, "packets": pair.packets,
            "prefixes": pair.prefixes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "router_lifetime": pair.router_lifetime,
            "last_seconds_ago": clock::now().since(pair.last).as_secs(),
        })
    };
    let name = |bare: &Bare| json!({"name": bare.name, "addresses": bare.addresses});
    json!({
        "schema": 1, "interface": interface, "seconds": seconds,
        "pairs": listener.pairs().map(pair).collect::<Vec<_>>(),
        "other": listener.other(), "names": names.iter().map(name).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_router_sends_on_is_heard_once() {
        let mut passed = VecDeque::new();
        let heard = |leaving| Overheard { src: [10, 6, 8, 20].into(), dst: [10, 6, 0, 1].into(), leaving };
        let packet = Packet::from_slice(b"one");
        assert!(!is_sent_on(&mut passed, &heard(false), &packet));
        assert!(is_sent_on(&mut passed, &heard(true), &packet));
        // Once for each time that it came; what only leaves is this machine's own.
        assert!(!is_sent_on(&mut passed, &heard(true), &packet));
        assert!(!is_sent_on(&mut passed, &heard(true), &Packet::from_slice(b"two")));
    }
}
