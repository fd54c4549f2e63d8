//! A line of HOSTS, for a test on one machine: it stays behind, and nobody looks there when the router moves.

use crate::Target;
use crate::parameters::{Missing, Parameters, Router};
use crate::way::{Output, Sign, Step, Way};
use crate::windows as common;

pub(crate) fn way(parameters: &Parameters) -> Result<Way, Missing> {
    let Router::Name(name) = &parameters.router else {
        return Err(Missing { what: "a name that the line would be for", option: "--router NAME" });
    };
    if parameters.addresses.is_empty() {
        return Err(Missing { what: "the router's IPv4 address", option: "--address" });
    }
    let lines: Vec<String> = parameters.addresses.iter().map(|a| format!("{a} {name}")).collect();
    let mut check = common::check(parameters, None);
    check.run.insert(0, format!("Resolve-DnsName {name} -Type A"));
    check.bad.push(Sign::new(
        "it works here and on no other machine",
        "that is all that HOSTS can do: put the name into DNS, and take the line out again",
    ));
    Ok(Way {
        target: Target::Hosts.word(),
        title: "HOSTS",
        when: "tests only: before the name is in DNS, on one machine; an outdated line is found by nobody"
            .to_owned(),
        files: vec![Output::text("hosts", lines.iter().map(|l| format!("{l}\r\n")).collect::<String>())],
        steps: vec![
            Step::new(
                "In PowerShell, as administrator:",
                lines
                    .iter()
                    .map(|l| format!(r"Add-Content $env:SystemRoot\System32\drivers\etc\hosts '{l}'")),
            ),
            Step::new(
                "Then tell the machine the router:",
                [format!("Set-NetIsatapConfiguration -Router '{name}' -State Enabled")],
            ),
        ],
        check,
        undo: vec![Step::by_hand(format!(
            r"Take the line with {name} out of %SystemRoot%\System32\drivers\etc\hosts."
        ))],
    })
}
