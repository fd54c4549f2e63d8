//! `isatap retire`: taking ISATAP away, a phase at a time, each because a person says so.
//!
//! What a phase means is `sixgate_isatap::retire`'s; here are the evidence, the disk, the DNS and the answers.

mod evidence;
mod records;
mod state;
mod view;

use std::sync::Arc;

use jiff::Timestamp;
use sixgate_api as api;
use sixgate_io_control::Response;
use sixgate_isatap::Standing;
use sixgate_isatap::retire::{Phase, Retire, Retirement};

use super::Control;
use super::api::document;
use crate::seam::{Question, RetirementView};

pub(crate) use state::Keeper;
use state::Kept;

/// Between two looks at who is still heard, while something is retired.
const LOOK: std::time::Duration = std::time::Duration::from_secs(60);

impl Control {
    /// How it stands, without asking the DNS.
    pub(crate) async fn retirement(&self) -> Response {
        if let Some(refusal) = self.without_isatap() {
            return refusal;
        }
        document(self.retirement_now().await)
    }

    /// The same with what stands in the DNS: for the plan.
    pub(crate) async fn retirement_plan(&self, plan: api::RetirePlan) -> Response {
        if let Some(refusal) = self.without_isatap() {
            return refusal;
        }
        let place = match self.place(&plan.update) {
            Ok(place) => place,
            Err(refusal) => return refusal,
        };
        let mut now = self.retirement_now().await;
        self.look_into_dns(&place, &mut now).await;
        document(now)
    }

    /// Begins a phase, or undoes all.
    pub(crate) async fn retire(&self, request: api::RetireRequest) -> Response {
        if let Some(refusal) = self.without_isatap() {
            return refusal;
        }
        let place = match self.place(&request.update) {
            Ok(place) => place,
            Err(refusal) => return refusal,
        };
        // One step at a time: what a step decides is to hold until it is done.
        let _step = self.retiring.lock().await;
        match request.phase.map(Phase::from_number) {
            None => self.undo(&place).await,
            Some(None) => Response::failure(400, "no-such-phase", "phases are numbered 1 to 5"),
            Some(Some(phase)) => self.enter(phase, request.dns_update, &place).await,
        }
    }

    async fn enter(&self, phase: Phase, dns_update: bool, place: &crate::names::stale::Place) -> Response {
        let now = second();
        let (known, _) = self.hosts_in_use().await;
        let evidence: Vec<_> = known.iter().map(|host| host.evidence).collect();
        let kept = self.kept();
        let next = Retirement::enter(kept.retirement.as_ref(), phase, now, &evidence);
        let next = match next {
            Ok(next) => next,
            // To delete more records is a reason to enter this phase again.
            Err(_) if phase == Phase::Clean && dns_update && kept.is_in(phase) => {
                match kept.retirement.clone() {
                    Some(same) => same,
                    None => return self.not_kept("nothing is being retired"),
                }
            }
            Err(not_yet) => {
                return Response::failure(
                    409,
                    "phase-not-yet",
                    &format!("phase {}: {not_yet}", phase.number()),
                );
            }
        };
        if let Err(refusal) = self.keep(|kept| kept.retirement = Some(next.clone())) {
            return refusal;
        }
        tracing::info!(phase = phase.name(), "ISATAP is being retired");
        self.tell(next.retire());
        let mut records = None;
        if phase == Phase::Clean {
            let mut now = self.retirement_now().await;
            self.look_into_dns(place, &mut now).await;
            if dns_update && let Err(refusal) = self.delete_records(place, &mut now).await {
                return refusal;
            }
            records = Some((now.records, now.router_names, now.remarks));
        }
        let mut done = self.outcome().await;
        if let Some((records, router_names, remarks)) = records {
            (done.retirement.records, done.retirement.router_names) = (records, router_names);
            done.retirement.remarks = remarks;
        }
        document(done)
    }

    async fn undo(&self, place: &crate::names::stale::Place) -> Response {
        // Records that could not be put back are left to be undone, though no phase is.
        if !self.kept().can_be_undone() {
            return Response::failure(
                409,
                "nothing-retired",
                "nothing is being retired: there is nothing to undo",
            );
        }
        // Hosts first: what is in the DNS is of use to nobody before.
        self.tell(Retire::default());
        if let Err(refusal) = self.keep(|kept| kept.retirement = None) {
            return refusal;
        }
        tracing::info!("ISATAP is no longer being retired");
        let (restored, remarks) = match self.restore_records(place).await {
            Ok(outcome) => outcome,
            Err(refusal) => return refusal,
        };
        let mut done = self.outcome().await;
        (done.restored, done.retirement.remarks) = (restored, remarks);
        document(done)
    }

    /// Tells both planes what is taken away; after this call the packet plane has it.
    fn tell(&self, retire: Retire) {
        if let Ok(mut site) = self.site.lock() {
            site.retire = retire;
            self.publish(&site);
        }
    }

    /// What the step came to, as the packet plane sees it after it.
    async fn outcome(&self) -> api::Retired {
        let view = self.net.ask(Question::Retirement).await.unwrap_or_default();
        let count = |standing| view.hosts.iter().filter(|host| host.standing == standing).count() as u64;
        api::Retired {
            offered: count(Standing::Offered),
            deprecated: count(Standing::Deprecated),
            withdrawn: count(Standing::Withdrawn),
            open: view.open.iter().map(|(_, open)| u64::from(*open)).sum(),
            cut: cut(&view),
            restored: 0,
            retirement: self.retirement_now().await,
        }
    }

    /// Takes up a retirement where an earlier run left it; before hosts are greeted.
    pub(crate) fn restore_retirement(&self) {
        match self.retirement.restore(&self.store) {
            Ok(Kept { retirement: Some(retirement), .. }) => {
                tracing::info!(phase = retirement.phase.name(), "ISATAP is being retired");
                self.tell(retirement.retire());
            }
            Ok(Kept { retirement: None, .. }) => {}
            Err(e) => tracing::warn!("whether ISATAP is being retired cannot be read: {e}"),
        }
    }

    fn kept(&self) -> Kept {
        self.retirement.now()
    }

    fn keep<T>(&self, change: impl FnOnce(&mut Kept) -> T) -> Result<T, Response> {
        self.retirement.change(&self.store, change).map_err(|e| self.not_kept(&e.to_string()))
    }

    fn not_kept(&self, why: &str) -> Response {
        Response::failure(500, "state", &format!("the retirement cannot be kept on disk: {why}"))
    }

    fn without_isatap(&self) -> Option<Response> {
        let has = self.site.lock().is_ok_and(|site| site.config.isatap.is_some());
        (!has).then(|| {
            Response::failure(
                409,
                "no-isatap",
                "this gateway has no ISATAP: for another router's, `sixgate isatap listen` shows who still asks it",
            )
        })
    }
}

/// Notes every minute who is still heard, for as long as something is retired: the end is judged by a week of it.
pub(crate) async fn look(control: Arc<Control>) {
    loop {
        tokio::time::sleep(LOOK).await;
        if control.kept().retirement.is_none() {
            continue;
        }
        let (known, last_heard) = control.hosts_in_use().await;
        let heard = known.iter().map(|host| &host.evidence);
        if let Err(e) = control.retirement.note(&control.store, last_heard, heard) {
            tracing::warn!("the retirement cannot be kept on disk: {e}");
        }
    }
}

/// Open flows of hosts that were withdrawn from; there must be none.
fn cut(view: &RetirementView) -> u64 {
    let withdrawn = |v4| {
        let at = view.hosts.binary_search_by_key(&v4, |host| host.ipv4);
        at.is_ok_and(|at| view.hosts[at].standing == Standing::Withdrawn)
    };
    view.open.iter().filter(|(v4, _)| withdrawn(*v4)).map(|(_, open)| u64::from(*open)).sum()
}

/// Seconds since 1970.
fn second() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or(0)
}
