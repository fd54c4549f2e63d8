use super::pair::pair;
use super::*;

fn carry(from: &mut Channel, to: &mut Channel, plaintext: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    from.pending().extend_from_slice(plaintext);
    assert!(from.write_to(&mut wire).unwrap());
    let mut rest = wire.as_slice();
    while !rest.is_empty() {
        to.read_from(&mut rest).unwrap();
    }
    let got = to.plaintext().to_vec();
    to.consume(got.len());
    got
}

#[test]
fn worn_keys_are_replaced_and_nothing_is_lost() {
    let (mut server, mut client) = pair();
    client.wear_out_after(3);
    server.wear_out_after(5);
    for round in 0..40_u8 {
        assert_eq!(carry(&mut client, &mut server, &[round; 100]), [round; 100]);
        assert_eq!(carry(&mut server, &mut client, &[round; 100]), [round; 100]);
        assert!(client.outbound.is_worn(1) && !client.outbound.is_worn(4), "three records a key at most");
    }
}

#[test]
fn update_that_asks_for_one_is_answered_once_before_the_next_data() {
    let (mut server, mut client) = pair();
    let mut wire = Vec::new();
    for _ in 0..10 {
        client.outbound.seal(content::HANDSHAKE, &[KEY_UPDATE, 0, 0, 1, 1], &mut wire).unwrap();
        client.outbound = client.keys.next_outbound().unwrap();
    }
    server.read_from(&mut wire.as_slice()).unwrap();
    assert_eq!(server.backlog(), 0, "asking makes us keep nothing");
    assert_eq!(carry(&mut server, &mut client, b"after"), b"after");
    assert!(!server.outbound.is_worn(2), "a new key has protected one record");
    assert_eq!(carry(&mut client, &mut server, b"back"), b"back");
}

#[test]
fn records_may_be_padded_empty_or_split_anywhere() {
    let (mut server, mut client) = pair();
    let mut wire = Vec::new();
    client.outbound.seal(content::APPLICATION_DATA, b"", &mut wire).unwrap();
    client.outbound.seal(content::APPLICATION_DATA, b"one", &mut wire).unwrap();
    // Padding: the content type, then zeros where `seal` would put the type.
    client.outbound.seal(0, &[b't', b'w', b'o', content::APPLICATION_DATA, 0, 0], &mut wire).unwrap();
    for octet in wire {
        server.read_from(&mut [octet].as_slice()).unwrap();
    }
    assert_eq!(server.plaintext(), b"onetwo");
}

#[test]
fn buffers_of_a_connection_that_became_quiet_are_given_back() {
    let (mut server, mut client) = pair();
    let mut wire = Vec::new();
    client.pending().extend_from_slice(&[7; 1 << 20]);
    assert!(client.write_to(&mut wire).unwrap());
    for burst in wire.chunks(LARGE) {
        let mut rest = burst;
        while !rest.is_empty() {
            server.read_from(&mut rest).unwrap();
            let used = server.plaintext().len();
            server.consume(used);
        }
    }
    assert!(server.buffer.len() > SMALL && client.sealed.capacity() > SMALL);
    for round in 0..=QUIET {
        assert_eq!(carry(&mut client, &mut server, &[round as u8]), [round as u8]);
        assert_eq!(carry(&mut server, &mut client, &[round as u8]), [round as u8]);
    }
    assert_eq!(server.buffer.len(), SMALL);
    assert!(client.sealed.capacity() <= SMALL && client.pending.capacity() <= SMALL);
}

#[test]
fn what_no_peer_may_send_ends_the_connection() {
    for (kind, message) in [
        (content::HANDSHAKE, &[KEY_UPDATE, 0, 0, 1, 2][..]),
        (content::HANDSHAKE, &[KEY_UPDATE, 0, 0, 1, 0, 0]),
        (content::HANDSHAKE, &[KEY_UPDATE, 0, 0, 9, 0]),
        (content::HANDSHAKE, &[NEW_SESSION_TICKET, 0, 0, 1, 0]),
        (content::HANDSHAKE, &[1]),
        (content::ALERT, &[2]),
        (99, b"?"),
    ] {
        let (mut server, mut client) = pair();
        let mut wire = Vec::new();
        client.outbound.seal(kind, message, &mut wire).unwrap();
        let error = server.read_from(&mut wire.as_slice()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{kind} {message:?}");
    }
}

#[test]
fn plain_oversized_and_replayed_records_end_the_connection() {
    let (mut server, mut client) = pair();
    let mut wire = Vec::new();
    client.outbound.seal(content::APPLICATION_DATA, b"once", &mut wire).unwrap();
    server.read_from(&mut wire.as_slice()).unwrap();
    assert_eq!(server.plaintext(), b"once");
    assert!(server.read_from(&mut wire.as_slice()).is_err());
    for start in [[21, 3, 3, 0, 2], [23, 3, 3, 0xff, 0xff], [23, 3, 3, 0, 16]] {
        let (mut server, _) = pair();
        assert!(server.read_from(&mut start.as_slice()).is_err(), "{start:?}");
    }
}

#[test]
fn fatal_alert_is_told_apart_from_an_end_in_order() {
    let (mut server, mut client) = pair();
    let mut wire = Vec::new();
    client.outbound.seal(content::ALERT, &[2, 45], &mut wire).unwrap();
    let error = server.read_from(&mut wire.as_slice()).unwrap_err();
    assert_eq!(Alert::of(&error), Some(Alert(AlertDescription::CertificateExpired)));

    let (mut server, mut client) = pair();
    let mut wire = Vec::new();
    client.close().unwrap();
    client.write_to(&mut wire).unwrap();
    assert_eq!(server.read_from(&mut wire.as_slice()).unwrap(), Received::Closed);
}
