//! The resolver file: whose it was, and ours in its place.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use sixgate_io_dns::resolv_conf::ResolvConf;
use sixgate_io_host::{ChangeId, HostError, Journal};

const HEAD: &str = "# Written by sixgate. What stood here before comes back when it ends.\n";

#[derive(Debug)]
pub(super) struct ResolverFile {
    path: PathBuf,
    stub: IpAddr,
    /// What the local network's file says.
    theirs: ResolvConf,
    /// `options` lines of theirs, which are as right for us.
    options: Vec<String>,
    /// What we wrote, while it stands.
    ours: Option<Ours>,
}

#[derive(Debug)]
struct Ours {
    content: String,
    suffixes: Vec<String>,
    changes: Vec<ChangeId>,
}

impl ResolverFile {
    pub(super) fn new(path: PathBuf, stub: IpAddr) -> Self {
        let mut file = Self { path, stub, theirs: ResolvConf::default(), options: Vec::new(), ours: None };
        // A file that cannot be read names no servers, like one that is not there.
        let text = std::fs::read_to_string(&file.path).unwrap_or_default();
        file.learn(&text);
        file
    }

    /// Never the stub itself, which would ask itself for ever.
    pub(super) fn local_servers(&self) -> Vec<SocketAddr> {
        self.theirs.servers.iter().copied().filter(|server| server.ip() != self.stub).collect()
    }

    /// Puts ours in place of theirs.
    pub(super) fn replace(&mut self, suffixes: &[String], journal: &mut Journal) -> Result<(), HostError> {
        let content = self.content(suffixes);
        let mut changes = Vec::new();
        if let Some(ours) = &mut self.ours {
            if ours.content == content {
                return Ok(());
            }
            changes = core::mem::take(&mut ours.changes);
        }
        let change = journal.resolver(&self.path, &content);
        changes.extend(change.as_ref().ok());
        self.ours = Some(Ours { content, suffixes: suffixes.to_vec(), changes });
        change.map(drop)
    }

    /// True when somebody had written the file; then ours stands there again.
    pub(super) fn refresh(&mut self, journal: &mut Journal) -> Result<bool, HostError> {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        match &self.ours {
            Some(ours) if ours.content == text => return Ok(false),
            Some(_) | None => {}
        }
        let before = self.theirs.clone();
        self.learn(&text);
        match &mut self.ours {
            Some(ours) => {
                // Written anew, whatever was written before.
                ours.content.clear();
                let suffixes = ours.suffixes.clone();
                self.replace(&suffixes, journal)?;
                Ok(true)
            }
            None => Ok(self.theirs != before),
        }
    }

    pub(super) fn put_back(&mut self, journal: &mut Journal) -> Vec<String> {
        let Some(ours) = self.ours.take() else { return Vec::new() };
        ours.changes.into_iter().rev().filter_map(|change| journal.revert(change)).collect()
    }

    fn learn(&mut self, text: &str) {
        self.theirs = ResolvConf::parse(text);
        let options = text.lines().map(str::trim).filter(|line| line.starts_with("options"));
        self.options = options.map(str::to_owned).collect();
    }

    /// resolv.conf(5): the tunnel's suffixes come first, because single labels mean the intranet.
    fn content(&self, suffixes: &[String]) -> String {
        let mut text = String::from(HEAD);
        // Writing to a String never fails.
        let _ok = writeln!(text, "nameserver {}", self.stub);
        let others = self.theirs.search.iter().filter(|suffix| !suffixes.contains(suffix));
        let search: Vec<_> = suffixes.iter().chain(others).map(String::as_str).collect();
        let _ok = writeln!(text, "search {}", search.join(" "));
        for line in &self.options {
            let _ok = writeln!(text, "{line}");
        }
        text
    }
}
