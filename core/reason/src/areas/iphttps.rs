//! 400 to 499: IP-HTTPS sessions.

reasons! {
    400 IPHTTPS_BAD_FRAMING "iphttps-bad-framing" "stream that is not back-to-back IPv6 packets";
    401 IPHTTPS_SOURCE_FOREIGN "iphttps-source-foreign" "client sent from an address that is not its own";
    402 IPHTTPS_HEAD_INVALID "iphttps-head-invalid" "request that is no IP-HTTPS request";
    403 IPHTTPS_CERTIFICATE_EXPIRED "iphttps-certificate-expired" "client certificate is expired or not yet valid";
    404 IPHTTPS_CERTIFICATE_FOREIGN "iphttps-certificate-foreign" "client certificate of an authority that is not ours";
    405 IPHTTPS_CERTIFICATE_MISSING "iphttps-certificate-missing" "client showed no certificate";
    406 IPHTTPS_CERTIFICATE_NAME "iphttps-certificate-name" "client certificate without exactly one valid name";
    407 IPHTTPS_SESSION_LIMIT "iphttps-session-limit" "as many sessions as there may be";
    408 IPHTTPS_HANDSHAKE_FAILED "iphttps-handshake-failed" "TLS handshake that failed or took too long";
    409 IPHTTPS_MULTICAST "iphttps-multicast" "multicast from a client that is no router solicitation or address check";
    410 IPHTTPS_ND_INVALID "iphttps-nd-invalid" "neighbour discovery message that is malformed or has a wrong hop limit";
    411 IPHTTPS_ADDRESS_TAKEN "iphttps-address-taken" "client asked for an address that belongs to another";
    412 IPHTTPS_ADDRESS_LIMIT "iphttps-address-limit" "client asked for more addresses than a session may have";
    413 IPHTTPS_CLIENT_REVOKED "iphttps-client-revoked" "client is not enrolled here any more";
    414 IPHTTPS_SEND_BACKLOG "iphttps-send-backlog" "client does not take packets as fast as they come";
    415 IPHTTPS_LINK_LOCAL "iphttps-link-local" "link-local traffic that is not for the gateway";
    416 IPHTTPS_DESTINATION_FOREIGN "iphttps-destination-foreign" "packet from the gateway for an address that is not ours";
    417 IPHTTPS_GATEWAY_SILENT "iphttps-gateway-silent" "gateway that does not answer over a connection that stands";
    418 IPHTTPS_NO_ADVERTISEMENT "iphttps-no-advertisement" "gateway that sends no router advertisement";
    419 IPHTTPS_NO_ADDRESS "iphttps-no-address" "gateway whose router advertisement holds no address for us";
    420 IPHTTPS_UNRESOLVED "iphttps-unresolved" "gateway whose name cannot be resolved";
    421 IPHTTPS_UNREACHABLE "iphttps-unreachable" "gateway that cannot be reached over TCP";
    422 IPHTTPS_REFUSED "iphttps-refused" "gateway that answers the request with an error";
    423 IPHTTPS_GATEWAY_FOREIGN "iphttps-gateway-foreign" "gateway whose certificate is not of the authority that we were given, or not for its name";
    424 IPHTTPS_DISCONNECTED "iphttps-disconnected" "gateway that ended the connection";
    425 IPHTTPS_GATEWAY_EXPIRED "iphttps-gateway-expired" "gateway whose certificate is expired or not yet valid, by our clock";
    426 IPHTTPS_BAD_RECORD "iphttps-bad-record" "TLS record that is broken or forged";
}
