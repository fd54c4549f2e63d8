//! A client's message and upstreams' answers that nobody checked: no panic, an end, and an answer that belongs to the question.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sixgate_dns64::{Answer, Block, Config, Dns64, Rule, Step};
use sixgate_time::{Duration, Instant};
use sixgate_wire::addr::Prefix64;

const HEADER: usize = 12;
/// More questions than this about one name mean that the machine runs in a circle.
const MOST_QUESTIONS: usize = 64;

fuzz_target!(|data: &[u8]| {
    let Some((&how, mut data)) = data.split_first() else { return };
    let stream = how & 1 != 0;
    let message = piece(&mut data);
    let mut now = Instant::from_secs(1);
    let mut exchange = match machine().ask(now, "fd64::9".parse().unwrap(), stream, message) {
        Step::Answer(answer) => return check(&answer, message, stream),
        Step::Drop(_) => return,
        Step::Exchange(exchange) => exchange,
    };
    let (mut questions, mut waits) = (0, 0);
    let answer = loop {
        while let Some(question) = exchange.poll_question() {
            questions += 1;
            assert!(questions < MOST_QUESTIONS);
            assert!(question.message.len() > HEADER);
            let upstream = piece(&mut data);
            match upstream.split_first() {
                // No answer, one made of octets only, and one that at least repeats the question.
                None => {}
                Some((0, _)) => exchange.handle_answer(now, question.key, None),
                Some((1..=31, raw)) => exchange.handle_answer(now, question.key, Some(raw)),
                Some((_, raw)) => {
                    exchange.handle_answer(now, question.key, Some(&answering(&question.message, raw)));
                }
            }
        }
        if let Some(answer) = exchange.poll_answer() {
            break answer;
        }
        waits += 1;
        assert!(waits < MOST_QUESTIONS);
        let next = exchange.next_timeout();
        assert!(next > now && next < Instant::from_secs(60), "{next:?}");
        now = next;
        exchange.handle_timeout(now);
    };
    check(&answer, message, stream);
});

fn machine() -> Dns64 {
    let prefix = Prefix64::new("fd00:64::/96".parse().unwrap()).unwrap();
    Dns64::new(Config {
        rules: vec![Rule::for_all(prefix)],
        exclude_ipv4: vec!["10.6.99.0/24".parse().unwrap()],
        block: Some(Block { labels: vec!["isatap".into(), "wpad".into()], zones: Vec::new(), bare: true }),
        head_start: Duration::from_millis(50),
        ..Config::default()
    })
}

/// Two octets of length, then so many octets, or what is left.
fn piece<'a>(data: &mut &'a [u8]) -> &'a [u8] {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return &[] };
    let (piece, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length) & 0x03ff).min(rest.len()));
    *data = rest;
    piece
}

/// A response to `question` whose flags, counts and records are `raw`.
fn answering(question: &[u8], raw: &[u8]) -> Vec<u8> {
    let mut message = question[..2].to_vec();
    let (fields, records) = raw.split_at(raw.len().min(8));
    message.extend([0x80 | fields.first().copied().unwrap_or(0), fields.get(1).copied().unwrap_or(0), 0, 1]);
    // Small counts: records of some octets are better than a message that ends before its counts.
    for at in 2..5 {
        message.extend([0, fields.get(at).copied().unwrap_or(0) & 7]);
    }
    let mut end = HEADER;
    while let Some(&label) = question.get(end) {
        end += 1 + usize::from(label);
        if label == 0 {
            break;
        }
    }
    message.extend(question.get(HEADER..end + 4).unwrap_or_default());
    message.extend(records);
    message
}

fn check(answer: &Answer, message: &[u8], stream: bool) {
    let out = &answer.message;
    assert!(out.len() >= HEADER && out.len() <= if stream { 65_535 } else { 1232 });
    // RFC 1035, section 4.1.1: the same identifier, and QR set.
    assert_eq!(out[..2], message[..2]);
    assert!(out[2] & 0x80 != 0);
}
