//! What a packet does to its flow: the coarse machine of the filter, far less than TCP's own.
//!
//! ```text
//!             SYN-ACK of the other end            FIN of both, or RST
//!  SynSent ------------------------> Established --------------------> Closing
//!     |                                   ^                             |  |  ^
//!     | RST                               |  not RST, a FIN is missing  |  |  |
//!     |                                   +-----------------------------+  |  |
//!     +-----------------------------------------------------------------------+
//!     ^                         SYN that policy allows                     |
//!     +--------------------------------------------------------------------+
//! ```

use sixgate_wire::icmpv6;
use sixgate_wire::tcp;

use super::{Direction, Flow, FlowState};

/// What the filter has to know of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signal {
    /// TCP: SYN and no other of SYN, ACK, FIN, RST.
    Syn,
    /// TCP: SYN and ACK.
    SynAck,
    /// TCP: FIN without SYN and RST.
    Fin,
    /// TCP: RST without SYN.
    Rst,
    /// TCP: anything else.
    Segment,
    /// ICMPv6 echo request.
    Request,
    /// ICMPv6 echo reply.
    Reply,
    /// UDP and other protocols: either end may begin.
    Datagram,
}

impl Signal {
    pub(crate) const fn of_tcp(flags: u8) -> Self {
        match flags & (tcp::SYN | tcp::ACK | tcp::FIN | tcp::RST) {
            tcp::SYN => Self::Syn,
            both if both == tcp::SYN | tcp::ACK => Self::SynAck,
            // SYN with FIN or RST opens nothing and answers nothing.
            odd if odd & tcp::SYN != 0 => Self::Segment,
            reset if reset & tcp::RST != 0 => Self::Rst,
            end if end & tcp::FIN != 0 => Self::Fin,
            _ => Self::Segment,
        }
    }

    /// `None` when the type is not echo.
    pub(crate) const fn of_echo(kind: u8) -> Option<Self> {
        match kind {
            icmpv6::ECHO_REQUEST => Some(Self::Request),
            icmpv6::ECHO_REPLY => Some(Self::Reply),
            _ => None,
        }
    }
}

impl Flow {
    /// Moves the state on after a packet that was let through.
    pub(crate) fn advance(&mut self, signal: Signal, direction: Direction) {
        match self.state {
            FlowState::SynSent => self.in_syn_sent(signal, direction),
            FlowState::Established => self.in_established(signal, direction),
            FlowState::Closing => self.in_closing(signal, direction),
            FlowState::Udp | FlowState::Echo | FlowState::Other => {}
        }
    }

    fn in_syn_sent(&mut self, signal: Signal, direction: Direction) {
        match signal {
            // Whoever answers is the end that did not open; when both did, any SYN-ACK answers.
            Signal::SynAck if self.opened.has(direction.opposite()) => {
                self.answered = true;
                self.state = FlowState::Established;
            }
            Signal::Rst => self.state = FlowState::Closing,
            Signal::Syn
            | Signal::SynAck
            | Signal::Fin
            | Signal::Segment
            | Signal::Request
            | Signal::Reply
            | Signal::Datagram => {}
        }
    }

    fn in_established(&mut self, signal: Signal, direction: Direction) {
        match signal {
            Signal::Rst => self.state = FlowState::Closing,
            Signal::Fin => {
                self.finished.add(direction);
                if self.finished.both() {
                    self.state = FlowState::Closing;
                }
            }
            // A SYN here is late or follows a crash: the peer's answer decides, not we.
            Signal::Syn
            | Signal::SynAck
            | Signal::Segment
            | Signal::Request
            | Signal::Reply
            | Signal::Datagram => {}
        }
    }

    fn in_closing(&mut self, signal: Signal, direction: Direction) {
        match signal {
            // The caller let a SYN through, so policy allows this end to open.
            Signal::Syn => {
                *self = Self { octets: self.octets, opened: self.opened, ..self.reopened(direction) };
            }
            // RFC 6146, section 3.5.2.2: after a reset that its receiver may not have believed, the connection that goes
            // on is established again. One that never was, or that both ended, is not.
            Signal::Fin | Signal::Segment if self.answered && !self.finished.both() => {
                self.state = FlowState::Established;
                self.in_established(signal, direction);
            }
            Signal::Fin
            | Signal::Segment
            | Signal::SynAck
            | Signal::Rst
            | Signal::Request
            | Signal::Reply
            | Signal::Datagram => {}
        }
    }

    fn reopened(&self, direction: Direction) -> Self {
        Self::new(sixgate_wire::protocol::TCP, direction, self.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use core::fmt::Write;
    use sixgate_wire::protocol;

    const SIGNALS: [Signal; 5] = [Signal::Syn, Signal::SynAck, Signal::Fin, Signal::Rst, Signal::Segment];

    /// Every state against every signal of both ends; the opener's direction is `Up`.
    #[test]
    fn every_state_against_every_signal() {
        let syn_sent = Flow::new(protocol::TCP, Direction::Up, 0);
        let after = |mut flow: Flow, signals: &[(Signal, Direction)]| {
            for (signal, direction) in signals {
                flow.advance(*signal, *direction);
            }
            flow
        };
        let established = after(syn_sent, &[(Signal::SynAck, Direction::Down)]);
        let rows = [
            ("syn-sent", syn_sent),
            ("established", established),
            ("half closed", after(established, &[(Signal::Fin, Direction::Up)])),
            ("reset", after(established, &[(Signal::Rst, Direction::Down)])),
            ("refused", after(syn_sent, &[(Signal::Rst, Direction::Down)])),
            ("closed", after(established, &[(Signal::Fin, Direction::Up), (Signal::Fin, Direction::Down)])),
        ];
        let mut table = String::new();
        for (name, flow) in rows {
            for direction in Direction::BOTH {
                write!(table, "{name:>11} {direction:?}:").unwrap();
                for signal in SIGNALS {
                    let next = after(flow, &[(signal, direction)]).state;
                    write!(table, " {signal:?}={next:?}").unwrap();
                }
                table.push('\n');
            }
        }
        assert_eq!(table, include_str!("state.table"), "\n{table}");
    }

    #[test]
    fn a_connection_that_both_opened_is_established_by_either_answer() {
        for direction in Direction::BOTH {
            let mut flow = Flow::new(protocol::TCP, Direction::Up, 0);
            flow.opened.add(Direction::Down);
            flow.advance(Signal::SynAck, direction);
            assert_eq!(flow.state, FlowState::Established);
        }
    }

    #[test]
    fn odd_combinations_of_flags_open_nothing() {
        for flags in 0..=u8::MAX {
            let opens = Signal::of_tcp(flags) == Signal::Syn;
            let alone = flags & (tcp::SYN | tcp::ACK | tcp::FIN | tcp::RST) == tcp::SYN;
            assert_eq!(opens, alone, "{flags:#x}");
        }
        assert_eq!(Signal::of_tcp(tcp::SYN | tcp::FIN), Signal::Segment);
        assert_eq!(Signal::of_tcp(tcp::RST | tcp::ACK), Signal::Rst);
        assert_eq!(Signal::of_tcp(tcp::FIN | tcp::ACK | tcp::PSH), Signal::Fin);
    }
}
