//! Members of the directory's groups: asked every so often; while no server answers, the last good answer holds, also
//! over a restart.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sixgate_config::Ldap;
use sixgate_config::isatap::Isatap;
use sixgate_io_ldap::{Bind, Config, Directory, Error, Found, Group, Security, Server};
use sixgate_io_store::{Space, Store};

use crate::control::Control;

/// After a failure, unless the usual pause is shorter.
const RETRY: Duration = Duration::from_secs(15);
/// Where there is no directory to ask.
const NOTHING_TO_ASK: Duration = Duration::from_secs(86_400);

/// What the directory last said of each group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Groups(BTreeMap<String, Known>);

/// What is known of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) members: Vec<Member>,
    /// Members that are no machines.
    pub(crate) others: usize,
    /// When a server last answered, in seconds since 1970.
    pub(crate) at: Option<i64>,
    /// Which server that was.
    pub(crate) server: String,
    /// Why the last question had no good answer.
    #[serde(skip)]
    pub(crate) trouble: Option<String>,
}

/// A machine in a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) name: Option<String>,
    /// Those that the directory has; where it has none, the name is looked up.
    pub(crate) addresses: Vec<Ipv4Addr>,
}

impl Groups {
    pub(crate) fn load(store: &Store) -> Self {
        let rows = store.values(Space::LdapGroups).unwrap_or_else(|e| {
            tracing::warn!("remembered groups of the directory cannot be read: {e}");
            Vec::new()
        });
        let read = |(key, value): (Vec<u8>, Vec<u8>)| {
            Some((String::from_utf8(key).ok()?, serde_json::from_slice(&value).ok()?))
        };
        Self(rows.into_iter().filter_map(read).collect())
    }

    pub(crate) fn members(&self, dn: &str) -> &[Member] {
        self.0.get(dn).map_or(&[], |known| known.members.as_slice())
    }

    pub(crate) fn get(&self, dn: &str) -> Option<&Known> {
        self.0.get(dn)
    }

    /// Forgets all groups but these; gives those that it forgot.
    fn keep_only(&mut self, wanted: &[String]) -> Vec<String> {
        let gone: Vec<String> = self.0.keys().filter(|dn| !wanted.contains(dn)).cloned().collect();
        for dn in &gone {
            self.0.remove(dn);
        }
        gone
    }

    /// How many groups are known, and what is wrong with one of them.
    pub(crate) fn summary(&self) -> (usize, Option<(&str, Option<i64>)>) {
        let trouble = self.0.values().find_map(|k| Some((k.trouble.as_deref()?, k.at)));
        (self.0.len(), trouble)
    }

    /// Takes what a server said of a group; false when that leaves everything as it was.
    pub(crate) fn answered(&mut self, dn: &str, answer: Result<Group, Error>, server: &str, at: i64) -> bool {
        let known = self.0.entry(dn.to_owned()).or_default();
        let group = match answer {
            Ok(group) => {
                known.trouble = None;
                group
            }
            // Somebody took the group away, and with it what it gave.
            Err(error @ Error::NoSuchGroup) => {
                known.trouble = Some(error.to_string());
                Group::default()
            }
            Err(error) => {
                known.trouble = Some(error.to_string());
                return false;
            }
        };
        let member = |m: sixgate_io_ldap::Machine| Member { name: m.name, addresses: m.addresses };
        known.members = group.machines.into_iter().map(member).collect();
        known.others = group.others;
        known.at = Some(at);
        server.clone_into(&mut known.server);
        true
    }

    /// No server answered: everything stays as it was.
    pub(crate) fn unanswered(&mut self, dn: &str, trouble: &str) {
        self.0.entry(dn.to_owned()).or_default().trouble = Some(trouble.to_owned());
    }
}

/// The groups that the file names, each once.
pub(crate) fn wanted(config: &Isatap) -> Vec<String> {
    let mut all: Vec<String> = config.allow.iter().filter_map(|rule| rule.ldap_group.clone()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The directory of the file.
///
/// # Errors
/// Its certificates or its password cannot be used.
pub(crate) fn directory(config: &Ldap) -> Result<Directory, Error> {
    let server = |server: &sixgate_config::ldap::Server| Server {
        url: server.url(),
        security: match server.security {
            sixgate_config::ldap::Security::Tls => Security::Tls,
            sixgate_config::ldap::Security::StartTls => Security::StartTls,
            sixgate_config::ldap::Security::PlainText => Security::PlainText,
        },
    };
    Directory::new(Config {
        servers: config.servers.iter().map(server).collect(),
        ca: config.ca.clone(),
        bind: config
            .bind
            .as_ref()
            .map(|bind| Bind { dn: bind.dn.clone(), password_file: bind.password_file.clone() }),
        base: config.base.clone(),
        timeout: config.timeout,
        most_members: config.most_members,
        most_depth: config.most_depth,
    })
}

/// Keeps the members of groups right until the future is dropped.
pub(crate) async fn keep(control: Arc<Control>) {
    let mut was_down = false;
    loop {
        let Ok((ldap, groups)) = control.site.lock().map(|site| {
            let groups = site.config.isatap.as_ref().map(wanted).unwrap_or_default();
            (site.config.ldap.clone(), groups)
        }) else {
            return;
        };
        forget_others(&control, &groups);
        let pause = match ldap.filter(|_| !groups.is_empty()) {
            Some(ldap) => {
                let refresh = ldap.refresh;
                let trouble = ask(&control, ldap, &groups).await.err();
                report(trouble.as_ref(), &mut was_down);
                if trouble.is_some() { refresh.min(RETRY) } else { refresh }
            }
            None => NOTHING_TO_ASK,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = control.groups_wanted.notified() => {}
        }
    }
}

/// Asks once, and takes what is answered.
async fn ask(control: &Arc<Control>, ldap: Ldap, groups: &[String]) -> Result<(), String> {
    let asked = groups.to_vec();
    // A task of its own: whatever a server sends ends no more than this question.
    let question = tokio::spawn(async move { directory(&ldap)?.machines(&asked).await });
    let found = match question.await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(unanswered(control, groups, error.to_string())),
        Err(error) => {
            return Err(unanswered(control, groups, format!("the answer cannot be read: {error}")));
        }
    };
    take(control, found);
    Ok(())
}

/// Drops what is known of groups that the file does not name any more.
fn forget_others(control: &Control, wanted: &[String]) {
    let gone = control.site.lock().map(|mut site| site.sources.groups.keep_only(wanted)).unwrap_or_default();
    let rows = gone.iter().map(|dn| (dn.as_bytes(), None));
    if !gone.is_empty()
        && let Err(e) = control.store.change_values(Space::LdapGroups, rows)
    {
        tracing::warn!("groups that nobody asks for are still on disk: {e}");
    }
}

fn unanswered(control: &Control, groups: &[String], trouble: String) -> String {
    let _ = control.learn(|site| {
        for dn in groups {
            site.sources.groups.unanswered(dn, &trouble);
        }
    });
    trouble
}

fn take(control: &Control, found: Found) {
    let at = Timestamp::now().as_second();
    let rows = control.learn(|site| {
        let mut rows = Vec::new();
        for (dn, answer) in found.groups {
            if let Err(error) = &answer {
                tracing::warn!(group = dn, server = found.server, "directory: {error}");
            }
            if site.sources.groups.answered(&dn, answer, &found.server, at)
                && let Some(Ok(value)) = site.sources.groups.get(&dn).map(serde_json::to_vec)
            {
                rows.push((dn.into_bytes(), value));
            }
        }
        rows
    });
    let rows = rows.unwrap_or_default();
    let rows = rows.iter().map(|(key, value)| (key.as_slice(), Some(value.as_slice())));
    if let Err(e) = control.store.change_values(Space::LdapGroups, rows) {
        tracing::warn!("the directory's answer was not kept: {e}");
    }
    // New members have names that nobody looked up yet.
    control.names_wanted.notify_one();
}

/// Says once that the directory is gone, and once that it is back.
fn report(trouble: Option<&String>, was_down: &mut bool) {
    match trouble {
        Some(trouble) if !*was_down => {
            tracing::warn!("directory: no server answers, its last answer holds: {trouble}");
        }
        None if *was_down => tracing::info!("directory: a server answers again"),
        Some(_) | None => {}
    }
    *was_down = trouble.is_some();
}
