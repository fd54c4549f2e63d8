//! Servers in their order: connection, TLS, bind, and the question.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ldap3::{LdapConnAsync, LdapConnSettings, Scope, SearchEntry};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::ask::Connection;
use crate::entry::{Group, domain};
use crate::walk::{self, Limits};
use crate::{Error, chain, password};

/// LDAP_CAP_ACTIVE_DIRECTORY_OID of \[MS-ADTS\], section 3.1.1.3.4.3.1.
const ACTIVE_DIRECTORY: &str = "1.2.840.113556.1.4.800";
/// For one server with all its answers, in its own time-outs: a server that only just answers must not hold up the next.
const ANSWERS_AT_MOST: u32 = 24;

/// Which directory, and how it is asked.
#[derive(Clone, Default)]
pub struct Config {
    /// Tried in this order.
    pub servers: Vec<Server>,
    /// PEM file of the issuers that are believed; `None` = those of the system.
    pub ca: Option<PathBuf>,
    /// Who asks; `None` = anonymous.
    pub bind: Option<Bind>,
    /// Distinguished name of the entry that everything is below.
    pub base: String,
    /// For one answer.
    pub timeout: Duration,
    /// Entries of one group, nested ones counted.
    pub most_members: usize,
    /// Levels of groups below a group.
    pub most_depth: usize,
}

/// A server of the directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// `ldap://` or `ldaps://`, host and port.
    pub url: String,
    /// How the way there is protected.
    pub security: Security,
}

/// How the way to a server is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Security {
    /// TLS from the first octet.
    Tls,
    /// TLS before anything else is said.
    StartTls,
    /// Not at all.
    PlainText,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bind {
    /// Distinguished name.
    pub dn: String,
    /// Read again for every connection, so that it can be changed.
    pub password_file: PathBuf,
}

/// What a server answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Which one.
    pub server: String,
    /// Each group that was asked for, in the order of the question.
    pub groups: Vec<(String, Result<Group, Error>)>,
}

/// A directory that can be asked.
pub struct Directory {
    config: Config,
    tls: Arc<ClientConfig>,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("servers", &self.config.servers).finish_non_exhaustive()
    }
}

impl Directory {
    /// Reads the files of the configuration; asks nobody.
    ///
    /// # Errors
    /// A file cannot be used.
    pub fn new(config: Config) -> Result<Self, Error> {
        if let Some(bind) = &config.bind {
            password::check(&bind.password_file)?;
        }
        let roots = match &config.ca {
            Some(path) => roots_of(path)?,
            None => roots_of_system(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::File(format!("TLS: {e}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { config, tls: Arc::new(tls) })
    }

    /// The machines of each group, nested groups unfolded, as the first server says that answers in full.
    ///
    /// # Errors
    /// [`Error::NoServer`], with what each said. A group that does not exist is an answer.
    pub async fn machines(&self, groups: &[String]) -> Result<Found, Error> {
        let mut said = Vec::new();
        for server in &self.config.servers {
            let patience = self.config.timeout.saturating_mul(ANSWERS_AT_MOST);
            let answer = match tokio::time::timeout(patience, self.ask(server, groups)).await {
                Ok(answer) => answer,
                Err(_) => Err(Error::Lost(format!("not done within {} s", patience.as_secs()))),
            };
            match answer {
                Ok(groups) => return Ok(Found { server: server.url.clone(), groups }),
                Err(error @ Error::File(_)) => return Err(error),
                Err(error) => {
                    tracing::debug!(server = server.url, "directory: {error}");
                    said.push((server.url.clone(), error.to_string()));
                }
            }
        }
        Err(Error::NoServer(said))
    }

    async fn ask(
        &self,
        server: &Server,
        groups: &[String],
    ) -> Result<Vec<(String, Result<Group, Error>)>, Error> {
        let (mut connection, is_active_directory) = self.connect(server).await?;
        let domain = domain(&self.config.base);
        let most = self.config.most_members;
        let limits = Limits { members: most, depth: self.config.most_depth };
        let mut answers = Vec::new();
        for group in groups {
            let answer = if is_active_directory {
                chain::machines(&mut connection, group, &domain, most).await
            } else {
                walk::machines(&mut connection, group, &domain, limits).await
            };
            match answer {
                Err(error) if error.is_of_server() => return Err(error),
                answer => answers.push((group.clone(), answer)),
            }
        }
        // Politeness alone; the connection ends with its handle.
        let _ = tokio::time::timeout(self.config.timeout, connection.ldap.unbind()).await;
        Ok(answers)
    }

    /// Connects and binds; true when it is an Active Directory.
    async fn connect(&self, server: &Server) -> Result<(Connection, bool), Error> {
        let timeout = self.config.timeout;
        let silent = || Error::Lost(format!("no answer within {} s", timeout.as_secs()));
        let settings = LdapConnSettings::new()
            .set_conn_timeout(timeout)
            .set_config(Arc::clone(&self.tls))
            .set_starttls(server.security == Security::StartTls);
        let connecting = LdapConnAsync::with_settings(settings, &server.url);
        let (connection, mut ldap) =
            tokio::time::timeout(timeout, connecting).await.map_err(|_| silent())??;
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!("directory: the connection ended: {error}");
            }
        });
        if let Some(bind) = &self.config.bind {
            let password = password::read(&bind.password_file)?;
            let bound = ldap.simple_bind(&bind.dn, &password);
            tokio::time::timeout(timeout, bound)
                .await
                .map_err(|_| silent())??
                .success()
                .map_err(|error| Error::Refused(format!("{} is not let in: {error}", bind.dn)))?;
        }
        let asked = ldap.search("", Scope::Base, "(objectClass=*)", vec!["supportedCapabilities"]);
        let (root, _) = tokio::time::timeout(timeout, asked).await.map_err(|_| silent())??.success()?;
        let capabilities =
            root.into_iter().map(SearchEntry::construct).flat_map(|e| e.attrs).flat_map(|(_, v)| v);
        let is_active_directory = capabilities.into_iter().any(|c| c == ACTIVE_DIRECTORY);
        Ok((Connection { ldap, base: self.config.base.clone(), timeout }, is_active_directory))
    }
}

fn roots_of(path: &Path) -> Result<RootCertStore, Error> {
    let at = |what: String| Error::File(format!("{}: {what}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| at(e.to_string()))? {
        let certificate = certificate.map_err(|e| at(e.to_string()))?;
        roots.add(certificate).map_err(|e| at(e.to_string()))?;
    }
    if roots.is_empty() { Err(at("there is no certificate in it".to_owned())) } else { Ok(roots) }
}

fn roots_of_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
