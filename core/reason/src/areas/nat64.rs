//! 300 to 399: the translator (RFC 7915, RFC 6146).

reasons! {
    300 NAT64_SOURCE_IN_PREFIX "nat64-source-in-prefix" "IPv6 source lies inside the NAT64 prefix";
    301 NAT64_DESTINATION_DENIED "nat64-destination-denied" "embedded IPv4 address is loopback, link-local, multicast, unspecified or reserved";
    302 NAT64_POOL_EXHAUSTED "nat64-pool-exhausted" "no free port in the pool";
    303 NAT64_SESSION_LIMIT "nat64-session-limit" "the table of sessions is full";
    304 NAT64_CLIENT_LIMIT "nat64-client-limit" "the client has as many sessions as it may have";
    305 NAT64_NO_BINDING "nat64-no-binding" "no binding for this IPv4 destination";
    306 NAT64_FILTERED "nat64-filtered" "the binding does not admit this IPv4 source";
    307 NAT64_PROTOCOL "nat64-protocol" "transport protocol that a NAT64 cannot carry";
    308 NAT64_HOP_LIMIT "nat64-hop-limit" "hop limit or time to live exceeded in the translator";
    309 NAT64_TOO_BIG "nat64-too-big" "packet exceeds the MTU of the next link after translation";
    310 NAT64_ICMP_UNTRANSLATABLE "nat64-icmp-untranslatable" "ICMP message that has no counterpart";
    311 NAT64_ICMP_ERROR_UNKNOWN "nat64-icmp-error-unknown" "ICMP error that quotes no known session";
    312 NAT64_ROUTING_HEADER "nat64-routing-header" "IPv6 routing header with segments left";
    313 NAT64_SOURCE_ROUTE "nat64-source-route" "IPv4 source route that has not expired";
    314 NAT64_FRAGMENT_UNKNOWN "nat64-fragment-unknown" "fragment whose first fragment has not been seen";
    315 NAT64_FRAGMENT_LIMIT "nat64-fragment-limit" "the table of fragmented datagrams is full";
    316 NAT64_TCP_NO_SESSION "nat64-tcp-no-session" "TCP segment without SYN and without session";
    317 NAT64_UDP_ZERO_CHECKSUM "nat64-udp-zero-checksum" "UDP datagram without checksum, where policy or IPv6 does not allow it";
    318 NAT64_SOURCE_MARTIAN "nat64-source-martian" "source address that no packet from a network can have";
    319 NAT64_SYN_HELD "nat64-syn-held" "inbound SYN without session, held or refused";
    320 NAT64_FRAGMENT_OVERLAP "nat64-fragment-overlap" "fragments that overlap or lack the transport header";
    321 NAT64_NOT_OURS "nat64-not-ours" "packet whose destination is neither in the prefix nor in the pool";
    322 NAT64_ECHO_UNSOLICITED "nat64-echo-unsolicited" "ICMPv6 echo reply that answers no session";
    330 NAT64_CLIENT_PORTS "nat64-client-ports" "the client has as many outside ports as it may have";
    331 NAT64_CLIENT_RATE "nat64-client-rate" "the client opens sessions faster than it may";
    340 NAT64_WORKER_BUSY "nat64-worker-busy" "the worker that the packet belongs to has no room for it";
    370 SIIT_SOURCE_UNMAPPED "siit-source-unmapped" "source address that neither a mapping nor the prefix translates";
    371 SIIT_DESTINATION_UNMAPPED "siit-destination-unmapped" "destination address that neither a mapping nor the prefix translates";
    372 SIIT_ICMP_FRAGMENT "siit-icmp-fragment" "fragment of an ICMP message, which no stateless translator can carry";
    373 SIIT_QUOTE_UNMAPPED "siit-quote-unmapped" "ICMP error about a packet that the translator does not carry";
}
