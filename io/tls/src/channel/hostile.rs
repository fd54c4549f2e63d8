//! For the fuzz target: what an enrolled client may send, which holds the keys and means ill.

use super::pair::pair;
use super::{KEY_UPDATE, content};

/// Feeds the records that `data` describes to a server's end, which must neither panic nor invent, lose or reorder data.
///
/// Each step is an octet that says what it is, one for a length, and the octets themselves.
///
/// # Panics
/// When the plaintext is not what was sent.
pub fn records(data: &[u8]) {
    let (mut server, mut client) = pair();
    let (mut wire, mut sent) = (Vec::new(), Vec::new());
    let mut honest = true;
    let mut rest = data;
    while let [step, length, octets @ ..] = rest {
        let (octets, after) = octets.split_at(octets.len().min(usize::from(*length)));
        rest = after;
        honest &= step % 6 < 3;
        let sealed = match step % 6 {
            0 | 1 => {
                sent.extend_from_slice(octets);
                client.outbound.seal(content::APPLICATION_DATA, octets, &mut wire)
            }
            2 => client.outbound.seal(content::HANDSHAKE, &[KEY_UPDATE, 0, 0, 1, 1], &mut wire).map(|()| {
                if let Ok(next) = client.keys.next_outbound() {
                    client.outbound = next;
                }
            }),
            3 => client.outbound.seal(content::HANDSHAKE, octets, &mut wire),
            // The type of the content is the last octet that is not zero.
            4 => client.outbound.seal(0, octets, &mut wire),
            _ => {
                wire.extend_from_slice(octets);
                Ok(())
            }
        };
        if sealed.is_err() {
            break;
        }
    }
    let cut = data.first().map_or(1, |first| usize::from(*first) + 1);
    let mut came = Vec::new();
    let whole = wire.chunks(cut).try_for_each(|mut chunk| {
        while !chunk.is_empty() && !server.closed {
            server.read_from(&mut chunk)?;
            came.extend_from_slice(server.plaintext());
            let used = server.plaintext().len();
            server.consume(used);
        }
        std::io::Result::Ok(())
    });
    if honest {
        assert!(whole.is_ok() && came == sent, "what was sent comes, in order");
    }
    assert!(server.backlog() < 1024, "answers to key updates are not kept");
}
