//! `sixgate dns64 explain`: the question is really asked, and each step written down.

use std::net::IpAddr;

use domain::base::iana::{OptRcode, Rtype};
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::Aaaa;
use sixgate_api::{Answer, Explanation, Step};
use sixgate_cache::State;
use sixgate_dns64::{Failure, Kind};

use super::Shared;
use super::drive::{Asked, Outcome};
use super::resolver::{Found, Held};

pub(super) async fn explain(shared: &Shared, name: &str, asker: IpAddr) -> Explanation {
    let mut explanation = Explanation { name: name.to_owned(), ..Explanation::default() };
    let Some(question) = question(name) else {
        explanation.rcode = OptRcode::FORMERR.to_string();
        explanation.steps.push(step("name", "not a domain name"));
        return explanation;
    };
    let mut steps = Vec::new();
    // As over TCP, so that nothing is cut off.
    let own = shared.asker();
    let outcome = own
        .ask(asker, true, &question, |asked| {
            let known = own.resolver.state(asked.question, &own.rules.forwarder);
            steps.extend(seen(&asked, known));
        })
        .await;
    explanation.steps = steps;
    let Outcome { answer, reason, .. } = outcome;
    let Some(answer) = answer else { return explanation };
    let how = match answer.kind {
        Kind::Passed => "as the upstream says",
        Kind::Synthesised => "made from A",
        Kind::Local => "from a zone of this resolver",
        Kind::Blocked => "blocked label",
        Kind::Invalid => "not a usable question",
        Kind::Failed => "no upstream gave a usable answer",
    };
    explanation.steps.push(step("answer", how));
    if let Some(reason) = reason {
        explanation.steps.push(step("reason", reason.text()));
    }
    let Ok(message) = Message::from_octets(answer.message) else { return explanation };
    explanation.rcode = message.opt_rcode().to_string();
    let Ok(section) = message.answer() else { return explanation };
    for record in section.limit_to_in::<Aaaa>().flatten() {
        explanation.answers.push(Answer {
            address: record.data().addr(),
            ttl: record.ttl().as_secs(),
            synthesised: answer.kind == Kind::Synthesised,
        });
    }
    explanation
}

fn step(step: &str, text: &str) -> Step {
    Step { step: step.to_owned(), text: text.to_owned() }
}

fn seen(asked: &Asked<'_>, known: Option<State>) -> Option<Step> {
    let question = Message::from_octets(asked.question).ok()?.sole_question().ok()?;
    let name = question.qname();
    let read = |message: &Vec<u8>| match Message::from_slice(message) {
        Ok(answer) => format!("{}, {} records", answer.opt_rcode(), answer.header_counts().ancount()),
        Err(_) => "malformed".to_owned(),
    };
    let text = match asked.found {
        Found::Answer(message) if asked.cached => {
            let left = match known {
                Some(State::Fresh(seconds)) => format!(", {seconds} s left"),
                Some(State::Stale(_) | State::Failed(_) | State::Absent) | None => String::new(),
            };
            format!("{name}: {}, from the cache{left}", read(message))
        }
        Found::Answer(message) => format!("{name}: {}", read(message)),
        Found::Stale(message) => {
            format!("{name}: {}, past its time, since no upstream answers", read(message))
        }
        Found::Failed(failure, Held(held)) => {
            let what = match failure {
                Failure::Silence => "no answer".to_owned(),
                Failure::Unusable => "no answer that belongs to the question".to_owned(),
                Failure::Malformed => "malformed".to_owned(),
                Failure::Refused(rcode, _) => rcode.to_string(),
                Failure::Loop => "too many aliases".to_owned(),
            };
            let when = if *held { ", a moment ago, and not asked again yet" } else { "" };
            format!("{name}: {what}{when}")
        }
    };
    Some(Step { step: question.qtype().to_string(), text })
}

fn question(name: &str) -> Option<Vec<u8>> {
    let name = Name::vec_from_str(name).ok()?;
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_rd(true);
    let mut builder = builder.question();
    builder.push((name, Rtype::AAAA)).ok()?;
    Some(builder.finish())
}
