//! `nat64 sessions`, `bib`, `pools`: what is asked for of tables that may have a million lines, in order.
//!
//! The packet plane gives the tables away in slices and moves packets between them; here no more is kept than is shown.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4};

use sixgate_api::{self as api, Nat64Wanted};
use sixgate_io_control::Response;
use sixgate_nat64::{BibView, Level, PoolView, Proto, SessionView, Slice, Wanted};
use sixgate_wire::addr::Ipv6Prefix;
use tokio::sync::oneshot;

use super::{inside, outside};
use crate::control::Control;
use crate::control::api::{document, wall};
use crate::control::ends::Side;
use crate::seam::Question;

/// Lines that are shown when nobody says how many.
const USUAL: usize = 10_000;
/// Most lines of one answer; who wants more asks for the next with `skip`.
const MOST: usize = 100_000;
/// Most lines that are kept to put them in order.
const KEPT: usize = 1_000_000 + MOST;

impl Control {
    /// Answers the call.
    pub(crate) async fn nat64_sessions(&self, asked: Nat64Wanted) -> Response {
        let wanted = match self.lines_wanted(&asked).await {
            Ok(wanted) => wanted,
            Err(response) => return response,
        };
        let page = Page::of(&asked);
        let ask = |start, to| Question::Sessions { start, wanted, to };
        let (views, total) = self.walk(ask, page, session_order).await;
        let names = self.client_names();
        let sessions = views.iter().map(|v| api::Session {
            proto: v.protocol.name().to_owned(),
            inside: inside(v.inside),
            outside: outside(v.outside),
            peer: SocketAddrV4::new(v.peer.address, v.peer.port),
            state: v.state.to_owned(),
            expires: wall(v.expires),
            client: names.get(&v.inside.address).cloned(),
        });
        document(api::Nat64Sessions { sessions: sessions.collect(), total, skipped: page.skip as u64 })
    }

    /// Answers the call.
    pub(crate) async fn nat64_bib(&self, asked: Nat64Wanted) -> Response {
        let wanted = match self.lines_wanted(&asked).await {
            Ok(wanted) => wanted,
            Err(response) => return response,
        };
        let page = Page::of(&asked);
        let ask = |start, to| Question::Bib { start, wanted, to };
        let (views, total) = self.walk(ask, page, binding_order).await;
        let names = self.client_names();
        let bib = views.iter().map(|v| api::Binding {
            proto: v.protocol.name().to_owned(),
            inside: inside(v.inside),
            outside: outside(v.outside),
            is_static: v.is_static,
            sessions: v.sessions,
            client: names.get(&v.inside.address).cloned(),
        });
        document(api::Nat64Bib { bib: bib.collect(), total, skipped: page.skip as u64 })
    }

    /// Answers the call.
    pub(crate) async fn nat64_pools(&self, asked: Nat64Wanted) -> Response {
        let wanted = match self.lines_wanted(&asked).await {
            Ok(wanted) => wanted,
            Err(response) => return response,
        };
        let views = self.net.ask(Question::Pools).await.unwrap_or_default();
        let has = |v: &PoolView| {
            wanted.protocol.is_none_or(|proto| proto == v.protocol)
                && wanted.outside.is_none_or(|(address, port)| {
                    v.addresses.contains(address) && port.is_none_or(|port| v.ports.contains(&port))
                })
        };
        let pools = views.iter().filter(|v| has(v)).map(|v| api::Pool {
            proto: v.protocol.name().to_owned(),
            addresses: v.addresses.to_string(),
            ports: format!("{}-{}", v.ports.start(), v.ports.end()),
            used: v.used,
            total: v.total,
            blocks_used: v.blocks_used,
            blocks: v.blocks,
            level: level(v.level).to_owned(),
        });
        document(api::Nat64Pools { pools: pools.collect() })
    }

    /// Walks a table to its end; gives one page of it in order, and how many lines there are.
    async fn walk<T, K: Ord>(
        &self,
        ask: impl Fn(usize, oneshot::Sender<Slice<T>>) -> Question,
        page: Page,
        order: fn(&T) -> K,
    ) -> (Vec<T>, u64) {
        let mut shown = Shown { items: Vec::new(), total: 0, page, order };
        let mut next = Some(0);
        while let Some(start) = next {
            let Some(slice) = self.net.ask(|to| ask(start, to)).await else { break };
            next = slice.next;
            shown.add(slice.items);
        }
        shown.finish()
    }

    async fn lines_wanted(&self, asked: &Nat64Wanted) -> Result<Wanted, Response> {
        let wrong = |line: &str| Response::failure(400, "request-invalid", line);
        let protocol = match asked.proto.as_deref() {
            None => None,
            Some("tcp") => Some(Proto::Tcp),
            Some("udp") => Some(Proto::Udp),
            Some("icmp") => Some(Proto::Icmp),
            Some(other) => return Err(wrong(&format!("`{other}` is no protocol: tcp, udp or icmp"))),
        };
        let client = match &asked.client {
            None => None,
            Some(text) => match text.parse::<Ipv6Prefix>() {
                Ok(prefix) => Some(prefix),
                Err(_) => match self.end(text, Side::Isatap).await {
                    Ok(end) => Some(Ipv6Prefix::containing(end.address, 128)),
                    Err(line) => return Err(Response::failure(404, "no-such-end", &line)),
                },
            },
        };
        let outside = match &asked.outside {
            None => None,
            Some(text) => {
                let line = format!("`{text}` is no IPv4 address, alone or with a port: 192.0.2.2:1234");
                Some(transport_address(text).ok_or_else(|| wrong(&line))?)
            }
        };
        Ok(Wanted { protocol, client, outside })
    }

    /// Clients by the address of their lease.
    pub(crate) fn client_names(&self) -> BTreeMap<Ipv6Addr, String> {
        self.door.as_ref().map(|door| door.by_address()).unwrap_or_default()
    }
}

pub(crate) const fn level(level: Level) -> &'static str {
    match level {
        Level::Normal => "normal",
        Level::High => "high",
        Level::Full => "full",
    }
}

/// `192.0.2.2` or `192.0.2.2:1234`
fn transport_address(text: &str) -> Option<(Ipv4Addr, Option<u16>)> {
    if let Ok(address) = text.parse() {
        return Some((address, None));
    }
    let at: SocketAddrV4 = text.parse().ok()?;
    Some((*at.ip(), Some(at.port())))
}

fn session_order(v: &SessionView) -> impl Ord + use<> {
    (v.protocol, v.inside, v.outside, v.peer)
}

fn binding_order(v: &BibView) -> impl Ord + use<> {
    (v.protocol, v.inside, v.outside)
}

/// Which lines are shown.
#[derive(Clone, Copy)]
struct Page {
    skip: usize,
    limit: usize,
}

impl Page {
    fn of(asked: &Nat64Wanted) -> Self {
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Self {
            skip: asked.skip.map_or(0, number).min(KEPT - MOST),
            limit: asked.limit.map_or(USUAL, number).min(MOST),
        }
    }
}

/// The first lines in order of all that came by.
struct Shown<T, K> {
    items: Vec<T>,
    total: u64,
    page: Page,
    order: fn(&T) -> K,
}

impl<T, K: Ord> Shown<T, K> {
    fn add(&mut self, items: Vec<T>) {
        self.total += items.len() as u64;
        self.items.extend(items);
        let kept = self.page.skip + self.page.limit;
        // Twice as many: each line is moved a few times only, however many there are.
        if self.items.len() > 2 * kept.max(1024) {
            self.items.select_nth_unstable_by_key(kept, self.order);
            self.items.truncate(kept);
        }
    }

    fn finish(mut self) -> (Vec<T>, u64) {
        self.items.sort_unstable_by_key(self.order);
        self.items.truncate(self.page.skip + self.page.limit);
        self.items.drain(..self.page.skip.min(self.items.len()));
        (self.items, self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_in_order_whatever_order_the_lines_come_in() {
        let page = |skip, limit| {
            let mut shown =
                Shown { items: Vec::new(), total: 0, page: Page { skip, limit }, order: |n: &u64| *n };
            for n in 0..200 {
                // Every number below 20,000 once.
                shown.add((0..100).map(|m| (n * 100 + m) * 7919 % 20_000).collect());
                assert!(shown.items.len() <= 2 * (skip + limit).max(1024) + 100);
            }
            shown.finish()
        };
        assert_eq!(page(0, 5), ((0..5).collect(), 20_000));
        assert_eq!(page(3000, 4), ((3000..3004).collect(), 20_000));
        assert_eq!(page(19_998, 10), ((19_998..20_000).collect(), 20_000));
        assert_eq!(page(30_000, 10), (Vec::new(), 20_000));
        assert_eq!(page(0, 0), (Vec::new(), 20_000));
    }

    #[test]
    fn an_outside_has_a_port_or_not() {
        assert_eq!(transport_address("192.0.2.2"), Some(([192, 0, 2, 2].into(), None)));
        assert_eq!(transport_address("192.0.2.2:7"), Some(([192, 0, 2, 2].into(), Some(7))));
        for bad in ["192.0.2", "192.0.2.2:", "192.0.2.2:65536", "::1", ""] {
            assert_eq!(transport_address(bad), None, "{bad}");
        }
    }
}
