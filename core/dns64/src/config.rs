//! What an administrator decides about synthesis.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;
use core::time::Duration;

use domain::base::Name;
use domain::base::name::{FromStrError, ToLabelIter};
use sixgate_wire::addr::{IpPrefix, Ipv4Prefix, Ipv6Prefix, Prefix64};

use crate::special;

/// Everything the machine is told once. Immutable: a reload makes a new [`crate::Dns64`].
#[derive(Clone, Debug)]
pub struct Config {
    /// In the order of the file. Without a rule nothing is synthesised and everything is passed on.
    pub rules: Vec<Rule>,
    /// Lifts RFC 6052, section 3.1 for `64:ff9b::/96`.
    pub well_known_non_global: bool,
    /// IPv4 addresses that are never synthesised, beside the special ranges.
    pub exclude_ipv4: Vec<Ipv4Prefix>,
    /// Real AAAA records that count as absent (RFC 6147, section 5.1.4).
    pub exclude_ipv6: Vec<Ipv6Prefix>,
    /// Never synthesised.
    pub exclude_names: Vec<NamePattern>,
    /// Real AAAA records are ignored.
    pub always_names: Vec<NamePattern>,
    /// Labels that are refused; `None` refuses none.
    pub block: Option<Block>,
    /// TTL in seconds of the answers about `ipv4only.arpa`: the lease of the prefix (RFC 8880); at most a day is given.
    pub prefix_lifetime: u32,
    /// How long AAAA alone is waited for before A is asked beside it.
    pub head_start: Duration,
    /// When a AAAA that was not answered counts as failed, from the question on.
    pub patience: Duration,
    /// When the asker gets SERVFAIL, from the question on.
    pub deadline: Duration,
    /// Largest answer over UDP in octets.
    pub largest_datagram: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            well_known_non_global: false,
            exclude_ipv4: Vec::new(),
            exclude_ipv6: Vec::from([mapped()]),
            exclude_names: Vec::new(),
            always_names: Vec::new(),
            block: None,
            prefix_lifetime: 86_400,
            head_start: Duration::from_millis(50),
            // Askers give up after 3 to 5 s, so there must be time left for A.
            patience: Duration::from_millis(1_500),
            deadline: Duration::from_secs(5),
            // The tunnels have an MTU of 1,280 octets: less 40 for IPv6 and 8 for UDP.
            largest_datagram: 1_232,
        }
    }
}

/// `::ffff:0:0/96`: the default of RFC 6147, section 5.1.4.
fn mapped() -> Ipv6Prefix {
    Ipv6Prefix::containing(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), 96)
}

impl Config {
    /// Which rules serve this asker, one bit a rule.
    pub(crate) fn view(&self, asker: IpAddr) -> Option<u64> {
        if self.rules.len() > 64 {
            return None;
        }
        let serving = self.rules.iter().enumerate().filter(|(_, rule)| rule.serves(asker));
        Some(serving.fold(0, |view, (n, _)| view | 1 << n))
    }

    /// The prefixes that this asker gets, in the order of the file, without regard to IPv4 ranges.
    pub(crate) fn prefixes_of(&self, asker: IpAddr) -> impl Iterator<Item = Prefix64> + '_ {
        self.rules.iter().filter(move |rule| rule.serves(asker)).map(|rule| rule.prefix)
    }

    /// The addresses that stand for `v4` towards `asker`, one for each rule that fits; none when it is excluded.
    pub(crate) fn synthesise(&self, asker: IpAddr, v4: Ipv4Addr) -> impl Iterator<Item = Ipv6Addr> + '_ {
        let excluded = special::never(v4) || self.exclude_ipv4.iter().any(|range| range.contains(v4));
        self.rules
            .iter()
            .filter(move |rule| !excluded && rule.serves(asker) && rule.covers(v4))
            // RFC 6052, section 3.1: the well-known prefix MUST NOT represent non-global IPv4 addresses.
            .filter(move |rule| {
                self.well_known_non_global || !rule.prefix.is_well_known() || special::global(v4)
            })
            .map(move |rule| rule.prefix.embed(v4))
    }

    /// True for a real AAAA that counts as absent.
    pub(crate) fn excludes(&self, v6: Ipv6Addr) -> bool {
        self.exclude_ipv6.iter().any(|range| range.contains(v6))
    }
}

/// One prefix, for whom and for what.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Where the IPv4 address goes.
    pub prefix: Prefix64,
    /// Who gets it; empty means everybody.
    pub clients: Vec<IpPrefix>,
    /// Which IPv4 addresses; empty means all (RFC 6147, section 5.2).
    pub ipv4: Vec<Ipv4Prefix>,
}

impl Rule {
    /// A rule for everybody and every address.
    #[must_use]
    pub const fn for_all(prefix: Prefix64) -> Self {
        Self { prefix, clients: Vec::new(), ipv4: Vec::new() }
    }

    fn serves(&self, asker: IpAddr) -> bool {
        self.clients.is_empty() || self.clients.iter().any(|range| range.contains(asker))
    }

    fn covers(&self, v4: Ipv4Addr) -> bool {
        self.ipv4.is_empty() || self.ipv4.iter().any(|range| range.contains(v4))
    }
}

/// Names that are answered NXDOMAIN whatever the organisation's servers say, as the query block list of Microsoft DNS.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// First labels, any case: `isatap`, `wpad`.
    pub labels: Vec<String>,
    /// Zones in whose names the labels are refused. The apex itself never is.
    pub zones: Vec<Name<Vec<u8>>>,
    /// Also the label alone, without any zone.
    pub bare: bool,
}

impl Block {
    pub(crate) fn covers(&self, name: &Name<Vec<u8>>) -> bool {
        let first = name.first();
        if !self.labels.iter().any(|label| first.as_slice().eq_ignore_ascii_case(label.as_bytes())) {
            return false;
        }
        (self.bare && name.label_count() == 2)
            || self.zones.iter().any(|zone| name.ends_with(zone) && name.label_count() > zone.label_count())
    }
}

/// Which names an entry of a list means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NamePattern {
    /// `host.corp.example`: this name.
    Exactly(Name<Vec<u8>>),
    /// `.corp.example`: the apex and all below, on label borders.
    Under(Name<Vec<u8>>),
}

impl NamePattern {
    /// True when the entry means `name`; case does not matter.
    pub fn matches<N: ToLabelIter + ?Sized>(&self, name: &N) -> bool {
        match self {
            Self::Exactly(own) => own.label_count() == name.iter_labels().count() && name.ends_with(own),
            Self::Under(apex) => name.ends_with(apex),
        }
    }
}

impl FromStr for NamePattern {
    type Err = FromStrError;
    fn from_str(text: &str) -> Result<Self, FromStrError> {
        match text.strip_prefix('.') {
            Some("") => Ok(Self::Under(Name::root_vec())),
            Some(apex) => Name::vec_from_str(apex).map(Self::Under),
            None => Name::vec_from_str(text).map(Self::Exactly),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn name(text: &str) -> Name<Vec<u8>> {
        Name::vec_from_str(text).unwrap()
    }

    #[test]
    fn only_the_first_label_below_a_zone_is_blocked() {
        let block = Block {
            labels: vec!["isatap".into(), "wpad".into()],
            zones: vec![name("corp.example"), name("wpad.other.example")],
            bare: true,
        };
        for blocked in ["isatap.corp.example", "ISATAP.a.corp.example", "wpad", "wpad.wpad.other.example"] {
            assert!(block.covers(&name(blocked)), "{blocked}");
        }
        for free in [
            "x.isatap.corp.example",
            "isatap2.corp.example",
            "da-isatap.corp.example",
            "isatap.example",
            "wpad.other.example",
            "isatap.xcorp.example",
        ] {
            assert!(!block.covers(&name(free)), "{free}");
        }
    }

    #[test]
    fn patterns_keep_to_label_borders() {
        let exact: NamePattern = "host.corp.example".parse().unwrap();
        let under: NamePattern = ".corp.example".parse().unwrap();
        assert!(exact.matches(&name("HOST.corp.example")) && !exact.matches(&name("a.host.corp.example")));
        assert!(under.matches(&name("corp.example")) && under.matches(&name("a.b.corp.example")));
        assert!(!under.matches(&name("xcorp.example")));
        assert!(".".parse::<NamePattern>().unwrap().matches(&name("any.thing")));
    }

    #[test]
    fn every_rule_that_fits_gives_one_address_in_file_order() {
        let prefix = |text: &str| Prefix64::new(text.parse().unwrap()).unwrap();
        let config = Config {
            rules: vec![
                Rule {
                    ipv4: vec!["10.0.0.0/8".parse().unwrap()],
                    ..Rule::for_all(prefix("2001:db8:2::/96"))
                },
                Rule {
                    clients: vec!["fd64::/64".parse().unwrap()],
                    ..Rule::for_all(prefix("2001:db8:1::/96"))
                },
                Rule::for_all(prefix("64:ff9b::/96")),
            ],
            exclude_ipv4: vec!["10.6.99.0/24".parse().unwrap()],
            ..Config::default()
        };
        let of = |asker: &str, v4: &str| {
            config
                .synthesise(asker.parse().unwrap(), v4.parse().unwrap())
                .map(|a| alloc::format!("{a}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(of("fd64::9", "10.0.0.1"), ["2001:db8:2::a00:1", "2001:db8:1::a00:1"]);
        assert_eq!(of("fd65::9", "8.8.8.8"), ["64:ff9b::808:808"]);
        assert_eq!(of("fd64::9", "8.8.8.8"), ["2001:db8:1::808:808", "64:ff9b::808:808"]);
        assert!(of("fd64::9", "10.6.99.7").is_empty() && of("fd64::9", "127.0.0.1").is_empty());
    }
}
