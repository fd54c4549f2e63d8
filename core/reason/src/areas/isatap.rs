//! 200 to 299: the ISATAP link (RFC 5214, RFC 6324).

reasons! {
    200 ISATAP_SOURCE_NOT_EMBEDDED "isatap-source-not-embedded" "inner source does not embed the outer IPv4 source, and the outer source is no known router";
    201 ISATAP_SOURCE_OFF_LINK "isatap-source-off-link" "inner source is an ISATAP address of a prefix that is not on this link";
    202 ISATAP_OUTER_UNUSABLE "isatap-outer-unusable" "outer IPv4 source is our own, broadcast, multicast, loopback or unspecified";
    203 ISATAP_HOST_NOT_ALLOWED "isatap-host-not-allowed" "host is not allowed to use ISATAP";
    204 ISATAP_RS_INVALID "isatap-rs-invalid" "router solicitation with a wrong hop limit, code, length or option";
    205 ISATAP_RS_LIMITED "isatap-rs-limited" "router solicitation above the rate limit";
    206 ISATAP_RA_NOT_FROM_ROUTER "isatap-ra-not-from-router" "router advertisement from an address that is no router of ours";
    207 ISATAP_RA_INVALID "isatap-ra-invalid" "router advertisement with a wrong hop limit, source, length or option";
    208 ISATAP_ND_INVALID "isatap-nd-invalid" "neighbour discovery message that is malformed or has a wrong hop limit";
    209 ISATAP_NEXT_HOP_NONE "isatap-next-hop-none" "destination on the ISATAP link embeds no IPv4 address of the site";
    210 ISATAP_LOOP "isatap-loop" "packet would be encapsulated to one of our own IPv4 addresses";
    211 ISATAP_NOT_IPV6 "isatap-not-ipv6" "protocol 41 payload is not IPv6";
    212 ISATAP_MULTICAST "isatap-multicast" "multicast does not exist on an ISATAP link";
    213 ISATAP_HOST_TABLE_FULL "isatap-host-table-full" "the table of ISATAP hosts is full";
    214 ISATAP_NEIGHBOUR_UNKNOWN "isatap-neighbour-unknown" "destination host has not solicited this router";
    215 ISATAP_TUNNEL_ADDRESS "isatap-tunnel-address" "inner address is a 6to4 or Teredo address that embeds one of ours";
    216 ISATAP_IDENTIFIER_TWIN "isatap-identifier-twin" "destination has the other form of a known host's interface identifier";
    217 ISATAP_NO_ROUTER "isatap-no-router" "no router of ours leads to this destination";
    218 ISATAP_ROUTER_SILENT "isatap-router-silent" "router does not answer solicitations: it is not there, does not serve this host, or protocol 41 is filtered";
    219 ISATAP_ROUTER_UNREACHABLE "isatap-router-unreachable" "router has stopped answering";
    220 ND_NOT_ND "nd-not-nd" "not the neighbour discovery message that was expected";
    221 ND_HOP_LIMIT "nd-hop-limit" "neighbour discovery message whose hop limit is not 255";
    222 ND_CODE "nd-code" "neighbour discovery message whose code is not zero";
    223 ND_CHECKSUM "nd-checksum" "neighbour discovery message with a wrong checksum";
    224 ND_LENGTH "nd-length" "neighbour discovery message that is cut short";
    225 ND_OPTION "nd-option" "neighbour discovery option of length zero or beyond the end";
    226 ND_SOURCE "nd-source" "neighbour discovery message with a source or destination it must not have";
    227 ND_TARGET "nd-target" "neighbour discovery message about an address that is not unicast";
    228 ISATAP_ROUTER_WITHDRAWN "isatap-router-withdrawn" "router answers and offers nothing";
    229 ISATAP_NOT_FOR_US "isatap-not-for-us" "packet to an address that this host does not have";
    230 ISATAP_HOST_DENIED "isatap-host-denied" "host was denied ISATAP at runtime, whatever the file says";
    231 ISATAP_PREFIX_NOT_OF_HOST "isatap-prefix-not-of-host" "address lies in an ISATAP prefix that the host's rule does not give";
    250 ISATAP_RETIRED "isatap-retired" "ISATAP is being retired: this host gets no answer any more";
    270 ISATAP_SOURCE_OF_ANOTHER "isatap-source-of-another" "no router that leads there gave the prefix of this source address";
    271 ISATAP_OFFER_ENDED "isatap-offer-ended" "what the router offered has run out, and it has not renewed it";
    272 ISATAP_NO_PREFIX "isatap-no-prefix" "router answers and offers no prefix, so there is no address but the link-local one";
    273 ISATAP_NO_ROUTE "isatap-no-route" "router answers and offers a prefix, but no route to anywhere";
    274 ISATAP_NAME_GONE "isatap-name-gone" "the router's name does not exist; its last addresses stay in use";
    275 ISATAP_NAME_EMPTY "isatap-name-empty" "the router's name has no IPv4 address; its last addresses stay in use";
    276 ISATAP_NAME_UNANSWERED "isatap-name-unanswered" "no name server answers for the router's name; its last addresses stay in use";
    241 ISATAP_HOST_UNREACHABLE "isatap-host-unreachable" "destination host does not answer neighbour solicitations any more";
    242 ISATAP_PATH_UNREACHABLE "isatap-path-unreachable" "the IPv4 network says that a host cannot be reached";
    243 ISATAP_PATH_TOO_BIG "isatap-path-too-big" "packet does not fit the IPv4 path to its host";
    244 ISATAP_PATH_ERROR_FOREIGN "isatap-path-error-foreign" "ICMPv4 error that quotes no packet of ours";
    240 ISATAP_CONGESTION_LOST "isatap-congestion-lost" "outer header marks congestion and the inner packet does not understand the mark (RFC 6040)";
}
