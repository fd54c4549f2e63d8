//! What the instructions are made from: checked, so that no text of theirs can end a quotation in a file or a command.

use core::fmt;
use core::net::Ipv4Addr;

use jiff::civil::DateTime;
use sixgate_wire::addr::Ipv6Prefix;

/// Everything that a way may want to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parameters {
    /// What hosts are told.
    pub router: Router,
    /// The IPv4 addresses behind the name: this router, and the others of the site.
    pub addresses: Vec<Ipv4Addr>,
    /// Of the ISATAP link.
    pub prefix: Option<Ipv6Prefix>,
    /// What hosts reach through the router: the clients.
    pub routes: Vec<Ipv6Prefix>,
    /// Of the link.
    pub mtu: u32,
    /// The router offers a default route.
    pub default_route: bool,
    /// The security group of the machines that are to have ISATAP.
    pub group: Group,
    /// Machines whose own IPv4 address must be written into a file.
    pub hosts: Vec<Ipv4Addr>,
    /// When the files were made, in UTC.
    pub written: DateTime,
}

impl Parameters {
    /// A router's name alone; everything else as it is when nothing is known.
    #[must_use]
    pub fn of(router: Router) -> Self {
        Self {
            router,
            addresses: Vec::new(),
            prefix: None,
            routes: Vec::new(),
            mtu: 1280,
            default_route: false,
            group: Group("ISATAP hosts".to_owned()),
            hosts: Vec::new(),
            written: DateTime::constant(2000, 1, 1, 0, 0, 0, 0),
        }
    }

    /// The DNS domain of the router's name.
    pub(crate) fn domain(&self) -> Option<&str> {
        match &self.router {
            Router::Name(name) => name.split_once('.').map(|(_, domain)| domain),
            Router::Address(_) => None,
        }
    }
}

/// What hosts are told: a name, never `isatap`, or an IPv4 address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Router {
    /// Lower case letters, digits, hyphens, underscores and dots.
    Name(String),
    /// A unicast address.
    Address(Ipv4Addr),
}

impl Router {
    /// Reads a name or an address.
    ///
    /// # Errors
    /// One line that says what is wrong and what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            let first = address.octets()[0];
            if first == 0 || first == 127 || first >= 224 {
                return Err(format!(
                    "`{text}` cannot be a router; allowed: a unicast IPv4 address of the site"
                ));
            }
            return Ok(Self::Address(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let label = |l: &str| {
            (1..=63).contains(&l.len())
                && !l.starts_with('-')
                && !l.ends_with('-')
                && l.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
        };
        let numeric = name.rsplit('.').next().is_some_and(|l| l.bytes().all(|c| c.is_ascii_digit()));
        if name.len() > 253 || numeric || !name.split('.').all(label) {
            return Err(format!(
                "`{text}` is no router; allowed: a DNS name like da-isatap.corp.example, or an IPv4 address"
            ));
        }
        if name.split('.').next() == Some("isatap") {
            return Err(
                "the ISATAP router's name must not begin with the label `isatap`: every Windows machine of the site \
                 looks this name up and would start to tunnel; take one like da-isatap.corp.example"
                    .to_owned(),
            );
        }
        Ok(Self::Name(name))
    }
}

impl fmt::Display for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// The name of a security group, without any character that a quotation could end with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group(String);

impl Group {
    /// Reads the name of a group.
    ///
    /// # Errors
    /// One line that says what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        // The characters that Active Directory refuses in sAMAccountName, and those that a shell would read.
        let bad = |c: char| c.is_control() || "\"'/\\[]:;|=,+*?<>`$@&%!{}".contains(c);
        if text.is_empty() || text.len() > 256 || text.trim() != text || text.contains(bad) {
            return Err(format!(
                "`{text}` cannot name a security group; allowed: letters, digits, spaces and -_.()#"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value that a way cannot do without.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    /// In words.
    pub what: &'static str,
    /// The option that gives it.
    pub option: &'static str,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not known; give {}", self.what, self.option)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_everybody_looks_up_is_refused_in_every_spelling() {
        for bad in ["isatap", "ISATAP", "isatap.", "isatap.corp.example", "IsAtAp.corp.example."] {
            assert!(Router::parse(bad).unwrap_err().contains("must not begin"), "{bad}");
        }
        assert_eq!(Router::parse("DA-ISATAP.corp.example.").unwrap().to_string(), "da-isatap.corp.example");
        assert_eq!(Router::parse("isatap-1").unwrap().to_string(), "isatap-1");
        assert_eq!(Router::parse("10.6.0.1").unwrap(), Router::Address([10, 6, 0, 1].into()));
    }

    #[test]
    fn nothing_that_ends_a_quotation_gets_in() {
        for bad in
            ["", "a b", "a'b", "a\"b", "a]]>b", "a;b", "a$b", "10.6.0", "224.0.0.1", "-a", "a..b", "a\nb"]
        {
            assert!(Router::parse(bad).is_err(), "{bad:?}");
        }
        for bad in ["", " a", "a'b", "a\"b", "a`b", "$a", "a\nb", "a]]>b", "a{b}"] {
            assert!(Group::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Group::parse("ISATAP hosts (EMEA)").unwrap().to_string(), "ISATAP hosts (EMEA)");
    }
}
