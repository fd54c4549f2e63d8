//! 730 to 749: names and the network around.

use super::Diagnosis;

/// The record of a client is not the client's.
pub static SG_DNS_001: Diagnosis = Diagnosis {
    number: 730,
    code: "SG-DNS-001",
    text: "a connected client's AAAA record is missing or stale",
    meaning: "The client is connected, but its name leads nowhere or to an address that it does not have. Whoever wants to reach \
              it by name (manage-out) fails, while the client itself notices nothing.",
    causes: &[
        "the signed update was refused: wrong key, or the zone does not allow it",
        "somebody deleted or replaced the record by hand",
        "the name server was restored from an old copy",
    ],
    proof: &["on the gateway: `sixgate who` and `dig NAME AAAA @SERVER` disagree"],
    fix: "look at the zone's update policy and key; the gateway registers again when the client reconnects",
    references: &["RFC 2136", "docs/configuration.md, [names] update"],
    reasons: &[],
};

/// The resolver is silent.
pub static SG_DNS_003: Diagnosis = Diagnosis {
    number: 732,
    code: "SG-DNS-003",
    text: "a name server does not answer",
    meaning: "The name server that this machine asks is silent or answers only with errors. Tunnels that are up stay up; what has to \
              be looked up anew fails or is slow.",
    causes: &[
        "the server is down",
        "port 53 is filtered",
        "the address in the file is not a name server any more",
    ],
    proof: &["`dig . SOA @SERVER`"],
    fix: "start the server, open port 53 for UDP and TCP, or name another one",
    references: &["docs/configuration.md, [dns] upstream and [host] nameserver"],
    reasons: &[],
};

/// `wpad` exists.
pub static SG_DNS_006: Diagnosis = Diagnosis {
    number: 735,
    code: "SG-DNS-006",
    text: "the name `wpad` exists",
    meaning: "Browsers and Windows look up `wpad` with their own suffix and take their proxy settings from whoever has that address. \
              Where nobody made the record on purpose, it is a way to read everybody's traffic. Sixgate's own DNS never \
              answers this name unless `[dns] block` says so.",
    causes: &[
        "the record was made for an older proxy and never removed",
        "a wildcard record",
        "somebody planted it",
    ],
    proof: &["`dig wpad.SUFFIX A` has an answer; ask whoever runs that address"],
    fix: "delete the record and put `wpad` back on the DNS server's block list; where the site's proxy is meant to be found so, leave it",
    references: &["docs/configuration.md, [dns] block"],
    reasons: &[],
};

pub(super) static ALL: &[&Diagnosis] = &[&SG_DNS_001, &SG_DNS_003, &SG_DNS_006];
