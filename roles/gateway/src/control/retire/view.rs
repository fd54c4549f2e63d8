//! How a retirement stands, for people and scripts.

use jiff::Timestamp;
use sixgate_api as api;
use sixgate_isatap::Standing;
use sixgate_isatap::retire::{Phase, Retirement, SILENCE, Stage, Use, Verified};

use super::super::Control;
use super::evidence::Known;

const DAY: u64 = 86_400;
/// Days of which the use before is the average.
const BEFORE: u64 = 7;

impl Control {
    /// How it stands at this moment; nothing of the DNS.
    pub(super) async fn retirement_now(&self) -> api::Retirement {
        let now = super::second();
        let (known, last_heard) = self.hosts_in_use().await;
        let kept = self.kept();
        let retirement = kept.retirement.as_ref();
        let prefixes = self.site.lock().map(|site| site.link_prefixes()).unwrap_or_default();
        let quiet = retirement.and_then(|r| r.begun[1]);
        let evidence: Vec<_> = known.iter().map(|host| host.evidence).collect();
        let withdrawing = retirement.filter(|r| r.phase.stage() == Stage::Withdraw);
        let verified = withdrawing.map(|r| Verified::of(r, now, last_heard, &evidence));
        let flows = |from: u64, to: u64| self.flows_between(from, to);
        let begin = quiet.unwrap_or(now);
        api::Retirement {
            phase: retirement.map(|r| r.phase.number()),
            since: retirement.map(Retirement::since).and_then(time),
            phases: Phase::ALL.into_iter().map(|phase| line(phase, retirement)).collect(),
            prefixes: prefixes.iter().map(ToString::to_string).collect(),
            stragglers: known.iter().filter_map(|host| self.straggler(host, retirement, now)).collect(),
            hosts: known.iter().map(|host| row(host, now)).collect(),
            flows_before: flows(begin.saturating_sub(BEFORE * DAY), begin.saturating_sub(DAY))
                .div_ceil(BEFORE),
            flows_today: flows(now, now),
            silent_for: verified.as_ref().map(|v| v.silent_for),
            over: verified.as_ref().is_some_and(Verified::is_over),
            records: None,
            router_names: None,
            remarks: Vec::new(),
        }
    }

    /// Flows that all hosts opened on the days from one moment to another, both included.
    fn flows_between(&self, from: u64, to: u64) -> u64 {
        let Ok(ledger) = self.ledger.lock() else { return 0 };
        let second = |at: u64| i64::try_from(at).unwrap_or(i64::MAX);
        let days = second(to / DAY) - second(from / DAY) + 1;
        let upto =
            |end: u64, days: i64| ledger.entries().map(|entry| entry.flows(second(end), days)).sum::<u64>();
        let after = |end: u64| ledger.entries().map(|entry| entry.flows(second(end), 0)).sum::<u64>();
        upto(to, days).saturating_sub(after(to))
    }

    /// A host that holds the end up: by an open flow, by opening more, or by asking on.
    fn straggler(&self, host: &Known, retirement: Option<&Retirement>, now: u64) -> Option<api::Straggler> {
        let retirement = retirement.filter(|r| r.phase > Phase::Observe)?;
        let evidence = &host.evidence;
        let told = if retirement.phase.stage() == Stage::Withdraw {
            retirement.begun[2]
        } else {
            retirement.begun[1]
        }?;
        let since = evidence.last_flow.is_some_and(|at| at > told);
        let withdrawing = retirement.phase.stage() == Stage::Withdraw;
        let asks = withdrawing && evidence.last_rs.is_some_and(|at| at > told && at + SILENCE > now);
        (evidence.open > 0 || since || asks).then(|| api::Straggler {
            name: host.name.clone(),
            ipv4: evidence.ipv4,
            open: evidence.open,
            flows: if since { self.opened_since(evidence.ipv4, told, now) } else { 0 },
            last_rs: evidence.last_rs.and_then(time),
        })
    }

    fn opened_since(&self, v4: std::net::Ipv4Addr, from: u64, now: u64) -> u64 {
        let second = |at: u64| i64::try_from(at).unwrap_or(i64::MAX);
        let days = second(now / DAY) - second(from / DAY) + 1;
        let Ok(ledger) = self.ledger.lock() else { return 0 };
        ledger.get(v4).map_or(0, |entry| entry.flows(second(now), days))
    }
}

fn line(phase: Phase, retirement: Option<&Retirement>) -> api::RetirePhase {
    api::RetirePhase {
        phase: phase.number(),
        name: phase.name().to_owned(),
        begun: retirement.and_then(|r| r.begun[usize::from(phase.number()) - 1]).and_then(time),
        day: phase.day(),
        advised: retirement.filter(|r| r.begun[1].is_some()).and_then(|r| time(r.advised(phase))),
    }
}

fn row(host: &Known, now: u64) -> api::RetireHost {
    let evidence = &host.evidence;
    api::RetireHost {
        name: host.name.clone(),
        ipv4: evidence.ipv4,
        flows_30d: evidence.flows_started,
        last_flow: evidence.last_flow.and_then(time),
        last_rs: evidence.last_rs.and_then(time),
        open: evidence.open,
        usage: match evidence.judge(now) {
            Use::Open => api::HostUse::Open,
            Use::Recent => api::HostUse::Recent,
            Use::Idle => api::HostUse::Idle,
        },
        standing: match host.standing {
            Some(Standing::Offered) => api::HostStanding::Offered,
            Some(Standing::Deprecated) => api::HostStanding::Deprecated,
            Some(Standing::Withdrawn) => api::HostStanding::Withdrawn,
            None => api::HostStanding::None,
        },
    }
}

fn time(second: u64) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(second).ok()?).ok()
}
