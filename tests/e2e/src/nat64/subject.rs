//! Who translates: sixgate, or a peer that proves the tests. A case that the peer cannot do says why; then it must fail with it.

use std::time::Duration;

use super::site::Setting;
use crate::plain::{Daemon, Row, wait};

/// Whom the suite is run against: `NAT64_SUBJECT`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// Ours; the default.
    Sixgate,
    /// Stateless tayga with the kernel's own address translation behind it (nft `snat`).
    Tayga,
}

/// What was started.
pub(super) enum Translator {
    Ours(Daemon),
    /// It ends with its row.
    Foreign,
}

impl Translator {
    pub(super) const fn daemon(&self) -> Option<&Daemon> {
        match self {
            Self::Ours(daemon) => Some(daemon),
            Self::Foreign => None,
        }
    }
}

impl Subject {
    /// As the variable says.
    ///
    /// # Panics
    /// It names nobody that we know.
    #[must_use]
    pub fn chosen() -> Self {
        match std::env::var("NAT64_SUBJECT").as_deref() {
            Err(_) | Ok("" | "sixgate") => Self::Sixgate,
            Ok("tayga") => Self::Tayga,
            Ok(other) => panic!("NAT64_SUBJECT is sixgate or tayga, not {other}"),
        }
    }

    /// Starts it on the machine in the middle.
    pub(super) fn start(self, row: &mut Row, setting: &Setting<'_>) -> Translator {
        match self {
            Self::Sixgate => {
                let pool = setting.pool.iter().map(|entry| format!("\"{entry}\"")).collect::<Vec<_>>();
                let prefix = if setting.keys.contains("prefixes") {
                    String::new()
                } else {
                    format!("prefix = \"{}\"\n", setting.prefix)
                };
                // For the whole suite with another key, such as `workers = 2`.
                let more = std::env::var("NAT64_KEYS").unwrap_or_default();
                let text = format!("[nat64]\n{more}\n{prefix}pool = [{}]\n{}", pool.join(", "), setting.keys);
                let file = row.file("nat64", &text);
                Translator::Ours(row.daemon("middle", &["run"], &file))
            }
            Self::Tayga => {
                tayga(row, setting);
                Translator::Foreign
            }
        }
    }
}

/// Stateless translation into addresses of its own, which leave as those of the pool.
fn tayga(row: &mut Row, setting: &Setting<'_>) {
    let (prefix, pool) = (setting.prefix, setting.pool.first().expect("a pool"));
    let folder = row.folder().display().to_string();
    let file = format!("{folder}/tayga.conf");
    let text = format!(
        "tun-device nat64\nipv4-addr 192.168.255.1\nipv6-addr 2001:db8::64\nprefix {prefix}\n\
         dynamic-pool 192.168.255.0/24\ndata-dir {folder}\n"
    );
    std::fs::write(&file, text).expect("a file can be written");
    let range = match pool.split_once('/') {
        Some((first, _)) => {
            let first = u32::from(first.parse::<std::net::Ipv4Addr>().expect("an address"));
            format!("{}-{}", std::net::Ipv4Addr::from(first + 1), std::net::Ipv4Addr::from(first + 14))
        }
        None => (*pool).to_owned(),
    };
    let rules = format!(
        "table ip pool {{ chain out {{ type nat hook postrouting priority srcnat; \
         oifname m1 ip saddr 192.168.255.0/24 snat to {range}; }}; }}"
    );
    std::fs::write(format!("{folder}/rules"), rules).expect("a file can be written");
    let script = format!(
        "set -e; sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; tayga -c {file} --mktun; \
         ip link set nat64 up; ip route add 192.168.255.0/24 dev nat64; ip -6 route add {prefix} dev nat64; \
         ip route add blackhole {pool}; nft -f {folder}/rules"
    );
    let said = row.sh("middle", &script);
    assert!(said.good, "tayga: {}", said.text);
    row.start("middle", &format!("tayga -n -c {file}"));
    let runs = || row.sh("middle", "ip link show nat64 | grep -q LOWER_UP").good;
    assert!(wait(Duration::from_secs(5), runs), "tayga has its device");
}
