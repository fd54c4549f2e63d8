//! Neighbour discovery (RFC 4861): router solicitation and advertisement, neighbour solicitation and advertisement.
