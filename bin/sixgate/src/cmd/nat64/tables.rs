//! `sixgate nat64 sessions | bib | pools`

use serde_json::{Value, json};
use sixgate_api::{Nat64Bib, Nat64Pools, Nat64Sessions, Pool, path};
use sixgate_io_control::Method;

use crate::cli::Context;
use crate::cmd::{call, show};
use crate::exit::{Exit, Trouble};
use crate::print::{Table, until};

/// Which lines are wanted.
#[derive(clap::Args, Debug)]
pub(super) struct Which {
    /// Only of this client: its name, address or prefix
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
    /// Only this protocol: tcp, udp or icmp
    #[arg(long, value_parser = ["tcp", "udp", "icmp"])]
    protocol: Option<String>,
    /// Only this address of the pool, or this address and port
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    outside: Option<String>,
    /// Lines at most
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(..=100_000))]
    limit: u64,
    /// Lines to leave out before, for the next page
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: u64,
}

impl Which {
    fn body(&self) -> Value {
        json!({"client": self.client, "proto": self.protocol, "outside": self.outside,
               "limit": self.limit, "skip": self.skip})
    }
}

pub(super) fn sessions(which: &Which, context: &Context) -> Result<Exit, Trouble> {
    let answer = call(context, Method::Post, path::NAT64_SESSIONS, &which.body())?;
    show(context, answer, |answer: Nat64Sessions| {
        let named = answer.sessions.iter().any(|s| s.client.is_some());
        let head = ["proto", "client", "inside", "outside", "peer", "state", "ends in"];
        let mut table = Table::new("", &columns(named, head));
        for s in &answer.sessions {
            let row = [
                s.proto.clone(),
                s.client.clone().unwrap_or_else(|| "-".to_owned()),
                s.inside.to_string(),
                s.outside.to_string(),
                if s.proto == "icmp" { s.peer.ip().to_string() } else { s.peer.to_string() },
                s.state.clone(),
                until(s.expires),
            ];
            table.row(columns(named, row));
        }
        let seen = Seen { shown: answer.sessions.len(), total: answer.total, skipped: answer.skipped };
        format!("{}{}", table.render(), seen.line("session"))
    })
}

pub(super) fn bib(which: &Which, context: &Context) -> Result<Exit, Trouble> {
    let answer = call(context, Method::Post, path::NAT64_BIB, &which.body())?;
    show(context, answer, |answer: Nat64Bib| {
        let named = answer.bib.iter().any(|b| b.client.is_some());
        let head = ["proto", "client", "inside", "outside", "kind", "sessions"];
        let mut table = Table::new("", &columns(named, head));
        for b in &answer.bib {
            let row = [
                b.proto.clone(),
                b.client.clone().unwrap_or_else(|| "-".to_owned()),
                b.inside.to_string(),
                b.outside.to_string(),
                if b.is_static { "static" } else { "dynamic" }.to_owned(),
                b.sessions.to_string(),
            ];
            table.row(columns(named, row));
        }
        let seen = Seen { shown: answer.bib.len(), total: answer.total, skipped: answer.skipped };
        format!("{}{}", table.render(), seen.line("binding"))
    })
}

pub(super) fn pools(
    protocol: Option<&str>,
    outside: Option<&str>,
    context: &Context,
) -> Result<Exit, Trouble> {
    let body = json!({"proto": protocol, "outside": outside});
    let answer = call(context, Method::Post, path::NAT64_POOLS, &body)?;
    show(context, answer, |answer: Nat64Pools| {
        let mut table = Table::new("", &["proto", "addresses", "ports", "used", "of", ""]);
        for p in &answer.pools {
            table.row([
                p.proto.clone(),
                p.addresses.clone(),
                p.ports.clone(),
                p.used.to_string(),
                p.total.to_string(),
                bar(p),
            ]);
        }
        table.render()
    })
}

/// A row with or without its second column, the names of clients: the translator alone knows none.
fn columns<T, const N: usize>(named: bool, row: [T; N]) -> Vec<T> {
    row.into_iter().enumerate().filter(|(n, _)| named || *n != 1).map(|(_, cell)| cell).collect()
}

/// How many lines there are.
struct Seen {
    shown: usize,
    total: u64,
    skipped: u64,
}

impl Seen {
    fn line(&self, what: &str) -> String {
        let Self { shown, total, skipped } = *self;
        let plural = if total == 1 { "" } else { "s" };
        let last = skipped + shown as u64;
        if shown as u64 == total {
            format!("{total} {what}{plural}\n")
        } else if last < total {
            format!("{shown} of {total} {what}{plural}, from {}; the next with --skip {last}\n", skipped + 1)
        } else {
            format!("{shown} of {total} {what}{plural}, the last\n")
        }
    }
}

/// `████░░░░░░░░░░░░░░░░ 21 %`
fn bar(pool: &Pool) -> String {
    const WIDTH: u64 = 20;
    if pool.total == 0 {
        return "no ports".to_owned();
    }
    let used = pool.used.min(pool.total);
    // What is in use is seen, and what is free too.
    let full = (used * WIDTH / pool.total).max(u64::from(used > 0));
    let full = if used < pool.total { full.min(WIDTH - 1) } else { WIDTH };
    let cells: String = (0..WIDTH).map(|n| if n < full { '█' } else { '░' }).collect();
    let blocks = match pool.blocks {
        0 => String::new(),
        blocks => format!("  {} of {blocks} blocks", pool.blocks_used),
    };
    let level = match pool.level.as_str() {
        "full" => "  FULL",
        "high" => "  nearly full",
        _ => "",
    };
    format!("{cells} {:>3} %{blocks}{level}", used * 100 / pool.total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(used: u64, total: u64) -> Pool {
        let text = String::new;
        let level = if used * 100 > total * 95 { "full" } else { "normal" }.to_owned();
        let blocks = total / 64;
        Pool { proto: text(), addresses: text(), ports: text(), used, total, blocks_used: 1, blocks, level }
    }

    #[test]
    fn a_bar_is_full_only_when_the_pool_is() {
        assert_eq!(bar(&pool(0, 100)), "░░░░░░░░░░░░░░░░░░░░   0 %  1 of 1 blocks");
        assert_eq!(bar(&pool(1, 1000)), "█░░░░░░░░░░░░░░░░░░░   0 %  1 of 15 blocks");
        assert_eq!(bar(&pool(999, 1000)), "███████████████████░  99 %  1 of 15 blocks  FULL");
        assert_eq!(bar(&pool(10, 10)), "████████████████████ 100 %  FULL");
        assert_eq!(bar(&pool(0, 0)), "no ports");
    }

    #[test]
    fn how_many_there_are_is_said_with_the_way_to_the_rest() {
        let line = |shown, total, skipped| Seen { shown, total, skipped }.line("session");
        assert_eq!(line(1, 1, 0), "1 session\n");
        assert_eq!(line(0, 0, 0), "0 sessions\n");
        assert_eq!(line(10, 25, 10), "10 of 25 sessions, from 11; the next with --skip 20\n");
        assert_eq!(line(5, 25, 20), "5 of 25 sessions, the last\n");
    }
}
