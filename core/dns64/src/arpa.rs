//! Zones that this resolver answers by itself: `ipv4only.arpa` (RFC 7050, RFC 8880) and the reverse names of its prefixes
//! (RFC 6147, section 5.3.1).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use domain::base::iana::{Class, OptRcode, Rtype};
use domain::base::name::{Label, ToLabelIter};
use domain::base::{Name, Serial, Ttl};
use domain::rdata::{A, Aaaa, AllRecordData, Ptr, Soa};
use sixgate_wire::addr::Prefix64;

use crate::config::Config;
use crate::query::Query;
use crate::records::{OwnedName, OwnedRecord};
use crate::reply::Body;

/// RFC 7050, section 2.2.
const WELL_KNOWN: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 0, 170), Ipv4Addr::new(192, 0, 0, 171)];

/// Seconds for what stands in no upstream's zone.
const LOCAL_TTL: u32 = 600;

const DAY: u32 = 86_400;

/// What a name under `arpa` calls for.
pub(crate) enum Local {
    /// Not ours: ask upstream.
    Elsewhere,
    /// Ours, and this is the answer.
    Answer(Body),
    /// An address that stands for this one: its own PTR is to be looked up.
    Reverse(Ipv4Addr),
}

/// Judges a question of class IN.
pub(crate) fn judge(config: &Config, asker: IpAddr, query: &Query) -> Local {
    // Without a rule there is no DNS64 here, so nothing under arpa is ours.
    if config.rules.is_empty() || query.name.last() != Label::root() {
        return Local::Elsewhere;
    }
    if let Some(body) = ipv4only(config, asker, query) {
        return Local::Answer(body);
    }
    reverse(config, query)
}

/// RFC 8880, section 7.1: the resolver is authoritative for the name; only DS is the parent's and goes upstream.
fn ipv4only(config: &Config, asker: IpAddr, query: &Query) -> Option<Body> {
    let zone = name("ipv4only.arpa");
    let ttl = config.prefix_lifetime.min(DAY);
    if query.name.ends_with(&zone) {
        if query.name.label_count() > zone.label_count() {
            return Some(denial(OptRcode::NXDOMAIN, zone, ttl));
        }
        let data: Vec<_> = match query.rtype {
            Rtype::DS => return None,
            Rtype::A | Rtype::ANY => WELL_KNOWN.into_iter().map(|v4| AllRecordData::A(A::new(v4))).collect(),
            Rtype::AAAA => config
                .prefixes_of(asker)
                .flat_map(|prefix| WELL_KNOWN.map(|v4| AllRecordData::Aaaa(Aaaa::new(prefix.embed(v4)))))
                .collect(),
            Rtype::SOA => Vec::from([AllRecordData::Soa(soa(ttl))]),
            _ => Vec::new(),
        };
        return Some(data_or_denial(query, data, zone, ttl));
    }
    // RFC 8880, section 7.2
    let zone = WELL_KNOWN.into_iter().map(in_addr_arpa).find(|zone| *zone == query.name)?;
    match query.rtype {
        Rtype::DS => None,
        Rtype::PTR => Some(data_or_denial(query, Vec::from([ipv4only_ptr()]), zone, ttl)),
        _ => Some(denial(OptRcode::NOERROR, zone, ttl)),
    }
}

fn ipv4only_ptr() -> AllRecordData<Vec<u8>, OwnedName> {
    AllRecordData::Ptr(Ptr::new(name("ipv4only.arpa")))
}

/// Any prefix in use at the site counts, not only this asker's.
fn reverse(config: &Config, query: &Query) -> Local {
    for rule in &config.rules {
        let Some(position) = Position::of(&query.name, rule.prefix) else {
            continue;
        };
        let zone = ip6_arpa(rule.prefix);
        return match position {
            Position::Inside(v4) if query.rtype == Rtype::PTR => {
                if WELL_KNOWN.contains(&v4) {
                    let ttl = config.prefix_lifetime.min(DAY);
                    return Local::Answer(data_or_denial(query, Vec::from([ipv4only_ptr()]), zone, ttl));
                }
                Local::Reverse(v4)
            }
            Position::Inside(_) | Position::Above => {
                Local::Answer(denial(OptRcode::NOERROR, zone, LOCAL_TTL))
            }
            Position::Nowhere => Local::Answer(denial(OptRcode::NXDOMAIN, zone, LOCAL_TTL)),
        };
    }
    Local::Elsewhere
}

/// The alias of RFC 6147, section 5.3.1: from the IPv6 reverse name to the IPv4 one.
pub(crate) fn alias(query: &Query, v4: Ipv4Addr) -> (OwnedRecord, OwnedName) {
    let target = in_addr_arpa(v4);
    let cname = AllRecordData::Cname(domain::rdata::Cname::new(target.clone()));
    (OwnedRecord::new(query.name.clone(), Class::IN, Ttl::from_secs(LOCAL_TTL), cname), target)
}

/// Where a reverse name lies in the tree of a prefix.
#[derive(PartialEq, Eq, Debug)]
enum Position {
    /// A whole address, which stands for this one.
    Inside(Ipv4Addr),
    /// Fewer than 32 nibbles: something exists below.
    Above,
    /// More than 32 labels, or one that is no nibble.
    Nowhere,
}

impl Position {
    /// `None` outside the tree of `prefix`.
    fn of(reverse: &OwnedName, prefix: Prefix64) -> Option<Self> {
        let labels = reverse.iter_labels().filter(|label| !label.is_root()).collect::<Vec<_>>();
        let [nibbles @ .., ip6, arpa] = labels.as_slice() else {
            return None;
        };
        if !ip6.as_slice().eq_ignore_ascii_case(b"ip6") || !arpa.as_slice().eq_ignore_ascii_case(b"arpa") {
            return None;
        }
        // All lengths of RFC 6052 are whole nibbles, so a name is either under the prefix or not.
        let wanted = usize::from(prefix.prefix().length()) / 4;
        let own = prefix.prefix().address().to_bits();
        if nibbles.len() < wanted {
            return None;
        }
        let mut bits = 0_u128;
        for (depth, label) in nibbles.iter().rev().enumerate() {
            let value = match label.as_slice() {
                [digit] => char::from(*digit).to_digit(16),
                _ => None,
            };
            let shift = 124_usize.checked_sub(depth * 4);
            match (value, shift) {
                (Some(value), Some(shift)) => bits |= u128::from(value) << shift,
                (None, _) if depth < wanted => return None,
                _ => return Some(Self::Nowhere),
            }
            if depth + 1 == wanted && bits != own {
                return None;
            }
        }
        if nibbles.len() < 32 {
            return Some(Self::Above);
        }
        prefix.extract(Ipv6Addr::from_bits(bits)).map(Self::Inside)
    }
}

fn data_or_denial(
    query: &Query,
    data: Vec<AllRecordData<Vec<u8>, OwnedName>>,
    zone: OwnedName,
    ttl: u32,
) -> Body {
    if data.is_empty() {
        return denial(OptRcode::NOERROR, zone, ttl);
    }
    let record = |data| OwnedRecord::new(query.name.clone(), Class::IN, Ttl::from_secs(ttl), data);
    Body { authoritative: true, answer: data.into_iter().map(record).collect(), ..Body::default() }
}

fn denial(rcode: OptRcode, zone: OwnedName, ttl: u32) -> Body {
    let soa = OwnedRecord::new(zone, Class::IN, Ttl::from_secs(ttl), AllRecordData::Soa(soa(ttl)));
    Body { rcode: Some(rcode), authoritative: true, authority: Vec::from([soa]), ..Body::default() }
}

/// RFC 6303, section 3 gives locally served zones such a SOA.
fn soa(ttl: u32) -> Soa<OwnedName> {
    let seconds = Ttl::from_secs;
    Soa::new(
        name("localhost"),
        name("nobody.invalid"),
        Serial(1),
        seconds(3_600),
        seconds(1_200),
        seconds(604_800),
        seconds(ttl),
    )
}

fn in_addr_arpa(v4: Ipv4Addr) -> OwnedName {
    let [a, b, c, d] = v4.octets();
    let mut text = String::new();
    // Writing to a String never fails.
    let _ok = write!(text, "{d}.{c}.{b}.{a}.in-addr.arpa");
    name(&text)
}

fn ip6_arpa(prefix: Prefix64) -> OwnedName {
    let bits = prefix.prefix().address().to_bits();
    let mut text = String::new();
    for nibble in (0..usize::from(prefix.prefix().length()) / 4).rev() {
        let _ok = write!(text, "{:x}.", (bits >> (124 - nibble * 4)) & 0xf);
    }
    text.push_str("ip6.arpa");
    name(&text)
}

/// Of a text that is written in this file.
fn name(text: &str) -> OwnedName {
    Name::vec_from_str(text).unwrap_or_else(|_| Name::root_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn place(reverse: &str, prefix: &str) -> Option<Position> {
        Position::of(&name(reverse), Prefix64::new(prefix.parse().unwrap()).unwrap())
    }

    #[test]
    fn reverse_names_are_placed_in_the_tree_of_their_prefix() {
        let prefix = "64:ff9b::/96";
        let whole = "1.2.0.0.0.0.0.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.9.f.f.4.6.0.0.ip6.arpa";
        assert_eq!(place(whole, prefix), Some(Position::Inside(Ipv4Addr::new(192, 0, 0, 33))));
        assert_eq!(place(&whole.to_uppercase(), prefix), place(whole, prefix));
        assert_eq!(place(&whole[2..], prefix), Some(Position::Above));
        assert_eq!(place(&whole[16..], prefix), Some(Position::Above));
        assert_eq!(place(&whole[18..], prefix), None);
        assert_eq!(place(&format!("0.{whole}"), prefix), Some(Position::Nowhere));
        assert_eq!(place(&format!("g{}", &whole[1..]), prefix), Some(Position::Nowhere));
        assert_eq!(place(&format!("12{}", &whole[3..]), prefix), Some(Position::Nowhere));
        assert_eq!(place(whole, "2001:db8::/96"), None);
        assert_eq!(place("ip6.arpa", prefix), None);
        assert_eq!(place("arpa", prefix), None);
    }

    #[test]
    fn a_prefix_has_its_zone() {
        let prefix = Prefix64::new("2001:db8:122:344::/64".parse().unwrap()).unwrap();
        assert_eq!(ip6_arpa(prefix), name("4.4.3.0.2.2.1.0.8.b.d.0.1.0.0.2.ip6.arpa"));
        assert_eq!(in_addr_arpa(Ipv4Addr::new(10, 6, 0, 53)), name("53.0.6.10.in-addr.arpa"));
    }
}
