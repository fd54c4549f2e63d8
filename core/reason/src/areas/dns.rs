//! 500 to 599: names.

reasons! {
    500 DNS_MALFORMED "dns-malformed" "message that cannot be parsed";
    501 DNS_NOT_ALLOWED "dns-not-allowed" "question from an address that may not ask";
    502 DNS_UPSTREAM_FAILED "dns-upstream-failed" "no upstream gave a usable answer";
    503 DNS_BLOCKED "dns-blocked" "question for a blocked label";
    504 DNS_UPDATE_REFUSED "dns-update-refused" "the DNS server refused an update";
    505 DNS_UPDATE_KEY "dns-update-key" "the DNS server does not accept our key";
    506 DNS_UPDATE_UNREACHABLE "dns-update-unreachable" "the DNS server for updates does not answer";
    507 DNS_UPDATE_FOREIGN "dns-update-foreign" "a record of this name belongs to somebody else";
    508 DNS_OVERLOAD "dns-overload" "as many questions outstanding as there may be";
    509 DNS_MISMATCH "dns-mismatch" "answer that does not match its question";
    510 DNS_TUNNEL_DOWN "dns-tunnel-down" "question for a name of the tunnel while the tunnel is down";
    511 DNS_NOT_SERVED "dns-not-served" "question without recursion that the cache cannot answer, or for the transfer of a zone";
    512 DNS_TOO_FAST "dns-too-fast" "question above the client's rate";
    513 DNS_NOT_LOGGED "dns-not-logged" "question that the query log had no room for";
}
