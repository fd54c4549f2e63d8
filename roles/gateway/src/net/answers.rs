//! Answers to control's questions.

use sixgate_fabric::FlowView;
use sixgate_nat64::{Nat64, Slice};

use crate::seam::{Counts, Question};

use super::crossing::Crossing;
use super::worker::Worker;

impl Worker {
    /// Answers one question. Who asked may have gone away meanwhile, so a failure to deliver is nobody's business.
    pub(super) fn answer(&mut self, question: Question) {
        match question {
            Question::Counters(to) => {
                let _ = to.send(Box::new(self.tally.counters().clone()));
            }
            Question::Clients(to) => {
                let _ = to.send(self.clients.numbered().map(|(n, client)| client.view(n)).collect());
            }
            Question::IsatapHosts(to) => {
                let hosts = self.isatap.as_ref().map(|link| link.router.hosts());
                let _ = to.send(hosts.unwrap_or_default());
            }
            Question::IsatapHeard(to) => {
                let heard = self.isatap.as_ref().map(|link| link.heard.all());
                let _ = to.send(heard.unwrap_or_default());
            }
            Question::IsatapHost(v4, to) => {
                let _ = to.send(self.isatap.as_ref().and_then(|link| link.router.host(v4)));
            }
            Question::Bib { start, wanted, to } => {
                let slice = self.stateful().map(|nat64| nat64.bib_slice(start, &wanted));
                let _ = to.send(slice.unwrap_or(Slice { items: Vec::new(), next: None }));
            }
            Question::Sessions { start, wanted, to } => {
                let slice = self.stateful().map(|nat64| nat64.session_slice(start, &wanted));
                let _ = to.send(slice.unwrap_or(Slice { items: Vec::new(), next: None }));
            }
            Question::Pools(to) => {
                let pools = self.stateful().map(|nat64| nat64.pools().collect());
                let _ = to.send(pools.unwrap_or_default());
            }
            Question::Nat64Explain { packet, crossed, to } => {
                let _ = to.send(self.explain(&packet, crossed).map(Box::new));
            }
            Question::Traffic(to) => {
                let _ = to.send(self.crossing.iter().map(Crossing::traffic).collect());
            }
            Question::Counts(to) => {
                let _ = to.send(self.counts());
            }
            Question::Trace(question, to) => {
                let _ = to.send(self.trace(&question));
            }
            Question::IsatapMemory(to) => {
                let _ = to.send(self.memory_of_hosts());
            }
            Question::Retirement(to) => {
                let _ = to.send(self.retirement());
            }
            Question::FlowList(within, to) => {
                let of_them =
                    |flow: &FlowView| within.contains(flow.key.src) || within.contains(flow.key.dst);
                let _ = to.send(self.fabric.flows().filter(of_them).collect());
            }
        }
    }

    /// The translator, where it has sessions.
    pub(super) fn stateful(&self) -> Option<&Nat64> {
        self.nat64.as_ref().and_then(|nat64| nat64.engine.nat64())
    }

    fn counts(&self) -> Counts {
        let router = self.isatap.as_ref().map(|link| &link.router);
        Counts {
            clients: self.clients.len(),
            with_bbr: self.clients.iter().filter(|client| client.congestion == "bbr").count(),
            hosts_served: router.map_or(0, sixgate_isatap::Router::served),
            hosts_refused: router.map_or(0, sixgate_isatap::Router::refused),
            nat64: self.stateful().map(Nat64::gauges).unwrap_or_default(),
            flows: self.fabric.flow_count(),
        }
    }
}
