//! Who may come in: the authority, the tokens, the clients, and what each of them gets.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rustls::ServerConfig;
use sixgate_api::enrol::{EnrolRequest, Enrolled, RenewRequest};
use sixgate_api::{self as api};
use sixgate_config::{IpHttps, NameOrAddress};
use sixgate_fabric::Identity;
use sixgate_io_host::Netlink;
use sixgate_io_link::clock;
use sixgate_io_store::{Client, Error, NewToken, Store, TokenState};
use sixgate_io_tls::{Authority, ServerNames, Token, fingerprint, server_config};
use sixgate_reason::{self as reason, Reason};
use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::lease::Lease;

use super::enrol::CERTIFICATE_LIFETIME;
use super::limits::Limits;
use super::policy::Mentioned;
use super::{Net, Site};
use crate::seam::ToNet;
use crate::{Failure, lease};

/// How often it is looked whether our own certificate ends soon.
const LOOK_AGAIN: Duration = Duration::from_secs(6 * 3600);

/// The door of a gateway that has clients.
pub(crate) struct Door {
    net: Net,
    store: Arc<Store>,
    state: PathBuf,
    authority: Authority,
    /// What our own certificate names.
    names: ServerNames,
    tls: Mutex<Arc<ServerConfig>>,
    url: String,
    clients: Ipv6Prefix,
    /// What every lease has in common.
    lease: Mutex<Lease>,
    mentioned: Mutex<Mentioned>,
    limits: Mutex<Limits>,
}

/// A client that may come in.
pub(crate) struct Admitted {
    pub(crate) name: String,
    pub(crate) lease: Lease,
    pub(crate) identity: Identity,
}

impl Door {
    /// Opens authority and certificates; `None` where the file has no clients.
    pub(crate) fn open(site: &Site, net: Net, store: Arc<Store>) -> Result<Option<Self>, Failure> {
        let (Some(config), Some(ip_https)) = (&site.config.site, &site.config.ip_https) else {
            return Ok(None);
        };
        let state = &site.config.state;
        let now = SystemTime::now();
        let authority = Authority::load_or_create(state, now)?;
        let names = server_names(&config.public, ip_https, &outside_addresses(&config.inside)?);
        let tls = Mutex::new(server_tls(&authority, state, &names, now)?);
        let Some(lease) = site.lease() else { return Ok(None) };
        let port = ip_https.listen.first().map_or(443, std::net::SocketAddr::port);
        Ok(Some(Self {
            net,
            store,
            state: state.clone(),
            authority,
            names,
            tls,
            url: url(&config.public, port),
            clients: config.clients(),
            lease: Mutex::new(lease),
            mentioned: Mutex::new(site.mentioned.clone()),
            limits: Mutex::new(Limits::new()),
        }))
    }

    pub(crate) fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Renews our own certificate in time, for connections to come: a gateway may run for years.
    pub(crate) async fn renew_own_certificate(&self) {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            match server_tls(&self.authority, &self.state, &self.names, SystemTime::now()) {
                Ok(tls) => *self.tls.lock().unwrap_or_else(PoisonError::into_inner) = tls,
                Err(error) => tracing::warn!("the gateway's own certificate: {error}"),
            }
        }
    }

    /// What a client joins.
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    pub(crate) fn key_digest(&self) -> [u8; 32] {
        self.authority.key_digest()
    }

    pub(crate) fn tell(&self, what: ToNet) {
        self.net.tell(what);
    }

    /// Policy mentions other names from now on.
    pub(crate) fn mentioned(&self, names: Mentioned) {
        *self.mentioned.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }

    /// What every lease has in common, from now on; clients that are here are told.
    pub(crate) fn offers(&self, lease: Lease) {
        let mut known = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != lease {
            known.clone_from(&lease);
            self.net.tell(ToNet::Lease(Box::new(lease)));
        }
    }

    /// What the client that shows this certificate gets.
    pub(crate) fn admission(&self, name: &str, fingerprint: [u8; 32]) -> Result<Admitted, Reason> {
        let client = self.store.admit(name, fingerprint).map_err(|e| broken(&e))??;
        let address = self.assign(name).ok_or(reason::IPHTTPS_ADDRESS_LIMIT)?;
        let mentioned = self.mentioned.lock().unwrap_or_else(PoisonError::into_inner);
        let common = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Admitted {
            identity: mentioned.client(name, &client.groups),
            lease: Lease { addresses: vec![address], ..common.clone() },
            name: client.name,
        })
    }

    /// The client's address, drawn when it has none yet.
    fn assign(&self, name: &str) -> Option<Ipv6Addr> {
        let candidates = std::iter::from_fn(|| lease::draw(self.clients).ok());
        let good = |address| self.clients.contains(address) && lease::is_reserved(address);
        match self.store.assign_address(name, good, candidates) {
            Ok(address) => address,
            Err(e) => {
                broken(&e);
                None
            }
        }
    }

    /// The address of a client that has one.
    pub(crate) fn address(&self, name: &str) -> Option<Ipv6Addr> {
        self.client(name)?.address
    }

    pub(crate) fn client(&self, name: &str) -> Option<Client> {
        self.store.client(name).ok().flatten()
    }

    /// Names of all clients that are let in.
    pub(crate) fn names(&self) -> Result<Vec<String>, Error> {
        Ok(self.store.clients()?.into_iter().filter(|c| !c.revoked).map(|c| c.name).collect())
    }

    /// Names of all clients that are let in, by the address of their lease.
    pub(crate) fn by_address(&self) -> BTreeMap<Ipv6Addr, String> {
        let clients = self.store.clients().unwrap_or_default();
        clients.into_iter().filter(|c| !c.revoked).filter_map(|c| Some((c.address?, c.name))).collect()
    }

    pub(crate) fn enrolled(&self) -> u64 {
        self.store.enrolled().unwrap_or(0)
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses up a token and signs the client's key.
    pub(crate) fn enrol(&self, request: &EnrolRequest, now: SystemTime) -> Result<Enrolled, Reason> {
        let token: Token = request.token.parse().map_err(|_| reason::TOKEN_UNKNOWN)?;
        if !self.limits().may_enrol(clock::now()) {
            return Err(reason::ENROL_LIMITED);
        }
        let mut pem = String::new();
        let outcome = self.store.enrol(token.secret_digest(), seconds(now), |token| {
            let issued = self.authority.issue(&request.csr, &token.name, now, CERTIFICATE_LIFETIME)?;
            pem = issued.pem;
            Ok(Client::enrolled(token, fingerprint(&issued.certificate), seconds(now)))
        });
        let client = outcome.map_err(|e| broken(&e))??;
        Ok(Enrolled { name: client.name, certificate: pem, ca: self.authority.pem() })
    }

    /// Signs the key of a client that shows a certificate which is good.
    pub(crate) fn renew(
        &self,
        name: &str,
        shown: [u8; 32],
        request: &RenewRequest,
        now: SystemTime,
    ) -> Result<Enrolled, Reason> {
        // Showing a renewed certificate is its first use, like a tunnel's.
        self.store.admit(name, shown).map_err(|e| broken(&e))??;
        if !self.limits().may_renew(name, clock::now()) {
            return Err(reason::ENROL_LIMITED);
        }
        let issued = self.authority.issue(&request.csr, name, now, CERTIFICATE_LIFETIME)?;
        let fresh = fingerprint(&issued.certificate);
        let client = self.store.renew(name, shown, fresh).map_err(|e| broken(&e))??;
        Ok(Enrolled { name: client.name, certificate: issued.pem, ca: self.authority.pem() })
    }

    pub(crate) fn keep_token(
        &self,
        token: &Token,
        wanted: &api::TokenRequest,
        expires: Timestamp,
    ) -> Result<(), Error> {
        let new =
            NewToken { name: wanted.name.clone(), user: wanted.user.clone(), groups: wanted.groups.clone() };
        let now = seconds(SystemTime::now());
        let expires = u64::try_from(expires.as_second()).unwrap_or(now);
        self.store.add_token(token.secret_digest(), &new, now, expires).map(|_| ())
    }

    pub(crate) fn tokens(&self) -> Result<Vec<api::Token>, Error> {
        let now = seconds(SystemTime::now());
        let view = |t: sixgate_io_store::Token| api::Token {
            state: match t.state(now) {
                TokenState::Unused => api::TokenState::Unused,
                TokenState::Used => api::TokenState::Used,
                TokenState::Expired => api::TokenState::Expired,
                TokenState::Revoked => api::TokenState::Revoked,
            },
            id: t.id,
            name: t.name,
            user: t.user,
            groups: t.groups,
            created: timestamp(t.created),
            expires: timestamp(t.expires),
        };
        Ok(self.store.tokens()?.into_iter().map(view).collect())
    }

    pub(crate) fn revoke_tokens(&self, name: &str) -> Result<u64, Error> {
        self.store.revoke_tokens(name)
    }

    /// Removes a client; its address may be given to another.
    pub(crate) fn forget(&self, name: &str) -> Result<bool, Error> {
        let was_known = self.store.remove_client(name)?.is_some();
        self.limits().forget(name);
        Ok(was_known)
    }
}

/// The store cannot be used: nobody is let in, and the log says why.
fn broken(error: &Error) -> Reason {
    tracing::warn!("state: {error}");
    reason::IPHTTPS_SESSION_LIMIT
}

/// TLS with our own certificate: the one in `state`, or another when that one ends soon.
fn server_tls(
    authority: &Authority,
    state: &Path,
    names: &ServerNames,
    now: SystemTime,
) -> Result<Arc<ServerConfig>, Failure> {
    let (chain, key) = authority.server_certificate(state, names, now)?;
    Ok(server_config(&[authority.certificate().clone()], chain, key)?)
}

/// The certificate names `public` and every address that is listened on: with a wildcard, all of `outside`.
fn server_names(public: &NameOrAddress, ip_https: &IpHttps, outside: &[IpAddr]) -> ServerNames {
    let mut names = ServerNames::default();
    match public {
        NameOrAddress::Name(name) => names.names.push(name.to_string()),
        NameOrAddress::Address(address) => names.addresses.push(*address),
    }
    for listen in ip_https.listen.iter().map(std::net::SocketAddr::ip) {
        if !listen.is_unspecified() {
            names.addresses.push(listen);
            continue;
        }
        // `[::]` takes IPv4 as well.
        names.addresses.extend(outside.iter().filter(|a| listen.is_ipv6() || a.is_ipv4()));
    }
    names.addresses.sort_unstable();
    names.addresses.dedup();
    names
}

/// The machine's addresses that somebody outside may call it by. Those of the inside are nobody's business there.
fn outside_addresses(inside: &str) -> Result<Vec<IpAddr>, Failure> {
    let mut netlink = Netlink::new()?;
    let inside = netlink.links()?.into_iter().find(|l| l.name == inside).map(|l| l.index);
    let is_called = |address: &IpAddr| match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    };
    let all = netlink.addresses(None)?.into_iter();
    Ok(all.filter(|a| Some(a.link) != inside).map(|a| a.address).filter(is_called).collect())
}

fn url(public: &NameOrAddress, port: u16) -> String {
    let host = match public {
        NameOrAddress::Name(name) => name.to_string(),
        NameOrAddress::Address(IpAddr::V6(v6)) => format!("[{v6}]"),
        NameOrAddress::Address(v4) => v4.to_string(),
    };
    if port == 443 { format!("https://{host}") } else { format!("https://{host}:{port}") }
}

/// Seconds since 1970.
fn seconds(now: SystemTime) -> u64 {
    now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

fn timestamp(seconds: u64) -> Timestamp {
    i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(s).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_names_what_is_listened_on_and_for_a_wildcard_what_there_is_outside() {
        let addresses = |listen: &str, outside: &[&str]| {
            let ip_https = IpHttps { listen: vec![listen.parse().unwrap()] };
            let outside: Vec<IpAddr> = outside.iter().map(|a| a.parse().unwrap()).collect();
            let public = NameOrAddress::Address("203.0.113.9".parse().unwrap());
            let names = server_names(&public, &ip_https, &outside).addresses;
            names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        let outside = ["203.0.113.10", "2001:db8::1", "203.0.113.9"];
        assert_eq!(addresses("203.0.113.10:443", &outside), "203.0.113.9 203.0.113.10");
        assert_eq!(addresses("0.0.0.0:443", &outside), "203.0.113.9 203.0.113.10");
        assert_eq!(addresses("[::]:443", &outside), "203.0.113.9 203.0.113.10 2001:db8::1");
        assert_eq!(addresses("0.0.0.0:443", &[]), "203.0.113.9");
    }
}
