//! `netsh`, for machines without the cmdlets.

use crate::Target;
use crate::parameters::Parameters;
use crate::way::{Check, Output, Step, Way};
use crate::windows as common;

pub(crate) fn way(parameters: &Parameters) -> Way {
    let commands = [
        format!("netsh interface isatap set router name={} state=enabled", parameters.router),
        "netsh interface isatap set state state=enabled".to_owned(),
    ];
    let check = common::check(parameters, None);
    let run = [
        "netsh interface isatap show router",
        "netsh interface isatap show state",
        "netsh interface ipv6 show address",
        "netsh interface ipv6 show route",
    ];
    Way {
        target: Target::Netsh.word(),
        title: "netsh",
        when:
            "where there is no PowerShell with Set-NetIsatapConfiguration (before Windows 8 and Server 2012)"
                .to_owned(),
        files: vec![Output::text(
            "isatap.cmd",
            format!("@echo off\r\n{}\r\n{}\r\n", commands[0], commands[1]),
        )],
        steps: vec![Step::new("In a command prompt, as administrator:", commands)],
        check: Check { run: run.map(str::to_owned).to_vec(), ..check },
        undo: vec![Step::new(
            "In a command prompt, as administrator:",
            [
                "netsh interface isatap set router name=default state=default",
                "netsh interface isatap set state state=default",
            ],
        )],
    }
}
