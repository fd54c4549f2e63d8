//! The TCP state machine of RFC 6146, section 3.5.2.2, as a table.
//!
//! ```text
//!                 V6 SYN                V4 SYN
//!   (CLOSED) ---------------> V6 INIT ----------.
//!      |  V4 SYN                                 \
//!      '---------------> V4 INIT ---- V6 SYN ---> ESTABLISHED <--- anything but RST --- TRANS
//!                                                  |   |   |                              ^
//!                                          V4 FIN  |   |   '---- RST, or silence ---------'
//!                                                  v   v V6 FIN
//!                                       V4 FIN RCV     V6 FIN RCV
//!                                           | V6 FIN       | V4 FIN
//!                                           '---> V4 FIN + V6 FIN RCV
//! ```
//! CLOSED has no session and is decided in the engine.

use sixgate_wire::tcp::{FIN, RST, SYN};

/// State of a TCP session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum TcpState {
    /// A SYN came from the IPv4 side and was passed on.
    V4Init,
    /// A SYN came from the IPv6 side.
    V6Init,
    /// SYNs from both sides.
    Established,
    /// The IPv4 side is done.
    V4FinRcv,
    /// The IPv6 side is done.
    V6FinRcv,
    /// Both are done.
    V4V6FinRcv,
    /// Reset or silent for long: ends soon unless somebody speaks.
    Trans,
}

impl TcpState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::V4Init,
        Self::V6Init,
        Self::Established,
        Self::V4FinRcv,
        Self::V6FinRcv,
        Self::V4V6FinRcv,
        Self::Trans,
    ];

    /// Name as RFC 6146 has it, in lower case with hyphens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4Init => "v4-init",
            Self::V6Init => "v6-init",
            Self::Established => "established",
            Self::V4FinRcv => "v4-fin-rcv",
            Self::V6FinRcv => "v6-fin-rcv",
            Self::V4V6FinRcv => "v4-fin-v6-fin-rcv",
            Self::Trans => "trans",
        }
    }
}

/// Which side a segment came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The pool's side.
    V4,
    /// The clients' side.
    V6,
}

/// What a segment says, as far as the machine cares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Says {
    /// SYN, with or without ACK.
    Syn,
    /// FIN.
    Fin,
    /// RST.
    Rst,
    /// Anything else.
    Other,
}

impl Says {
    /// A reset says nothing else, whatever other bits are set.
    #[must_use]
    pub const fn of(flags: u8) -> Self {
        if flags & RST != 0 {
            Self::Rst
        } else if flags & SYN != 0 {
            Self::Syn
        } else if flags & FIN != 0 {
            Self::Fin
        } else {
            Self::Other
        }
    }
}

/// What a segment does to the lifetime of its session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lifetime {
    /// Runs on.
    Keep,
    /// Starts again, the long one.
    Established,
    /// Starts again, the short one.
    Transitory,
}

/// The next state and what becomes of the lifetime, after a segment from `side` that `says` something.
#[must_use]
pub const fn step(state: TcpState, side: Side, says: Says) -> (TcpState, Lifetime) {
    use {Lifetime as L, Says as S, Side::*, TcpState as T};
    match (state, side, says) {
        (T::V4Init, V6, S::Syn) | (T::V6Init, V4, S::Syn) => (T::Established, L::Established),
        (T::V6Init, V6, S::Syn) => (T::V6Init, L::Transitory),
        (T::V4Init | T::V6Init, _, _) => (state, L::Keep),

        (T::Established, V4, S::Fin) => (T::V4FinRcv, L::Established),
        (T::Established, V6, S::Fin) => (T::V6FinRcv, L::Established),
        // A reset is not believed at once: whoever guessed the ports could end the connection (RFC 6146, section 5.3).
        (T::Established, _, S::Rst) => (T::Trans, L::Transitory),
        (T::Established, _, S::Syn | S::Other) => (T::Established, L::Established),

        (T::V4FinRcv, V6, S::Fin) | (T::V6FinRcv, V4, S::Fin) => (T::V4V6FinRcv, L::Transitory),
        (T::V4FinRcv | T::V6FinRcv, _, _) => (state, L::Established),

        (T::V4V6FinRcv, _, _) => (T::V4V6FinRcv, L::Keep),

        (T::Trans, _, S::Rst) => (T::Trans, L::Keep),
        (T::Trans, _, S::Syn | S::Fin | S::Other) => (T::Established, L::Established),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::fmt::Write as _;
    use std::string::String;

    use super::*;

    /// Every state against every segment; rows are states, columns V6 syn fin rst other, V4 syn fin rst other.
    const SNAPSHOT: &str = "\
v4-init: established+E v4-init= v4-init= v4-init= | v4-init= v4-init= v4-init= v4-init=
v6-init: v6-init+T v6-init= v6-init= v6-init= | established+E v6-init= v6-init= v6-init=
established: established+E v6-fin-rcv+E trans+T established+E | established+E v4-fin-rcv+E trans+T established+E
v4-fin-rcv: v4-fin-rcv+E v4-fin-v6-fin-rcv+T v4-fin-rcv+E v4-fin-rcv+E | v4-fin-rcv+E v4-fin-rcv+E v4-fin-rcv+E v4-fin-rcv+E
v6-fin-rcv: v6-fin-rcv+E v6-fin-rcv+E v6-fin-rcv+E v6-fin-rcv+E | v6-fin-rcv+E v4-fin-v6-fin-rcv+T v6-fin-rcv+E v6-fin-rcv+E
v4-fin-v6-fin-rcv: v4-fin-v6-fin-rcv= v4-fin-v6-fin-rcv= v4-fin-v6-fin-rcv= v4-fin-v6-fin-rcv= | v4-fin-v6-fin-rcv= v4-fin-v6-fin-rcv= v4-fin-v6-fin-rcv= v4-fin-v6-fin-rcv=
trans: established+E established+E trans= established+E | established+E established+E trans= established+E
";

    #[test]
    fn every_state_against_every_segment_is_the_table() {
        let mut table = String::new();
        for state in TcpState::ALL {
            write!(table, "{}:", state.name()).unwrap();
            for side in [Side::V6, Side::V4] {
                if side == Side::V4 {
                    table.push_str(" |");
                }
                for says in [Says::Syn, Says::Fin, Says::Rst, Says::Other] {
                    let (next, lifetime) = step(state, side, says);
                    let mark = match lifetime {
                        Lifetime::Keep => "=",
                        Lifetime::Established => "+E",
                        Lifetime::Transitory => "+T",
                    };
                    write!(table, " {}{mark}", next.name()).unwrap();
                }
            }
            table.push('\n');
        }
        assert_eq!(table, SNAPSHOT, "\n{table}");
    }

    #[test]
    fn a_reset_hides_the_other_flags() {
        assert_eq!(Says::of(RST | SYN | FIN), Says::Rst);
        assert_eq!(Says::of(SYN | FIN), Says::Syn);
        assert_eq!(Says::of(0x10), Says::Other);
    }
}
