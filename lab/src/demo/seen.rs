//! (e) Seen: who is connected, and which intranet hosts have ISATAP.

use serde_json::Value;

use super::report::Step;
use super::traffic::{clean, demand};
use crate::error::LabError;
use crate::handle::Lab;
use crate::product::{CLIENT_DEVICE, HOST_DEVICE, address};

pub(super) fn listed(lab: &Lab, step: &mut Step) -> Result<(), LabError> {
    let clients = ask(lab, step, &["who"], "clients")?;
    for laptop in ["laptop-01", "laptop-02"] {
        let entry = find(&clients, "name", laptop)
            .ok_or_else(|| LabError::failed(format!("`who` does not list {laptop}")))?;
        let own = address(lab, laptop, CLIENT_DEVICE).unwrap_or_default();
        demand(
            text(entry, "address") == own,
            &format!("`who` says {} for {laptop}, whose address is {own}", text(entry, "address")),
        )?;
        demand(
            text(entry, "via") == "ip-https",
            &format!("{laptop} is connected via {:?}", text(entry, "via")),
        )?;
        let from = text(entry, "from");
        demand(
            from.starts_with("203.0.113.77"),
            &format!("{laptop} is connected from {from:?}, not from the NAT"),
        )?;
    }
    demand(clients.len() == 2, &format!("`who` lists {} clients; two are connected", clients.len()))?;

    let hosts = ask(lab, step, &["isatap", "hosts"], "hosts")?;
    let entry = find(&hosts, "ipv4", "10.6.8.20")
        .ok_or_else(|| LabError::failed("`isatap hosts` does not list 10.6.8.20"))?;
    let own = address(lab, "helpdesk-01", HOST_DEVICE).unwrap_or_default();
    demand(
        text(entry, "address") == own,
        &format!("`isatap hosts` says {}, helpdesk-01 has {own}", text(entry, "address")),
    )?;
    demand(text(entry, "state") == "served", &format!("helpdesk-01 is {:?}", text(entry, "state")))?;
    demand(find(&hosts, "ipv4", "10.6.8.30").is_none(), "bystander-01 is listed: it has asked for ISATAP")?;
    clean(&lab.taps()?)
}

/// Asks for people (shown) and for programs (checked).
fn ask(lab: &Lab, step: &mut Step, command: &[&str], list: &str) -> Result<Vec<Value>, LabError> {
    let run = |extra: &[&str]| {
        let whole: Vec<&str> =
            std::iter::once("sixgate").chain(command.iter().copied()).chain(extra.iter().copied()).collect();
        let done = lab.run("gateway", &whole)?;
        demand(done.ok(), &format!("`{}` ended with {}: {}", whole.join(" "), done.code, done.said()))?;
        Ok::<String, LabError>(done.stdout)
    };
    let shown = run(&[])?;
    step.did(
        "gateway",
        &format!("sixgate {}", command.join(" ")),
        &format!("{} lines", shown.lines().count()),
    );
    step.shown(&shown);
    let document: Value =
        serde_json::from_str(&run(&["--json"])?).map_err(|e| LabError::failed(format!("no JSON: {e}")))?;
    demand(document["schema"] == 1, "the document has no \"schema\": 1")?;
    document[list].as_array().cloned().ok_or_else(|| LabError::failed(format!("the document has no .{list}")))
}

fn find<'a>(list: &'a [Value], key: &str, value: &str) -> Option<&'a Value> {
    list.iter().find(|entry| text(entry, key) == value)
}

fn text<'a>(entry: &'a Value, key: &str) -> &'a str {
    entry[key].as_str().unwrap_or_default()
}
