//! `sixgate lab status`.

use std::io::Write;

use serde_json::{Value, json};

use super::up::print;
use crate::error::LabError;
use crate::handle::Lab;
use crate::topology::MACHINES;
use crate::{Options, faults, registry};

pub(crate) fn status(options: &Options, out: &mut dyn Write) -> Result<(), LabError> {
    let state = registry::load(&options.name)?;
    let lab = Lab::of(&options.name, state.nodes.clone());
    let mut nodes = Vec::new();
    for machine in MACHINES {
        let addresses: Vec<&str> = machine.legs.iter().map(|leg| leg.address).collect();
        nodes.push((machine.name, addresses, services(&lab, machine.name)));
    }
    let broken = faults::broken(&options.name);
    if options.json {
        let broken: Vec<&str> = broken.iter().map(|f| f.name).collect();
        let nodes: Vec<Value> = nodes
            .iter()
            .map(|(name, addresses, services)| {
                json!({"name": name, "netns": format!("sg-{}-{name}", lab.name()), "pid": lab.nodes().get(*name),
                       "addresses": addresses, "services": services})
            })
            .collect();
        let document = json!({"schema": 1, "lab": options.name, "up": state.up, "exe": state.exe, "nodes": nodes, "broken": broken});
        print(out, &format!("{document}\n"));
        return Ok(());
    }
    let word = if state.up { "up" } else { "being built" };
    let mut text = format!("lab '{}' is {word}\n{:<14}{:<48}running\n", options.name, "node", "addresses");
    for (name, addresses, services) in nodes {
        text.push_str(&format!("{name:<14}{:<48}{}\n", addresses.join(" "), services.join(" ")));
    }
    for fault in broken {
        text.push_str(&format!(
            "broken on {}: {} ({}): `sixgate lab fix {}`\n",
            fault.node, fault.what, fault.code, fault.name
        ));
    }
    print(out, &text);
    Ok(())
}

/// What runs there.
fn services(lab: &Lab, node: &str) -> Vec<String> {
    let script = "cd /run/lab 2>/dev/null || exit 0\n\
                  for p in *.pid; do kill -0 \"$(cat $p)\" 2>/dev/null && echo \"${p%.pid}\"; done; true";
    lab.sh(node, script).unwrap_or_default().lines().map(str::to_owned).collect()
}
