//! (h) Explained: protocol 41 is dropped on the intranet router, the doctor names it first, and with the mend finds nothing.

use serde_json::Value;

use super::report::Step;
use super::traffic::demand;
use crate::error::LabError;
use crate::faults;
use crate::handle::Lab;

/// What is broken, and what it is called.
const FAULT: &str = "proto41-dropped";
const CODE: &str = "SG-ISATAP-003";

pub(super) fn diagnosed(lab: &Lab, step: &mut Step) -> Result<(), LabError> {
    let fault = faults::make(lab, FAULT)?;
    step.did("lab", &format!("sixgate lab break {FAULT}"), &format!("{}: {}", fault.node, fault.what));
    let found = doctor(lab, step);
    faults::mend(lab, FAULT)?;
    let (first, text) = found?;
    step.shown(&text);
    demand(first.as_deref() == Some(CODE), &format!("the first finding is {first:?}, not {CODE}"))?;
    step.did("lab", &format!("sixgate lab fix {FAULT}"), "put back");
    let (first, _) = doctor(lab, step)?;
    demand(first.is_none(), &format!("mended, the doctor still finds {first:?}"))
}

/// What the gateway's doctor says with the evidence of helpdesk-01 at hand: the first code, and the text for people.
fn doctor(lab: &Lab, step: &mut Step) -> Result<(Option<String>, String), LabError> {
    let evidence = lab.run("helpdesk-01", &["sixgate", "doctor", "--evidence"])?;
    demand(evidence.ok(), &format!("helpdesk-01: sixgate doctor --evidence: {}", evidence.said()))?;
    let judge = |flags: &[&str]| {
        lab.run_fed("gateway", &[&["sixgate", "doctor", "--with", "-"], flags].concat(), &evidence.stdout)
    };
    let shown = judge(&[])?;
    let document: Value = serde_json::from_str(&judge(&["--json"])?.stdout)
        .map_err(|e| LabError::failed(format!("no JSON: {e}")))?;
    let first = document["findings"][0]["code"].as_str().map(str::to_owned);
    step.did(
        "gateway",
        "sixgate doctor --with helpdesk-01.json",
        shown.stdout.lines().last().unwrap_or_default(),
    );
    Ok((first, shown.stdout))
}
