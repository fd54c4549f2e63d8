//! What happens when nothing happens: sessions end, connections are probed, held packets are given up.

use sixgate_time::Instant;
use sixgate_wire::{checksum, ipv6, protocol, tcp};

use super::Nat64;
use super::own::Refusal4;
use crate::session::{Due, Session, State, Timer};
use crate::tcp::TcpState;

impl Nat64 {
    /// When [`Nat64::handle_timeout`] has something to do; [`Instant::NEVER`] when nothing waits.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        let timeouts = &self.config.timeouts;
        [
            self.sessions.first_due(),
            self.held.first_expires(timeouts.tcp_incoming_syn),
            self.fragments6.first_expires(timeouts.fragment),
            self.fragments4.first_expires(timeouts.fragment),
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(Instant::NEVER)
    }

    /// Deals with what is due, at most `most` of each kind.
    pub(super) fn expire(&mut self, now: Instant, most: usize) {
        let timeouts = self.config.timeouts;
        for _ in 0..most {
            match self.sessions.due(now, &timeouts) {
                Some(Due::Over(id)) => self.session_over(now, id),
                Some(Due::Later) => {}
                None => break,
            }
        }
        for _ in 0..most {
            let Some(held) = self.held.expire_one(now, timeouts.tcp_incoming_syn) else { break };
            // RFC 6146, section 3.5.2.2, V4 INIT: the SYN is answered when its time is over.
            self.refuse4(now, held.quote(), Refusal4::PortUnreachable);
        }
        for _ in 0..most {
            let six = self.fragments6.expire_one(now, timeouts.fragment);
            let four = self.fragments4.expire_one(now, timeouts.fragment);
            if !six && !four {
                break;
            }
        }
    }

    /// The lifetime of a session is over.
    pub(super) fn session_over(&mut self, now: Instant, id: u32) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        match session.state {
            // RFC 6146, section 3.5.2.2, ESTABLISHED: the ends are asked before the connection is given up.
            State::Tcp(TcpState::Established) => {
                session.state = State::Tcp(TcpState::Trans);
                let session = *session;
                self.sessions.touch(id, Timer::TcpTransitory, now, &self.config.timeouts);
                self.note_over(id);
                self.probe(&session);
            }
            State::Tcp(
                TcpState::V4Init
                | TcpState::V6Init
                | TcpState::V4FinRcv
                | TcpState::V6FinRcv
                | TcpState::V4V6FinRcv
                | TcpState::Trans,
            )
            | State::Udp
            | State::Icmp => self.close(id),
        }
    }

    /// Sends the inside a segment that a live connection answers (RFC 6146, section 3.5.2.2): no data, no numbers, ACK.
    fn probe(&mut self, session: &Session) {
        let Some(prefix) = self.config.prefixes.get(usize::from(session.prefix)) else { return };
        let (src, dst) = (prefix.embed(session.peer.address), session.inside.address);
        let header = ipv6::Header {
            traffic_class: 0,
            flow_label: 0,
            payload_len: tcp::HEADER as u16,
            next_header: protocol::TCP,
            hop_limit: 64,
            src,
            dst,
        };
        let mut segment = [0; tcp::HEADER];
        segment[..2].copy_from_slice(&session.peer.port.to_be_bytes());
        segment[2..4].copy_from_slice(&session.inside.port.to_be_bytes());
        segment[12] = 5 << 4;
        segment[13] = tcp::ACK;
        let sum = checksum::pseudo_v6(src, dst, protocol::TCP, tcp::HEADER as u32).with(&segment).finish();
        segment[tcp::CHECKSUM..tcp::CHECKSUM + 2].copy_from_slice(&sum.to_be_bytes());
        self.emit_octets(&[&header.octets(), &segment]);
    }
}
