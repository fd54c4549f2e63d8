//! Names on a client: a stub resolver on a loopback address that sends each question where the rules say.
//!
//! The resolver file names the stub from the first lease on; what stood there before says whom the local network's
//! questions go to. A name that belongs to the tunnel never goes there, also while the tunnel is down: that is more than
//! a list of servers in the file could promise, because glibc asks them one after the other.

mod file;
mod stub;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use sixgate_api::{Nrpt, NrptRule, Route, Steering as Steered};
use sixgate_io_dns::server::{BindError, Options, Server};
use sixgate_io_host::{HostError, Journal};
use sixgate_reason::Counters;
use sixgate_roaming::steer::{BadName, Decision, Mode, Rule, Steering};
use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::lease::Lease;

use file::ResolverFile;
use stub::Stub;

/// Where the stub listens: an address of the loopback network that nobody else uses.
pub const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 6, 4, 1)), 53);

/// What names need to know before there is a lease.
#[derive(Clone, Debug)]
pub struct NamesConfig {
    /// Where the stub listens.
    pub listen: SocketAddr,
    /// The resolver file.
    pub file: PathBuf,
    /// Names that are always the local network's: the gateways' own.
    pub exempt: Vec<String>,
}

impl NamesConfig {
    /// The usual places, and these gateways.
    #[must_use]
    pub fn new(gateways: impl IntoIterator<Item = String>) -> Self {
        Self { listen: ADDRESS, file: "/etc/resolv.conf".into(), exempt: gateways.into_iter().collect() }
    }
}

/// Why names cannot be steered.
#[derive(Debug)]
pub enum NamesError {
    /// The stub's address.
    Listen(BindError),
    /// The resolver file.
    File(HostError),
    /// A suffix of the lease.
    Suffix(BadName),
}

impl fmt::Display for NamesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(error) => fmt::Display::fmt(error, f),
            Self::File(error) => fmt::Display::fmt(error, f),
            Self::Suffix(error) => write!(f, "the gateway's list of suffixes: {error}"),
        }
    }
}

impl std::error::Error for NamesError {}

/// The stub and the resolver file. Dropping ends the stub; the file is put back by [`Names::stop`] or with the journal.
#[derive(Debug)]
pub struct Names {
    config: NamesConfig,
    stub: Arc<Stub>,
    file: ResolverFile,
    /// Listens from the first lease on.
    server: Option<Server>,
}

impl Names {
    /// Learns whom the local network asks. Nothing is changed before a lease says which names are the tunnel's.
    #[must_use]
    pub fn new(config: NamesConfig) -> Self {
        let file = ResolverFile::new(config.file.clone(), config.listen.ip());
        let stub = Arc::new(Stub::default());
        stub.set_local(file.local_servers());
        Self { config, stub, file, server: None }
    }

    /// Takes over a lease's suffixes and name servers: from now on their names go into the tunnel. Call before the lease's
    /// routes are set. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// See [`NamesError`]; what held before holds on.
    pub fn set_lease(&mut self, lease: &Lease, journal: &mut Journal) -> Result<(), NamesError> {
        let mut rules: Vec<String> = lease.suffixes.iter().map(|suffix| format!(".{suffix}")).collect();
        let prefixes = lease.routes.iter().map(|route| route.prefix);
        let prefixes = prefixes.chain(lease.prefix64.map(|prefix| prefix.prefix()));
        for zone in prefixes.filter_map(reverse_zone) {
            // The translator's prefix comes as a route too.
            if !rules.contains(&zone) {
                rules.push(zone);
            }
        }
        let mut steering = Steering::new(
            rules.iter().map(String::as_str),
            self.config.exempt.iter().map(String::as_str).filter(|name| name.parse::<IpAddr>().is_err()),
            lease.suffixes.iter().map(String::as_str),
        )
        .map_err(NamesError::Suffix)?;
        steering.set_mode(Mode::Tunnel);
        if lease.suffixes.is_empty() || lease.name_servers.is_empty() {
            // Nothing to steer: the machine's resolver stays as it is.
            let _remarks = self.stop(journal);
            return Ok(());
        }
        let servers = lease.name_servers.iter().map(|server| SocketAddr::new(IpAddr::V6(*server), 53));
        self.stub.set_tunnel(steering, &servers.collect::<Vec<_>>());
        self.listen()?;
        self.file.replace(&lease.suffixes, journal).map_err(NamesError::File)?;
        Ok(())
    }

    /// Says whether the tunnel carries packets. While it does not, its names fail at once.
    pub fn set_tunnel(&self, up: bool) {
        self.stub.set_mode(if up { Mode::Tunnel } else { Mode::Down });
    }

    /// The network changed: somebody may have written the resolver file anew. Theirs says whom the local network asks now,
    /// and ours takes its place again. True when it was so.
    ///
    /// # Errors
    /// The resolver file.
    pub fn refresh(&mut self, journal: &mut Journal) -> Result<bool, NamesError> {
        let changed = self.file.refresh(journal).map_err(NamesError::File)?;
        self.stub.set_local(self.file.local_servers());
        Ok(changed)
    }

    /// Puts the resolver file back, where it is still ours, and ends the stub. Gives what a person should know, a line each.
    pub fn stop(&mut self, journal: &mut Journal) -> Vec<String> {
        let remarks = self.file.put_back(journal);
        // After the file, so that nobody asks where nobody listens.
        self.server = None;
        remarks
    }

    /// The local network's own servers, for names that must be found without the tunnel.
    #[must_use]
    pub fn local_servers(&self) -> Vec<SocketAddr> {
        self.stub.local_servers()
    }

    /// Counts of questions that failed or were refused.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.stub.counters()
    }

    /// The rules, as `sixgate nrpt show` gives them.
    #[must_use]
    pub fn nrpt(&self) -> Nrpt {
        let (steering, servers) = self.stub.steering();
        let rules = steering.iter().flat_map(Steering::rules).map(|rule| NrptRule {
            suffix: suffix(rule),
            route: if rule.is_exemption() { Route::Local } else { Route::Tunnel },
            servers: if rule.is_exemption() { Vec::new() } else { servers.clone() },
        });
        Nrpt { active: self.server.is_some(), by: Some("resolv.conf".to_owned()), rules: rules.collect() }
    }

    /// Where a name goes, as `sixgate nrpt test` gives it.
    #[must_use]
    pub fn test(&self, name: &str) -> Steered {
        let (steering, servers) = self.stub.steering();
        let decision = steering.as_ref().map_or(Decision::Local, |steering| steering.decide(name));
        let rule = steering.as_ref().and_then(|steering| steering.matching(name).map(suffix));
        let (route, servers) = match decision {
            Decision::Tunnel | Decision::Unreachable => (Route::Tunnel, servers),
            Decision::Local => (Route::Local, self.local_servers()),
            Decision::SingleLabel => (Route::Local, Vec::new()),
        };
        Steered { name: name.to_owned(), route, rule, servers }
    }

    fn listen(&mut self) -> Result<(), NamesError> {
        if self.server.is_none() {
            let local = "127.0.0.0/8".parse().ok();
            let options = Options { allow: local.map(|loopback| vec![loopback]), ..Options::default() };
            let server = Server::start(&[self.config.listen], options, Arc::clone(&self.stub));
            self.server = Some(server.map_err(NamesError::Listen)?);
        }
        Ok(())
    }
}

fn suffix(rule: &Rule) -> String {
    rule.to_string().trim_start_matches('.').to_owned()
}

/// The rule for the reverse names of a prefix: of its whole nibbles, so that no address outside is meant.
fn reverse_zone(prefix: Ipv6Prefix) -> Option<String> {
    let nibbles = prefix.length().checked_div(4).filter(|n| *n > 0 && prefix.length().is_multiple_of(4))?;
    let bits = prefix.address().to_bits();
    let digits = (0..nibbles).rev().map(|n| format!("{:x}.", bits >> (124 - u32::from(n) * 4) & 0xf));
    Some(format!(".{}ip6.arpa", digits.collect::<String>()))
}

#[cfg(test)]
mod tests;
