//! Group Policy: one object for one security group, as a Registry.pol and as backups that the tools of Windows and of Samba
//! import.

mod samba;
mod windows;

use crate::Target;
use crate::guid::Guid;
use crate::parameters::Parameters;
use crate::pol::{self, Entry};
use crate::way::{Output, Step, Way};
use crate::windows as common;

/// What the administrator sees in the list of objects.
const NAME: &str = "sixgate ISATAP";
/// Below HKEY_LOCAL_MACHINE.
pub(crate) const KEY: &str = r"Software\Policies\Microsoft\Windows\TCPIP\v6Transition";
/// The registry extension of the client, and the tool that edits its settings ([MS-GPREG], section 1.9).
const EXTENSIONS: &str = "[{35378EAC-683F-11D2-A89A-00C04FBBCFA2}{D02B1F72-3407-48AE-BA88-E8213C6761F1}]";
/// One change of the machine's half; 0 would mean to Windows that there is nothing in it.
const VERSION: u32 = 1;

/// The two settings of the object.
fn settings(parameters: &Parameters) -> [(&'static str, String); 2] {
    [("ISATAP_RouterName", parameters.router.to_string()), ("ISATAP_State", "Enabled".to_owned())]
}

/// The settings as the client reads them.
pub(crate) fn registry_pol(parameters: &Parameters) -> Vec<u8> {
    let entries = settings(parameters).map(|(value, text)| Entry::string(KEY, value, &text));
    pol::write(&entries)
}

pub(crate) fn way(parameters: &Parameters) -> Way {
    let backup = Guid::of("backup", &parameters.router.to_string());
    let mut files = vec![Output::octets("Registry.pol", registry_pol(parameters))];
    files.extend(windows::files(parameters, backup));
    files.extend(samba::files(parameters));
    Way {
        target: Target::Gpo.word(),
        title: "Group Policy",
        when: "recommended: set in one place, for the machines of one group, and taken back in one place"
            .to_owned(),
        files,
        steps: steps(parameters, backup),
        check: common::check(parameters, Some("gpresult /scope computer /r")),
        undo: vec![Step::new(
            "On a machine with the Group Policy tools; machines forget it at their next refresh:",
            [format!("Remove-GPO -Name '{NAME}'")],
        )],
    }
}

fn steps(parameters: &Parameters, backup: Guid) -> Vec<Step> {
    let group = &parameters.group;
    let target = match parameters.domain() {
        Some(domain) => domain.split('.').map(|label| format!("DC={label}")).collect::<Vec<_>>().join(","),
        None => "DC=corp,DC=example".to_owned(),
    };
    vec![
        Step::by_hand(format!(
            "Put the computers that are to have ISATAP into the security group `{group}`."
        )),
        Step::new(
            "In PowerShell, on a machine with the Group Policy tools, in the folder that `--output` wrote:",
            [
                "Import-Module GroupPolicy".to_owned(),
                format!(
                    "Import-GPO -BackupId '{backup}' -Path (Resolve-Path windows-backup) -TargetName '{NAME}' -CreateIfNeeded"
                ),
            ],
        ),
        Step::new(
            "Only this group: everybody else may read the object, and does not apply it:",
            [
                format!(
                    "Set-GPPermission -Name '{NAME}' -TargetName 'Authenticated Users' -TargetType Group -PermissionLevel GpoRead -Replace"
                ),
                format!(
                    "Set-GPPermission -Name '{NAME}' -TargetName '{group}' -TargetType Group -PermissionLevel GpoApply"
                ),
            ],
        ),
        Step::new(
            "Link it where these computers are; an organisational unit is better than the whole domain:",
            [format!("New-GPLink -Name '{NAME}' -Target '{target}'")],
        ),
        Step::new(
            "With Samba instead of the first command (samba-tool, and ldbmodify of ldb-tools):",
            [format!("sh samba/import.sh {} Administrator", domain_controller(parameters))],
        ),
        Step::new(
            "On one of the computers; a computer that has just joined the group restarts once:",
            ["gpupdate /target:computer /force"],
        ),
    ]
}

fn domain_controller(parameters: &Parameters) -> String {
    format!("dc1.{}", parameters.domain().unwrap_or("corp.example"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Content, Router};

    fn parameters() -> Parameters {
        Parameters::of(Router::parse("da-isatap.corp.example").unwrap())
    }

    #[test]
    fn the_file_has_both_settings_as_strings() {
        let entries = pol::parse(&registry_pol(&parameters())).unwrap();
        let found: Vec<(&str, &str, Option<String>)> =
            entries.iter().map(|e| (e.key.as_str(), e.value.as_str(), e.text())).collect();
        let expected = [
            (KEY, "ISATAP_RouterName", Some("da-isatap.corp.example".to_owned())),
            (KEY, "ISATAP_State", Some("Enabled".to_owned())),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_copies_in_the_backups_are_the_same_file() {
        let way = way(&parameters());
        let pol: Vec<&Content> = way
            .files
            .iter()
            .filter(|f| {
                f.path.to_lowercase().ends_with("registry.pol") || f.path.ends_with(".pol.SAMBABACKUP")
            })
            .map(|f| &f.content)
            .collect();
        assert_eq!(pol.len(), 3);
        assert!(pol.iter().all(|c| *c == pol[0]));
    }

    #[test]
    fn the_command_names_the_backup_that_is_written() {
        let way = way(&parameters());
        let command = &way.steps[1].commands[1];
        let id = command.split('\'').nth(1).unwrap();
        assert!(way.files.iter().any(|f| f.path == format!("windows-backup/{id}/Backup.xml")), "{command}");
    }
}
