//! 1 to 99: what any port can find wrong with a packet.

reasons! {
    1 MALFORMED_IPV6 "malformed-ipv6" "IPv6 header missing, cut short or of another version";
    2 MALFORMED_IPV4 "malformed-ipv4" "IPv4 header missing, cut short, of another version or with a wrong checksum";
    3 MALFORMED_EXTENSION "malformed-extension" "IPv6 extension headers cut short, too many or too long";
    4 MALFORMED_TRANSPORT "malformed-transport" "transport header cut short or inconsistent";
    5 BUFFER_FULL "buffer-full" "packet does not fit the buffer";
    6 QUEUE_FULL "queue-full" "the way out of this packet is not taking any more";
}
