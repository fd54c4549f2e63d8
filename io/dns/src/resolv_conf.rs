//! What the system asks: `/etc/resolv.conf` (resolv.conf(5)).

use std::net::{IpAddr, SocketAddr};

/// Servers and suffixes of a resolver file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ResolvConf {
    /// In the order of the file. Scoped link-local addresses keep their scope.
    pub servers: Vec<SocketAddr>,
    /// `search`, or else `domain`: lower case, without dots at the ends.
    pub search: Vec<String>,
}

impl ResolvConf {
    /// Reads a resolver file's text. Lines that nobody understands are skipped, as every resolver does.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        for line in text.lines() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => conf.servers.extend(words.next().and_then(server)),
                // The last of several wins.
                Some("search" | "domain") => {
                    conf.search = words.map(|word| word.trim_matches('.').to_ascii_lowercase()).collect();
                    conf.search.retain(|word| !word.is_empty());
                }
                _ => {}
            }
        }
        conf
    }

    /// Reads `/etc/resolv.conf`; a file that is missing names no server.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn of_system() -> std::io::Result<Self> {
        match std::fs::read_to_string("/etc/resolv.conf") {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }
}

/// An address with an optional scope, on port 53.
fn server(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, 53));
    }
    let (address, scope) = text.split_once('%')?;
    let index = match scope.parse() {
        Ok(index) => index,
        Err(_) => {
            std::fs::read_to_string(format!("/sys/class/net/{scope}/ifindex")).ok()?.trim().parse().ok()?
        }
    };
    Some(SocketAddr::V6(std::net::SocketAddrV6::new(address.parse().ok()?, 53, 0, index)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_suffixes_are_read_and_the_rest_skipped() {
        let conf = ResolvConf::parse(
            "# comment\nnameserver 10.6.0.53\nnameserver fd00::53 # two\noptions ndots:2\n\
             nameserver fe80::1%7\nnameserver nonsense\ndomain old.example\nsearch Corp.Example. b.example\n",
        );
        assert_eq!(
            conf.servers,
            [
                "10.6.0.53:53".parse().unwrap(),
                "[fd00::53]:53".parse().unwrap(),
                "[fe80::1%7]:53".parse().unwrap()
            ]
        );
        assert_eq!(conf.search, ["corp.example", "b.example"]);
        assert_eq!(ResolvConf::parse(""), ResolvConf::default());
    }
}
