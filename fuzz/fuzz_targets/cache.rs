//! Answers of upstreams that nobody checked, through the cache and back: no panic, an answer that belongs to the question, TTLs
//! that only fall; and messages of clients at the table of finished answers.
#![no_main]

use domain::base::Message;
use libfuzzer_sys::fuzz_target;
use sixgate_cache::{Asked, Cache, Finished, Look, Options, Quick, kept};
use sixgate_time::{Duration, Instant};

fuzz_target!(|data: &[u8]| {
    let mut cache = Cache::new(Options { octets: 20_000, serve_stale: true }, [7; 16]);
    let mut finished = Finished::new(20_000, 1_232, [9; 16]);
    let (mut data, mut now) = (data, Instant::from_secs(1));
    let client = "fd64::9".parse().unwrap();
    while let Some((&how, rest)) = data.split_first() {
        data = rest;
        now = now + Duration::from_millis(u64::from(how) * 37);
        let question = piece(&mut data);
        let answer = piece(&mut data);
        let mut out = [0; 1_232];
        if let Quick::Answer { length, .. } = finished.answer(now, how & 1, question, &mut out) {
            check(&out[..length], question, u32::MAX);
            // A message that is answered so is one that can be read.
            assert!(Asked::of(question, 0).is_some());
        }
        let Some(asked) = Asked::of(question, u32::from(how & 1)) else { continue };
        match kept::keep(answer, &asked, |_| how & 2 == 0) {
            Ok(kept) => {
                check(&kept.message, question, 86_400);
                // As the slow way writes it: an OPT record for who sent one.
                let mut written = kept.message.clone();
                if question.get(11) == Some(&1) {
                    written[11] = 1;
                    written.extend_from_slice(&[0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
                }
                finished.insert(now, how & 1, &[how], question, &written);
                assert!(finished.usage().octets <= 20_000);
                cache.store(now, &asked, client, &kept);
            }
            Err(cause) => cache.fail(now, &asked, client, cause),
        }
        match cache.look(now, &asked) {
            Look::Fresh { message, .. } => check(&message, question, 86_400),
            Look::Held { stale, .. } | Look::Absent { stale } => {
                if let Some(message) = stale {
                    check(&message, question, 86_400);
                }
            }
        }
        assert!(cache.usage().octets <= 20_000);
    }
});

/// Two octets of length, then so many octets, or what is left.
fn piece<'a>(data: &mut &'a [u8]) -> &'a [u8] {
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return &[] };
    let (piece, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length) & 0x01ff).min(rest.len()));
    *data = rest;
    piece
}

/// It can be read to its end, and answers this question.
fn check(message: &[u8], question: &[u8], most_ttl: u32) {
    let message = Message::from_slice(message).expect("a message");
    let asked = Message::from_slice(question).unwrap().sole_question().unwrap();
    assert!(message.header().qr());
    assert_eq!(message.sole_question().unwrap(), asked);
    for section in [message.answer().unwrap(), message.authority().unwrap(), message.additional().unwrap()] {
        for record in section {
            assert!(record.expect("a record").ttl().as_secs() <= most_ttl);
        }
    }
}
