//! 750 to 759: the translator.

use super::Diagnosis;

/// Ports or sessions are used up.
pub static SG_NAT64_001: Diagnosis = Diagnosis {
    number: 750,
    code: "SG-NAT64-001",
    text: "the port pool of the translator, or what one client may have of it, is used up",
    meaning: "Every connection from IPv6 to IPv4 takes a port of the pool. Where none is left, or a client has as many as it may \
              have, new connections are refused with an ICMPv6 error, while those that are open go on.",
    causes: &[
        "the pool is too small for the number of clients: some hundred ports a client are usual",
        "one client opens far more than others: a scanner, a resolver, a peer-to-peer program, malware",
        "`max-sessions-per-client` or `max-ports-per-client` is too low for what clients do",
    ],
    proof: &[
        "on the gateway: `sixgate nat64 pools` shows a part that is full",
        "`sixgate nat64 sessions --client CLIENT` shows what one client has, and `total` how many",
        "`sixgate counters`: the counters below rise",
    ],
    fix: "add addresses or ports to `pool` (a reload keeps the sessions), limit what one client may have, or raise the limit that is \
          too low",
    references: &["RFC 6888, section 3", "docs/configuration.md, [nat64] pool and max-sessions-per-client"],
    reasons: &["nat64-pool-exhausted", "nat64-client-limit", "nat64-client-ports"],
};

/// Nothing leads to the translator.
pub static SG_NAT64_003: Diagnosis = Diagnosis {
    number: 752,
    code: "SG-NAT64-003",
    text: "the NAT64 prefix or a pool address is not routed to the translator",
    meaning: "The daemon routes its prefix and its pool to a device of its own. Without these routes packets never reach it: with the \
              prefix missing nothing leaves, with the pool missing no answer comes back.",
    causes: &[
        "the device was set down or deleted by hand or by a network manager",
        "a route was deleted, or another with a longer prefix leads elsewhere",
        "a VPN or a routing daemon took the prefix over",
    ],
    proof: &[
        "`ip link show nat64` is there and UP",
        "`ip -6 route get PREFIX-ADDRESS` and `ip route get POOL-ADDRESS` name the device",
    ],
    fix: "restart the daemon, which makes device and routes anew, and keep whatever took them away from doing so",
    references: &["docs/configuration.md, [nat64] device"],
    reasons: &[],
};

/// A pool address is somebody's.
pub static SG_NAT64_004: Diagnosis = Diagnosis {
    number: 753,
    code: "SG-NAT64-004",
    text: "an address of the pool is also an address of this machine",
    meaning: "The kernel keeps packets to its own addresses. Answers to connections that left from such a pool address end in the \
              kernel, which resets them.",
    causes: &[
        "somebody gave an interface an address that the pool has",
        "the pool was written down with a prefix that is too wide",
    ],
    proof: &["`ip address` shows the address, and `ip route get ADDRESS` says `local`"],
    fix: "take the address off the interface or out of the pool; one that is to be shared needs an entry of its own with its ports, \
          as ADDRESS:10000-29999",
    references: &["docs/configuration.md, [nat64] pool"],
    reasons: &[],
};

/// DNS64 and NAT64 disagree.
pub static SG_NAT64_005: Diagnosis = Diagnosis {
    number: 754,
    code: "SG-NAT64-005",
    text: "DNS64 gives addresses in a prefix that NAT64 does not translate",
    meaning: "Clients get addresses for IPv4-only names in one prefix, and the translator has another one. Names resolve, and every \
              connection fails.",
    causes: &[
        "`prefix` was changed in one of the two sections",
        "a DNS64 rule names the prefix of another translator that is gone",
    ],
    proof: &[
        "`sixgate dns64 explain NAME` gives an address for which `sixgate nat64 explain` says nat64-not-ours",
    ],
    fix: "write the same prefix in [nat64] and in the rules of [dns64], or leave it out of [dns64]; where another machine translates \
          that prefix nothing is wrong",
    references: &["RFC 6147, section 5.2", "docs/configuration.md, [dns64]"],
    reasons: &["nat64-not-ours"],
};

/// The well-known prefix and private addresses.
pub static SG_NAT64_006: Diagnosis = Diagnosis {
    number: 755,
    code: "SG-NAT64-006",
    text: "the well-known prefix is used for private addresses, which it may not stand for",
    meaning: "RFC 6052 keeps 64:ff9b::/96 for addresses of the Internet. Packets to private IPv4 addresses in it are refused, so that \
              an intranet cannot be reached through it.",
    causes: &[
        "the file has no prefix of its own, and the intranet has private addresses",
        "clients have synthesised the address themselves, with the prefix that they were told",
    ],
    proof: &["`sixgate counters`: nat64-destination-denied rises", "`sixgate nat64 explain` says why"],
    fix: "use a prefix of your own, or one of 64:ff9b:1::/48 (RFC 8215); or lift the rule with `well-known-non-global = true`, in [nat64] \
          and [dns64]",
    references: &[
        "RFC 6052, section 3.1",
        "RFC 8215",
        "docs/configuration.md, [nat64] well-known-non-global",
    ],
    reasons: &["nat64-destination-denied"],
};

pub(super) static ALL: &[&Diagnosis] =
    &[&SG_NAT64_001, &SG_NAT64_003, &SG_NAT64_004, &SG_NAT64_005, &SG_NAT64_006];
