//! `sixgate lab doctor NODE`: runs `sixgate doctor` at both ends, as an administrator of both would, and judges the pair.

use std::thread;
use std::time::Instant;

use sixgate_doctor::{Case, Evidence, judge};
use sixgate_lab::{Lab, Options, faults};

use super::trouble;
use crate::cli::Context;
use crate::cmd::doctor::show;
use crate::exit::{Exit, Trouble};

const GATEWAY: &str = "gateway";
/// Seconds: the host's doctor starts a moment later, and knocks in its first third of a second.
const LISTEN: &str = "0.9";
const HOST: &str = "helpdesk-01";

pub(super) fn run(options: &Options, node: &str, all: bool, context: &Context) -> Result<Exit, Trouble> {
    let begun = Instant::now();
    let lab = Lab::open(&options.name).map_err(trouble)?;
    let other = if node == GATEWAY { HOST } else { GATEWAY };
    let (host, gateway) = if node == GATEWAY { (other, node) } else { (node, other) };
    // What the gateway is, so that the host knows whom to try; both ends at once; then what the gateway heard meanwhile.
    let before = evidence(&lab, gateway, &["--quick"], "")?;
    let (at_host, at_gateway) = thread::scope(|scope| {
        let looking = scope.spawn(|| evidence(&lab, gateway, &["--listen", LISTEN], ""));
        let at_host = evidence(&lab, host, &["--with", "-"], &before);
        (at_host, looking.join().unwrap_or_else(|_| Err(Trouble::failed("lab", "a thread ended"))))
    });
    let after = parse(gateway, &evidence(&lab, gateway, &["--quick"], "")?)?;
    let (at_host, mut at_gateway) = (parse(host, &at_host?)?, parse(gateway, &at_gateway?)?);
    (at_gateway.role, at_gateway.taken) = (after.role, after.taken);
    let (ours, theirs) = if node == GATEWAY { (&at_gateway, &at_host) } else { (&at_host, &at_gateway) };
    let report = judge(&Case { ours, other: Some(theirs) });
    let broken = faults::broken(&options.name);
    let hint = |code: &str| {
        let ours = broken.iter().filter(|f| f.code == code);
        ours.map(|f| format!("lab: `sixgate lab fix {}`", f.name)).collect()
    };
    show(context, &report, begun.elapsed().as_secs_f64(), all, &hint);
    Ok(if report.findings.is_empty() { Exit::Good } else { Exit::Failed })
}

fn evidence(lab: &Lab, node: &str, flags: &[&str], input: &str) -> Result<String, Trouble> {
    let command = [&["sixgate", "doctor", "--evidence"], flags].concat();
    let done = lab.run_fed(node, &command, input).map_err(trouble)?;
    if done.ok() {
        Ok(done.stdout)
    } else {
        Err(Trouble::failed(
            "lab",
            format!("{node}: sixgate doctor ended with {}: {}", done.code, done.said()),
        ))
    }
}

fn parse(node: &str, text: &str) -> Result<Evidence, Trouble> {
    serde_json::from_str(text)
        .map_err(|e| Trouble::failed("lab", format!("{node}: the evidence is not understood: {e}")))
}
