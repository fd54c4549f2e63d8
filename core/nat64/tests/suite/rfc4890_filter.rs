//! Messages that have no business beyond their link (RFC 4890; RFC 7915, sections 4.2 and 5.2): dropped without a word.

use sixgate_reason as reason;
use sixgate_wire::protocol;

use crate::support::*;

#[test]
fn neighbour_discovery_multicast_listeners_and_the_unknown_do_not_go_out() {
    let mut lab = Lab::new(config());
    for kind in [130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 143, 151, 155, 160, 200, 255] {
        let message = icmp6_sealed(client(), embed(SERVER), vec![kind, 0, 0, 0, 0, 7, 0, 1, 1, 2, 3, 4]);
        let packet = six(protocol::ICMPV6, client(), embed(SERVER), &message);
        assert_eq!(lab.out_dropped(packet), reason::NAT64_ICMP_UNTRANSLATABLE, "{kind}");
    }
    // Unknown errors too.
    for kind in [0, 5, 100, 127] {
        let packet = error6(client(), kind, 0, 0, udp6(embed(SERVER), 53, client(), 5000, b"answer").bytes());
        assert_eq!(lab.out_dropped(packet), reason::NAT64_ICMP_UNTRANSLATABLE, "{kind}");
    }
    assert!(lab.drain().is_empty());
    assert_eq!(lab.nat.session_count(), 0);
}

#[test]
fn redirects_timestamps_masks_and_the_unknown_do_not_come_in() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    for kind in [1, 2, 6, 7, 9, 10, 13, 14, 15, 16, 17, 18, 30, 40, 42, 255] {
        let message = icmp4_sealed(vec![kind, 0, 0, 0, 0, 7, 0, 1, 1, 2, 3, 4]);
        let packet = four(protocol::ICMP, SERVER, POOL, &message);
        assert_eq!(lab.back_dropped(packet), reason::NAT64_ICMP_UNTRANSLATABLE, "{kind}");
    }
    // Source quench and redirect, about a session that lives.
    for kind in [4, 5] {
        let packet = error4(SERVER, kind, 0, 0, udp4(POOL, outside, SERVER, 53, b"question").bytes());
        assert_eq!(lab.back_dropped(packet), reason::NAT64_ICMP_UNTRANSLATABLE, "{kind}");
    }
    assert!(lab.drain().is_empty());
}
