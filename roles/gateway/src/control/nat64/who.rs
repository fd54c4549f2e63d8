//! `nat64 who`: who has a port of the pool, or had it; by the live bindings and by the port log.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use jiff::Timestamp;
use sixgate_api::{Holders, Nat64Holder, Nat64Who, Nat64WhoQuestion};
use sixgate_io_control::Response;
use sixgate_nat64::{Proto, Wanted};

use crate::control::Control;
use crate::control::api::document;
use crate::seam::Question;

/// No line of ours is longer.
const LONGEST_LINE: u64 = 1 << 16;

type Logged = (Vec<Nat64Holder>, Option<(Timestamp, Timestamp)>);

impl Control {
    /// Answers the call.
    pub(crate) async fn nat64_who(&self, asked: Nat64WhoQuestion) -> Response {
        let wrong = |line: &str| Response::failure(400, "request-invalid", line);
        if !asked.proto.as_deref().is_none_or(|p| Proto::ALL.iter().any(|known| known.name() == p)) {
            return wrong("`proto` is tcp, udp or icmp");
        }
        let now = Timestamp::now();
        let at = asked.at.unwrap_or(now);
        if at > now {
            return wrong("`at` lies ahead: nobody has had the port then");
        }
        let path = match self.site.lock() {
            Ok(site) => match &site.config.nat64 {
                Some(nat64) => nat64.port_log.clone(),
                None => {
                    let line = "there is no [nat64] section: nobody has ports of a pool";
                    return Response::failure(409, "no-nat64", line);
                }
            },
            Err(_) => return Response::failure(503, "ending", "the gateway is ending"),
        };
        let mut answer = Nat64Who {
            outside: asked.outside,
            at,
            holders: Vec::new(),
            log: path.as_ref().map(|path| path.display().to_string()),
            log_from: None,
            remark: None,
        };
        if asked.at.is_none() {
            answer.holders = self.holders_now(&asked).await;
        }
        let Some(path) = path else {
            if asked.at.is_some() {
                answer.remark = Some(
                    "no port log is kept: `port-log` of [nat64] names a file; only who has it now is known"
                        .to_owned(),
                );
            }
            return document(answer);
        };
        let question = asked.clone();
        let read = tokio::task::spawn_blocking(move || search(&path, &question, at)).await;
        match read {
            Ok(Ok((logged, range))) => {
                answer.log_from = range.map(|(first, _)| first);
                answer.remark = remark(at, range, logged.is_empty() && answer.holders.is_empty());
                answer.holders.extend(logged);
            }
            Ok(Err(e)) => answer.remark = Some(format!("the port log cannot be read: {e}")),
            Err(_) => return Response::failure(503, "ending", "the gateway is ending"),
        }
        document(answer)
    }

    /// Who has it at this moment.
    async fn holders_now(&self, asked: &Nat64WhoQuestion) -> Vec<Nat64Holder> {
        let outside = Some((*asked.outside.ip(), Some(asked.outside.port())));
        let wanted = Wanted { outside, ..Wanted::default() };
        let names = self.client_names();
        let (mut holders, mut next) = (Vec::new(), Some(0));
        while let Some(start) = next {
            let Some(slice) = self.net.ask(|to| Question::Bib { start, wanted, to }).await else { break };
            next = slice.next;
            holders.extend(slice.items.into_iter().map(|b| Nat64Holder {
                proto: b.protocol.name().to_owned(),
                client: b.inside.address.to_string(),
                name: names.get(&b.inside.address).cloned(),
                ports: format!("{0}-{0}", b.outside.port),
                since: None,
                until: None,
                by: if b.is_static { "static" } else { "binding" }.to_owned(),
            }));
        }
        holders.retain(|h| asked.proto.as_ref().is_none_or(|proto| h.proto == *proto));
        holders.sort_by(|a, b| a.proto.cmp(&b.proto));
        holders
    }
}

/// Reads the whole log: a record counts until another one takes it back.
fn search(path: &Path, asked: &Nat64WhoQuestion, at: Timestamp) -> io::Result<Logged> {
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path)?);
    let mut holders = Holders::new(*asked.outside.ip(), asked.outside.port(), asked.proto.clone(), at);
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(holders.finish());
        }
        holders.line(&line);
    }
}

/// What a log that is silent does not prove.
fn remark(at: Timestamp, range: Option<(Timestamp, Timestamp)>, nobody: bool) -> Option<String> {
    match range {
        None => Some("the port log is empty".to_owned()),
        Some((first, _)) if at < first => Some(format!(
            "the port log begins at {first}: who had it before is in an older file, if it was kept"
        )),
        Some(_) if nobody => Some("nobody had it, by the port log".to_owned()),
        Some(_) => None,
    }
}
