//! ICMP echoes that say which address their sender has: what arrives with another one went through a NAT.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use sixgate_api::Timestamp;
use sixgate_doctor::evidence::Echoed;
use sixgate_io_probe::{Icmp, Mark, Message};

const WORD: &[u8; 12] = b"sixgate-doc:";
/// Senders that are remembered; anybody may send.
const MOST: usize = 64;

/// What an echo of ours carries.
pub(super) fn mark(own: Ipv4Addr) -> Mark {
    let mut mark = [0; 16];
    mark[..WORD.len()].copy_from_slice(WORD);
    mark[WORD.len()..].copy_from_slice(&own.octets());
    mark
}

fn sender(mark: Mark) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = mark.strip_prefix(WORD)?.try_into().ok()?;
    Some(Ipv4Addr::from(octets))
}

/// Listens; without the privilege nothing is heard.
pub(super) fn listen(longest: Duration) -> Vec<Echoed> {
    let mut heard: Vec<Echoed> = Vec::new();
    let end = Instant::now() + longest;
    let Some(socket) = (!longest.is_zero()).then(Icmp::open).and_then(Result::ok) else { return heard };
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        if !socket.wait(left).unwrap_or(false) {
            continue;
        }
        while let Ok(Some(message)) = socket.receive() {
            let Message::Request { from, mark } = message else { continue };
            let Some(inner) = sender(mark) else { continue };
            let at = Timestamp::now();
            if let Some(known) = heard.iter_mut().find(|e| (e.outer, e.inner) == (from, inner)) {
                (known.count, known.at) = (known.count + 1, at);
            } else if heard.len() < MOST {
                heard.push(Echoed { at, outer: from, inner, count: 1 });
            }
        }
    }
    heard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_who_sent_it() {
        let own = Ipv4Addr::new(10, 6, 8, 20);
        assert_eq!(sender(mark(own)), Some(own));
        assert_eq!(sender([7; 16]), None);
    }
}
