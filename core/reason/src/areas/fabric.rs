//! 100 to 199: forwarding, policy and the stateful filter.

reasons! {
    100 FABRIC_NO_ROUTE "fabric-no-route" "no route to the destination";
    101 FABRIC_HOP_LIMIT "fabric-hop-limit" "hop limit exceeded in transit";
    102 FABRIC_SOURCE_FOREIGN "fabric-source-foreign" "source address does not belong to the port the packet came from";
    103 FABRIC_SOURCE_UNUSABLE "fabric-source-unusable" "source address is unspecified, loopback, multicast or link-local";
    104 FABRIC_DESTINATION_UNUSABLE "fabric-destination-unusable" "destination is multicast, loopback, unspecified or link-local";
    105 FABRIC_TOO_BIG "fabric-too-big" "packet exceeds the MTU of the next link";
    106 FABRIC_ERROR_LIMITED "fabric-error-limited" "an ICMPv6 error was due but its rate limit was reached";
    107 FABRIC_SAME_PORT "fabric-same-port" "packet would leave by the port it came from";
    108 FABRIC_ROUTING_HEADER "fabric-routing-header" "IPv6 routing header with segments left: it names another destination than the one judged";
    110 POLICY_DENIED "policy-denied" "no policy rule allows this flow";
    111 FLOW_TABLE_FULL "flow-table-full" "the table of flows is full";
    112 FLOW_TCP_SYN_ACK_UNKNOWN "flow-tcp-syn-ack-unknown" "TCP SYN-ACK that answers no SYN of ours";
    113 FLOW_TCP_OUTSIDE "flow-tcp-outside" "TCP segment outside any known flow";
    114 FLOW_ICMP_ERROR_UNKNOWN "flow-icmp-error-unknown" "ICMPv6 error that quotes no known flow";
    115 FLOW_FRAGMENT_UNKNOWN "flow-fragment-unknown" "fragment without a first fragment that was allowed";
    116 FLOW_ICMP_TYPE "flow-icmp-type" "ICMPv6 message that may not cross a router of this kind";
    117 FLOW_FRAGMENT_TABLE_FULL "flow-fragment-table-full" "the table of fragmented datagrams is full";
    118 FLOW_ECHO_REPLY_UNKNOWN "flow-echo-reply-unknown" "ICMPv6 echo reply that answers no request";
    119 FLOW_FRAGMENT_OVERLAP "flow-fragment-overlap" "fragment that overlaps the first one of its datagram";
    120 FLOW_SOURCE_LIMIT "flow-source-limit" "the source has as many flows as one may have";
    150 FLOW_RETIRED "flow-retired" "ISATAP is being retired: what is open goes on, nothing new is opened through it";
}
