//! The kernel's program chooses as the map does, run here by the few instructions of RFC 9669 that it has.

use proptest::prelude::*;
use sixgate_nat64::{Config, Instruction, Owner, ShardMap, Share};
use sixgate_wire::Packet;
use sixgate_wire::ipv4;

use crate::support::*;

/// What the program answers; zero where a load leaves the packet, as in the kernel.
fn run(program: &[Instruction], packet: &[u8]) -> u64 {
    let mut registers = [0_u64; 10];
    let mut at = 0;
    loop {
        let [code, named, low, high, constant @ ..] = program[at];
        let constant = i32::from_ne_bytes(constant);
        let nibbles = [usize::from(named & 15), usize::from(named >> 4)];
        let [to, from] = if cfg!(target_endian = "little") { nibbles } else { [nibbles[1], nibbles[0]] };
        let jump = usize::try_from(i16::from_ne_bytes([low, high])).expect("jumps lead forwards");
        let wide = i64::from(constant) as u64;
        at += 1;
        match code {
            0x20 | 0x28 | 0x30 | 0x40 | 0x48 | 0x50 => {
                let size = [4, 2, 1][usize::from(code >> 3 & 3)];
                let base = if code & 0x40 == 0 { 0 } else { registers[from] as usize };
                let start = base + constant as usize;
                let Some(octets) = packet.get(start..start + size) else { return 0 };
                registers[0] = octets.iter().fold(0, |value, octet| value << 8 | u64::from(*octet));
                registers[1..6].fill(0xdead);
            }
            0x18 => {
                let upper = u32::from_ne_bytes([4, 5, 6, 7].map(|n| program[at][n]));
                registers[to] = u64::from(upper) << 32 | u64::from(constant as u32);
                at += 1;
            }
            0xb7 => registers[to] = wide,
            0xbf => registers[to] = registers[from],
            0x0f => registers[to] = registers[to].wrapping_add(registers[from]),
            0x2f => registers[to] = registers[to].wrapping_mul(registers[from]),
            0x4f => registers[to] |= registers[from],
            0x57 => registers[to] &= wide,
            0x5f => registers[to] &= registers[from],
            0x67 => registers[to] <<= constant,
            0x77 => registers[to] >>= constant,
            0x97 => registers[to] %= wide,
            0x05 => at += jump,
            0x15 if registers[to] == wide => at += jump,
            0x55 if registers[to] != wide => at += jump,
            0xa5 if registers[to] < wide => at += jump,
            0x15 | 0x55 | 0xa5 => {}
            0x95 => return registers[0],
            unknown => panic!("{unknown:#x}"),
        }
    }
}

fn map(of: u16, unit: u16, bits: u8, seed: u8) -> ShardMap {
    let config = Config { share: Share { index: 0, of, unit }, ..config() };
    ShardMap::new(&config, bits, &[seed; 32])
}

fn named(owner: Owner) -> Option<u16> {
    match owner {
        Owner::One(shard) | Owner::Part { home: shard } => Some(shard),
        Owner::Anybody => None,
    }
}

proptest! {
    #[test]
    fn the_program_and_the_map_choose_alike(
        of in 2_u16..9,
        unit in prop_oneof![Just(64_u16), Just(512), Just(8192)],
        bits in 16_u8..=128,
        seed: u8,
        host: u64,
        from: u16,
        to: u16,
        id: u16,
    ) {
        let map = map(of, unit, bits, seed);
        let program = map.steering();
        let host = (u128::from(client().segments()[0]) << 112 | u128::from(host)).into();
        let peer = SERVER;
        let packets = [
            udp6(host, from, embed(peer), to, b"question"),
            tcp6(host, from, embed(peer), to, 2),
            echo6(128, host, embed(peer), from),
            echo6(129, host, embed(peer), from),
            error6(gateway6(), 1, 0, 0, udp6(embed(peer), to, host, from, b"").bytes()),
            six(44, host, embed(peer), &[17, 0, 0, 8, 0, 0, 0, 1, 9, 9]),
            udp4(peer, from, POOL, to, b"answer"),
            tcp4(peer, from, POOL, to, 16),
            echo4(0, peer, POOL, to),
            echo4(8, peer, POOL, to),
            four_with(17, peer, POOL, &[1; 16], |header| ipv4::Header {
                identification: id,
                dont_fragment: false,
                more_fragments: true,
                fragment_offset: to & !7,
                ..header
            }),
        ];
        for packet in packets {
            let chosen = run(&program, packet.bytes());
            prop_assert_eq!(Some(chosen), named(map.owner(packet.bytes())).map(u64::from), "{:?}", packet);
        }
    }

    #[test]
    fn whatever_comes_gets_a_queue_that_is_there(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        let map = map(3, 64, 128, 1);
        let queue = run(&map.steering(), Packet::from_slice(&bytes).bytes());
        prop_assert!(queue < 3);
    }
}

#[test]
fn what_is_neither_goes_to_the_first_queue() {
    let program = map(4, 64, 128, 1).steering();
    assert_eq!(run(&program, &[]), 0);
    assert_eq!(run(&program, &[0x50; 60]), 0);
    // The verifier of old kernels takes no more than 4,096.
    assert!(program.len() < 120, "{}", program.len());
}
