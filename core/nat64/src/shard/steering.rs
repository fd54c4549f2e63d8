//! The same choice as [`ShardMap::owner`], as a program for the kernel: it names the queue of a packet, so that the packet
//! comes to its owner at once.
//!
//! What the program does not look into (static bindings, ICMPv4 errors, ICMPv6 errors behind extension headers) comes to
//! some queue and crosses from there. A packet that ends before what is read goes to the first queue.

use alloc::vec::Vec;

use sixgate_wire::protocol;

use super::ShardMap;
use super::map::FIRST_QUERY6;

/// An instruction of the kernel's virtual machine (RFC 9669, section 3), in the machine's byte order.
pub type Instruction = [u8; 8];

// Registers. A program is called with its packet in the first; loads want it in the sixth and change none behind it.
const CALLED: u8 = 1;
const PACKET: u8 = 6;
/// What loads give, comparisons look at and the program answers.
const RESULT: u8 = 0;
const SUM: u8 = 7;
const BASE: u8 = 8;
const FACTOR: u8 = 9;

// Loads from the packet (RFC 9669, section 5.5), most significant octet first; `AT`: from where a register says.
const LOAD_BYTE: u8 = 0x30;
const LOAD_HALF: u8 = 0x28;
const LOAD_WORD: u8 = 0x20;
const LOAD_BYTE_AT: u8 = 0x50;
const LOAD_HALF_AT: u8 = 0x48;
const LOAD_WORD_AT: u8 = 0x40;
// On registers, all 64 bits.
const LOAD_CONSTANT: u8 = 0x18;
const SET: u8 = 0xb7;
const COPY: u8 = 0xbf;
const ADD: u8 = 0x0f;
const MULTIPLY: u8 = 0x2f;
const AND: u8 = 0x57;
const AND_REGISTER: u8 = 0x5f;
const OR: u8 = 0x4f;
const SHIFT_LEFT: u8 = 0x67;
const SHIFT_RIGHT: u8 = 0x77;
const MODULO: u8 = 0x97;
// Jumps.
const ALWAYS: u8 = 0x05;
const IF_EQUAL: u8 = 0x15;
const IF_LESS: u8 = 0xa5;
const UNLESS_EQUAL: u8 = 0x55;
const EXIT: u8 = 0x95;

/// Where jumps lead.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Six,
    Error,
    Client,
    Part,
    Query,
    Identifier,
    Port,
    Sum,
    Nobody,
}

/// Instructions, and jumps whose ends are not known yet.
#[derive(Default)]
struct Program {
    code: Vec<Instruction>,
    jumps: Vec<(usize, Label)>,
    labels: Vec<(Label, usize)>,
}

impl ShardMap {
    /// The program, for a device whose queue numbers are the shards' indices.
    #[must_use]
    pub fn steering(&self) -> Vec<Instruction> {
        let mut p = Program::default();
        p.put(COPY, PACKET, CALLED, 0);
        p.put(LOAD_BYTE, 0, 0, 0);
        p.put(SHIFT_RIGHT, RESULT, 0, 4);
        p.jump(IF_EQUAL, 6, Label::Six);
        p.jump(UNLESS_EQUAL, 4, Label::Nobody);
        self.four(&mut p);
        self.six(&mut p);
        // The sums end alike.
        p.here(Label::Sum);
        p.put(SHIFT_RIGHT, SUM, 0, 32);
        p.put(MODULO, SUM, 0, self.shards().into());
        p.put(COPY, RESULT, SUM, 0);
        p.put(EXIT, 0, 0, 0);
        p.here(Label::Nobody);
        p.put(SET, RESULT, 0, 0);
        p.put(EXIT, 0, 0, 0);
        p.finished()
    }

    /// By the outside port or identifier; parts by the datagram.
    fn four(&self, p: &mut Program) {
        p.put(LOAD_HALF, 0, 0, 6);
        p.put(AND, RESULT, 0, 0x3fff);
        p.jump(UNLESS_EQUAL, 0, Label::Part);
        p.put(LOAD_BYTE, 0, 0, 0);
        p.put(AND, RESULT, 0, 0x0f);
        p.put(SHIFT_LEFT, RESULT, 0, 2);
        p.put(COPY, BASE, RESULT, 0);
        p.put(LOAD_BYTE, 0, 0, 9);
        p.jump(IF_EQUAL, protocol::ICMP.into(), Label::Query);
        p.put(LOAD_HALF_AT, 0, BASE, 2);
        p.jump(ALWAYS, 0, Label::Port);
        p.here(Label::Query);
        p.put(LOAD_BYTE_AT, 0, BASE, 0);
        for kind in super::map::QUERIES {
            p.jump(IF_EQUAL, kind.into(), Label::Identifier);
        }
        p.jump(ALWAYS, 0, Label::Nobody);
        p.here(Label::Identifier);
        p.put(LOAD_HALF_AT, 0, BASE, 4);
        p.here(Label::Port);
        p.put(SHIFT_RIGHT, RESULT, 0, self.unit_bits());
        p.put(MODULO, RESULT, 0, self.shards().into());
        p.put(EXIT, 0, 0, 0);

        p.here(Label::Part);
        let [add, of_src, of_dst, of_rest] = self.of_datagram;
        p.constant(SUM, add);
        p.put(LOAD_HALF, 0, 0, 4);
        p.put(SHIFT_LEFT, RESULT, 0, 8);
        p.put(COPY, BASE, RESULT, 0);
        p.put(LOAD_BYTE, 0, 0, 9);
        p.put(OR, RESULT, BASE, 0);
        p.add_product(of_rest);
        for (at, multiplier) in [(12, of_src), (16, of_dst)] {
            p.put(LOAD_WORD, 0, 0, at);
            p.add_product(multiplier);
        }
        p.jump(ALWAYS, 0, Label::Sum);
    }

    /// By the client: the source, or the destination of what an error quotes.
    fn six(&self, p: &mut Program) {
        p.here(Label::Six);
        p.put(SET, BASE, 0, 8);
        p.put(LOAD_BYTE, 0, 0, 6);
        p.jump(UNLESS_EQUAL, protocol::ICMPV6.into(), Label::Client);
        p.put(LOAD_BYTE, 0, 0, 40);
        p.jump(IF_LESS, FIRST_QUERY6.into(), Label::Error);
        p.jump(ALWAYS, 0, Label::Client);
        p.here(Label::Error);
        p.put(SET, BASE, 0, 40 + 8 + 24);
        p.here(Label::Client);
        let [add, multipliers @ ..] = self.of_client;
        p.constant(SUM, add);
        for (n, multiplier) in (0..).zip(multipliers) {
            p.put(LOAD_WORD_AT, 0, BASE, 4 * n);
            p.constant(FACTOR, u64::from((self.client_mask >> (96 - 32 * n)) as u32));
            p.put(AND_REGISTER, RESULT, FACTOR, 0);
            p.add_product(multiplier);
        }
        p.jump(ALWAYS, 0, Label::Sum);
    }
}

impl Program {
    fn put(&mut self, code: u8, to: u8, from: u8, constant: i32) {
        let registers = if cfg!(target_endian = "little") { from << 4 | to } else { to << 4 | from };
        let [a, b, c, d] = constant.to_ne_bytes();
        self.code.push([code, registers, 0, 0, a, b, c, d]);
    }

    /// A constant of 64 bits takes two instructions, each with one half.
    fn constant(&mut self, to: u8, constant: u64) {
        self.put(LOAD_CONSTANT, to, 0, constant as i32);
        self.put(0, 0, 0, (constant >> 32) as i32);
    }

    /// Adds the product of what was loaded to the sum.
    fn add_product(&mut self, multiplier: u64) {
        self.constant(FACTOR, multiplier);
        self.put(MULTIPLY, RESULT, FACTOR, 0);
        self.put(ADD, SUM, RESULT, 0);
    }

    fn jump(&mut self, code: u8, than: i32, to: Label) {
        self.jumps.push((self.code.len(), to));
        self.put(code, RESULT, 0, than);
    }

    fn here(&mut self, label: Label) {
        self.labels.push((label, self.code.len()));
    }

    fn finished(mut self) -> Vec<Instruction> {
        for (at, label) in self.jumps {
            let end = self.labels.iter().find(|(known, _)| *known == label).map_or(at, |(_, end)| *end);
            // All jumps lead forwards, over a hundred instructions at most.
            let [low, high] = ((end - at) as i16 - 1).to_ne_bytes();
            self.code[at][2..4].copy_from_slice(&[low, high]);
        }
        self.code
    }
}
