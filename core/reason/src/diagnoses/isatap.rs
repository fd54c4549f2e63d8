//! 700 to 729: ISATAP.

use super::Diagnosis;

/// The router's name has no address where the host asks.
pub static SG_ISATAP_001: Diagnosis = Diagnosis {
    number: 700,
    code: "SG-ISATAP-001",
    text: "the router's name does not resolve",
    meaning: "The host looks its ISATAP routers up by a name, and the name server that it asks does not know that name. A host \
              that knew the routers before goes on with them; a new one, or one without its cache, gets no ISATAP address.",
    causes: &[
        "the host asks a name server that does not know the intranet's names (a public resolver, a VPN's, a home router's)",
        "the name was never added to the DNS, or was deleted",
        "a short name is used and the search suffix is missing",
        "a typing error in `routers` of the host's file or in the group policy",
    ],
    proof: &[
        "on the host: `dig NAME A @SERVER` with the server of /etc/resolv.conf, then with the intranet's",
        "on the gateway: `dig NAME A @UPSTREAM`: an answer there means that the host asks the wrong server",
    ],
    fix: "add an A record for the name with the intranet address of every gateway, or point the host at a name server that has \
          it; plain addresses in `routers` work without DNS",
    references: &["RFC 5214, section 8.3.2", "docs/configuration.md, [host] routers and nameserver"],
    reasons: &[],
};

/// The router's name leads to an address that is no router.
pub static SG_ISATAP_002: Diagnosis = Diagnosis {
    number: 701,
    code: "SG-ISATAP-002",
    text: "the router's name resolves to an address that is no ISATAP router",
    meaning: "The name has an address, but no gateway has that address: as a rule it is the virtual address of a load balancer. \
              Protocol 41 is neither TCP nor UDP, so the balancer drops it or answers \"protocol unreachable\".",
    causes: &[
        "the name was given the balancer's virtual address instead of the gateways' own addresses",
        "a gateway was moved or replaced and its old address is still in the DNS",
        "a wildcard record answers for the name",
    ],
    proof: &[
        "on each gateway: `ip -4 address` lists none of the addresses that `dig NAME A` gives",
        "on the host: `sixgate status` shows that address as a router that is silent",
    ],
    fix: "give the name one A record for each gateway with that gateway's own intranet address, and none for the balancer",
    references: &["RFC 5214, section 8.3.2", "docs/configuration.md, [isatap] name"],
    reasons: &["isatap-router-silent"],
};

/// Protocol 41 does not get through.
pub static SG_ISATAP_003: Diagnosis = Diagnosis {
    number: 702,
    code: "SG-ISATAP-003",
    text: "protocol 41 is dropped between host and router",
    meaning: "IPv4 between host and router works, but packets of IPv4 protocol 41 (IPv6 in IPv4) do not arrive. The host sends \
              router solicitations and hears nothing, so it has at most a link-local address.",
    causes: &[
        "a firewall between the two segments lets TCP, UDP and ICMP pass and nothing else",
        "a host firewall on the gateway or on the host blocks protocol 41, often by a rule named after ISATAP",
        "a router in between filters tunnels on purpose",
    ],
    proof: &[
        "on the gateway: `tcpdump -ni INTERFACE ip proto 41 and host HOST` stays empty while the host solicits",
        "on the host: `ping ROUTER` is answered",
    ],
    fix: "allow IPv4 protocol 41 in both directions between the hosts' networks and the gateways",
    references: &["RFC 4213, section 3.5", "RFC 5214, section 10"],
    reasons: &["isatap-router-silent"],
};

/// Nobody named this host.
pub static SG_ISATAP_004: Diagnosis = Diagnosis {
    number: 703,
    code: "SG-ISATAP-004",
    text: "the host is not in the router's allow list",
    meaning: "The solicitations arrive and the router does not answer them, because no [[isatap.allow]] rule names the host. \
              That silence is the design: whoever is not named gets nothing.",
    causes: &[
        "the host was never added",
        "it is named by an address that it does not have any more, or by a name that does not resolve",
        "the rule was removed: the router then took its offer back",
    ],
    proof: &[
        "on the gateway: `sixgate isatap hosts` lists the host as refused, with `isatap-host-not-allowed`",
    ],
    fix: "add the host to a rule of [[isatap.allow]] on every gateway and reload (SIGHUP)",
    references: &["docs/configuration.md, [[isatap.allow]]"],
    reasons: &["isatap-host-not-allowed", "isatap-router-withdrawn"],
};

/// A stranger advertises.
pub static SG_ISATAP_005: Diagnosis = Diagnosis {
    number: 704,
    code: "SG-ISATAP-005",
    text: "router advertisements arrive from an IPv4 address that is not in the list of routers",
    meaning: "A host believes a router advertisement only from an IPv4 address of its list (the rule that Microsoft's MS10-029 \
              is about). Advertisements from elsewhere are dropped: either somebody tries to become a router, or one of your \
              gateways answers from an address that the name does not carry.",
    causes: &[
        "one of several gateways is missing from the router's name in the DNS",
        "a gateway answers from another of its addresses, or a NAT changed it",
        "an old ISATAP router is still in use somewhere",
        "an attacker on the intranet sends forged advertisements",
    ],
    proof: &[
        "on the host: `sixgate counters` shows `isatap-ra-not-from-router` rising",
        "on the host: `tcpdump -ni INTERFACE ip proto 41` shows who sends them",
    ],
    fix: "if the address is a gateway of yours, add it to the router's name; if not, find the machine and stop it: nothing that \
          it says was believed",
    references: &["RFC 5214, section 8.3.3", "RFC 6324, section 3"],
    reasons: &["isatap-ra-not-from-router"],
};

/// The interface does not forward or advertise.
pub static SG_ISATAP_006: Diagnosis = Diagnosis {
    number: 705,
    code: "SG-ISATAP-006",
    text: "forwarding or advertising is off on one interface of the router",
    meaning: "The gateway runs and forwarding is meant to be on, but the one interface that packets must cross has it off, or \
              the ISATAP link advertises nothing. Hosts keep their addresses and nothing comes through.",
    causes: &[
        "another program wrote the interface's sysctl: a network manager, a hardening script, a reset of the interface",
        "the interface was taken down and up, and its settings came back as the default",
        "no [isatap] section, or the router is being taken out of use",
    ],
    proof: &[
        "on the gateway: `sysctl net.ipv4.conf.INTERFACE.forwarding net.ipv6.conf.INTERFACE.forwarding`",
    ],
    fix: "set the named sysctl back, and find out who changed it; restarting the gateway sets it too",
    references: &["RFC 4861, section 6.2.1", "docs/doctor.md"],
    reasons: &[],
};

/// `isatap` exists.
pub static SG_ISATAP_007: Diagnosis = Diagnosis {
    number: 706,
    code: "SG-ISATAP-007",
    text: "the name `isatap` exists: the whole site tunnels",
    meaning: "Every Windows machine looks up `isatap` with its own suffix by itself. Where that name has an address, all of them \
              start to solicit, whether anybody wanted it or not. Sixgate answers none that is not named, but each of them \
              tunnels, waits, and may prefer a dead IPv6 path.",
    causes: &[
        "the name was made for an older ISATAP or DirectAccess deployment and never removed",
        "a wildcard record answers for every name of the zone",
        "the DNS server's global block list was emptied",
    ],
    proof: &[
        "`dig isatap.SUFFIX A` has an answer",
        "on the gateway: `sixgate isatap hosts` lists refused hosts",
    ],
    fix: "delete the record, put `isatap` back on the DNS server's block list, and name hosts one by one or by group instead",
    references: &["RFC 5214, section 8.3.2", "docs/configuration.md, [dns] block"],
    reasons: &["isatap-host-not-allowed"],
};

/// The host moved.
pub static SG_ISATAP_008: Diagnosis = Diagnosis {
    number: 707,
    code: "SG-ISATAP-008",
    text: "the host's IPv4 address changed and something still knows the old one",
    meaning: "An ISATAP address contains the host's IPv4 address. The host has another one now, and the allow list, a record or a \
              device still has the old one, so what is sent to it goes nowhere and what it asks is not answered.",
    causes: &[
        "DHCP gave another address and the allow rule names the old one",
        "the machine moved to another segment",
        "an address was configured by hand beside what DHCP gave",
    ],
    proof: &[
        "on the host: `ip -4 address` and `sixgate status` disagree with the allow rule",
        "on the gateway: `sixgate isatap hosts` lists the old address with a last RS that gets older",
    ],
    fix: "name the host by its DNS name or its prefix in [[isatap.allow]], or write the new address; delete AAAA records with the \
          old one",
    references: &["RFC 5214, section 6.1"],
    reasons: &["isatap-host-not-allowed", "isatap-neighbour-unknown"],
};

/// A NAT is in between.
pub static SG_ISATAP_009: Diagnosis = Diagnosis {
    number: 708,
    code: "SG-ISATAP-009",
    text: "a NAT stands between host and router",
    meaning: "The inner source address embeds the host's IPv4 address, and the packet arrives from another one: something in \
              between rewrites addresses. ISATAP cannot work through a NAT, since the router must see the address that is embedded.",
    causes: &[
        "a firewall masquerades traffic between two intranet segments",
        "the host sits in a virtual machine or container network that is translated",
        "the host is at home or behind a mobile router and is no intranet host at all",
    ],
    proof: &[
        "on the gateway: `sixgate counters` shows `isatap-source-not-embedded` rising",
        "on the gateway: `tcpdump -ni INTERFACE ip proto 41` shows an outer source that is not in the inner one",
    ],
    fix: "route instead of translating between the host's network and the gateways; a machine that cannot have that is a roaming \
          client: `sixgate join`",
    references: &["RFC 5214, sections 3 and 7.3"],
    reasons: &["isatap-source-not-embedded"],
};

/// The path is too narrow.
pub static SG_ISATAP_010: Diagnosis = Diagnosis {
    number: 709,
    code: "SG-ISATAP-010",
    text: "the IPv4 path is narrower than 1300 octets and says so to nobody",
    meaning: "An IPv6 packet of 1280 octets and the outer IPv4 header need 1300. The path takes less, and the router that drops \
              does not tell. Small packets pass and large ones vanish or are cut in pieces: log-ins work, file copies hang.",
    causes: &[
        "a VPN, PPPoE or other tunnel in between, with ICMP filtered",
        "an interface whose MTU was set too low",
    ],
    proof: &[
        "on the host: `ping -M do -s 1272 ROUTER` stays unanswered while `ping -M do -s 500 ROUTER` is answered",
    ],
    fix: "raise the MTU of the named hop to at least 1300, or let ICMP \"fragmentation needed\" pass",
    references: &["RFC 4213, section 3.2", "RFC 8200, section 5"],
    reasons: &[],
};

/// Nothing to reach.
pub static SG_ISATAP_011: Diagnosis = Diagnosis {
    number: 710,
    code: "SG-ISATAP-011",
    text: "the router advertisement carries no route to the clients",
    meaning: "The host has an ISATAP address and no route to where the clients are. By default sixgate advertises that route and \
              no default route (RFC 4191), so a host without it reaches nothing.",
    causes: &[
        "`routes` of [isatap] is empty or names another prefix",
        "an external router was set up without `routes`",
        "the clients' prefix was changed on the gateway and not on the router",
    ],
    proof: &[
        "on the host: `sixgate status` and `ip -6 route show dev isatap0` show no route to the clients' prefix",
    ],
    fix: "leave `routes` out of [isatap] on a gateway (the clients' prefix is the default), or name the clients' prefix there, and \
          reload",
    references: &["RFC 4191, section 2.3", "docs/configuration.md, [isatap] routes"],
    reasons: &["isatap-no-router"],
};

/// The router cannot be reached at all.
pub static SG_ISATAP_012: Diagnosis = Diagnosis {
    number: 711,
    code: "SG-ISATAP-012",
    text: "the router's IPv4 address does not answer at all",
    meaning: "Neither protocol 41 nor an ICMP echo is answered. The fault is below ISATAP: routing, a cable, a machine that is off.",
    causes: &[
        "the router is down",
        "there is no IPv4 route between host and router",
        "ICMP is filtered as well",
    ],
    proof: &["on the host: `ip route get ROUTER` and `ping ROUTER`"],
    fix: "mend the IPv4 path first; `sixgate doctor` then looks further",
    references: &[],
    reasons: &["isatap-router-silent", "isatap-router-unreachable"],
};

pub(super) static ALL: &[&Diagnosis] = &[
    &SG_ISATAP_001,
    &SG_ISATAP_002,
    &SG_ISATAP_003,
    &SG_ISATAP_004,
    &SG_ISATAP_005,
    &SG_ISATAP_006,
    &SG_ISATAP_007,
    &SG_ISATAP_008,
    &SG_ISATAP_009,
    &SG_ISATAP_010,
    &SG_ISATAP_011,
    &SG_ISATAP_012,
];
