//! PowerShell, machine by machine.

use crate::Target;
use crate::parameters::Parameters;
use crate::way::{Output, Step, Way};
use crate::windows as common;

pub(crate) fn way(parameters: &Parameters) -> Way {
    let set = format!("Set-NetIsatapConfiguration -Router '{}' -State Enabled", parameters.router);
    let reset = "Reset-NetIsatapConfiguration";
    Way {
        target: Target::PowerShell.word(),
        title: "PowerShell",
        when: "for single machines, or by the software that manages them; a group policy overrides it"
            .to_owned(),
        files: vec![Output::text(
            "isatap.ps1",
            format!(
                "#Requires -RunAsAdministrator\r\n\
                 $ErrorActionPreference = 'Stop'\r\n\
                 {set}\r\n\
                 Restart-Service iphlpsvc\r\n\
                 Start-Sleep -Seconds 5\r\n\
                 {}\r\n",
                common::check(parameters, None).run.join("\r\n")
            ),
        )],
        steps: vec![Step::new("As administrator:", [set, "Restart-Service iphlpsvc".to_owned()])],
        check: common::check(parameters, None),
        undo: vec![Step::new("As administrator:", [reset])],
    }
}
