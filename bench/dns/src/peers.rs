//! Who is measured, each with one thread and as its makers mean it: a forwarder with DNS64 and a cache that is large enough.

use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use domain::base::Message;
use domain::rdata::Aaaa;

use crate::daemon::{PORT, write};
use crate::zone::PORT as UPSTREAM;

/// The prefix of all of them.
const PREFIX: &str = "2001:db8:64::";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Peer {
    Sixgate,
    Unbound,
    Bind,
    Knot,
    Pdns,
}

impl Peer {
    pub(crate) const ALL: [Self; 5] = [Self::Sixgate, Self::Unbound, Self::Bind, Self::Knot, Self::Pdns];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sixgate => "sixgate",
            Self::Unbound => "unbound",
            Self::Bind => "bind9",
            Self::Knot => "knot-resolver",
            Self::Pdns => "pdns-recursor",
        }
    }

    /// Writes its files and gives its command line.
    pub(crate) fn prepare(self, folder: &Path) -> Result<Vec<String>, String> {
        let own = folder.display();
        let (file, text) = match self {
            Self::Sixgate => (
                "sixgate.toml",
                format!(
                    "schema = 1\ncontrol = \"{own}/control.sock\"\nstate = \"{own}/state\"\n\
                     [dns]\nlisten = [\"127.0.0.1:{PORT}\"]\nupstream = [\"127.0.0.1:{UPSTREAM}\"]\nblock = false\n\
                     [dns64]\n[[dns64.rule]]\nprefix = \"{PREFIX}/96\"\n"
                ),
            ),
            Self::Unbound => (
                "unbound.conf",
                format!(
                    "server:\n  interface: 127.0.0.1@{PORT}\n  access-control: 127.0.0.0/8 allow\n  do-daemonize: no\n  \
                     use-syslog: no\n  chroot: \"\"\n  username: \"\"\n  directory: \"{own}\"\n  pidfile: \"\"\n  num-threads: 1\n  \
                     module-config: \"dns64 iterator\"\n  dns64-prefix: {PREFIX}/96\n  do-not-query-localhost: no\n  \
                     msg-cache-size: 256m\n  rrset-cache-size: 256m\n  outgoing-range: 4096\n  num-queries-per-thread: 2048\n\
                     forward-zone:\n  name: \".\"\n  forward-addr: 127.0.0.1@{UPSTREAM}\n"
                ),
            ),
            Self::Bind => (
                "named.conf",
                format!(
                    "options {{ directory \"{own}\"; listen-on port {PORT} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; \
                     pid-file none; session-keyfile none; recursion yes; allow-query {{ any; }}; allow-recursion {{ any; }}; \
                     forwarders {{ 127.0.0.1 port {UPSTREAM}; }}; forward only; dnssec-validation no; querylog no; \
                     dns64 {PREFIX}/96 {{ clients {{ any; }}; }}; max-cache-size 512m; recursive-clients 10000; \
                     empty-zones-enable no; }};\ncontrols {{ }};\n"
                ),
            ),
            Self::Knot => (
                "kresd.conf",
                format!(
                    "net.listen('127.0.0.1', {PORT}, {{ kind = 'dns' }})\ncache.size = 256 * MB\n\
                     trust_anchors.remove('.')\nmodules.load('dns64')\ndns64.config({{ prefix = '{PREFIX}' }})\n\
                     policy.add(policy.all(policy.FORWARD({{'127.0.0.1@{UPSTREAM}'}})))\n"
                ),
            ),
            Self::Pdns => (
                "recursor.conf",
                format!(
                    "local-address=127.0.0.1\nlocal-port={PORT}\nforward-zones-recurse=.=127.0.0.1:{UPSTREAM}\ndnssec=off\n\
                     threads=1\npdns-distributes-queries=no\ndns64-prefix={PREFIX}/96\ndaemon=no\ndisable-syslog=yes\n\
                     socket-dir={own}\nallow-from=127.0.0.0/8\ndont-query=\nquiet=yes\nmax-mthreads=4096\nsecurity-poll-suffix=\n"
                ),
            ),
        };
        let file = folder.join(file);
        write(&file, &text)?;
        let file = file.display().to_string();
        let words = match self {
            Self::Sixgate => {
                let binary = std::env::var("SIXGATE_BIN")
                    .map_err(|_| "SIXGATE_BIN must name the binary (make bench does)".to_owned())?;
                vec![binary, "run".into(), "--config".into(), file]
            }
            Self::Unbound => vec!["unbound".into(), "-d".into(), "-c".into(), file],
            Self::Bind => ["named", "-f", "-n", "1", "-c", &file].map(str::to_owned).into(),
            Self::Knot => ["kresd", "-n", "-c", &file, &own.to_string()].map(str::to_owned).into(),
            Self::Pdns => vec!["pdns_recursor".into(), format!("--config-dir={own}")],
        };
        Ok(words)
    }
}

/// A figure of a resolver that answers something else says nothing.
pub(crate) fn check(peer: Peer) -> Result<(), String> {
    let socket = UdpSocket::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    socket.set_read_timeout(Some(Duration::from_secs(3))).map_err(|e| e.to_string())?;
    let mut buffer = [0; 1_500];
    for n in [7_u8, 8] {
        let question = crate::load::question(2, &format!("n{n}"));
        socket.send_to(&question, ("127.0.0.1", PORT)).map_err(|e| e.to_string())?;
        let length = socket.recv(&mut buffer).map_err(|e| format!("{}: {e}", peer.name()))?;
        let message =
            Message::from_slice(buffer.get(..length).unwrap_or_default()).map_err(|e| e.to_string())?;
        let records = message.answer().map_err(|e| e.to_string())?.limit_to_in::<Aaaa>();
        let found: Vec<_> = records.flatten().map(|record| record.data().addr().to_string()).collect();
        if found != [format!("{PREFIX}a00:{n}")] {
            return Err(format!("{}: n{n} is answered {found:?}", peer.name()));
        }
    }
    Ok(())
}
