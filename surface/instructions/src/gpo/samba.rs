//! The object as `samba-tool gpo restore` takes it: each file as XML that Samba's own parsers read, and beside it the
//! extensions that the directory must name. Samba 4.18 and later can load the settings from JSON into an object that is
//! there already.

use crate::parameters::Parameters;
use crate::way::Output;

use super::{EXTENSIONS, KEY, NAME, VERSION, registry_pol, settings};

/// The files for Samba.
pub(super) fn files(parameters: &Parameters) -> Vec<Output> {
    vec![
        Output::text("samba/import.sh", script()),
        Output::text("samba/load.json", json(parameters)),
        Output::text("samba/backup/gPCMachineExtensionNames.SAMBAEXT", EXTENSIONS),
        Output::text("samba/backup/GPT.INI.xml", gpt_ini()),
        Output::text("samba/backup/Machine/Registry.pol.xml", pol_file(parameters)),
        // What Samba falls back to where it has no parser.
        Output::octets("samba/backup/Machine/Registry.pol.SAMBABACKUP", registry_pol(parameters)),
    ]
}

/// Registry.pol in Samba's XML. No text in it needs an escape.
fn pol_file(parameters: &Parameters) -> String {
    let settings = settings(parameters);
    let entries: String = settings
        .iter()
        .map(|(value, text)| {
            format!(
                "  <Entry type=\"1\" type_name=\"REG_SZ\">\n    <Key>{KEY}</Key>\n    <ValueName>{value}</ValueName>\n    \
                 <Value>{text}</Value>\n  </Entry>\n"
            )
        })
        .collect();
    let count = settings.len();
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<PolFile num_entries=\"{count}\" signature=\"PReg\" \
         version=\"1\">\n{entries}</PolFile>\n"
    )
}

fn gpt_ini() -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<IniFile>\n  <Section name=\"General\">\n    <Parameter>\n      \
         <Key>Version</Key>\n      <Value>{VERSION}</Value>\n    </Parameter>\n  </Section>\n</IniFile>\n"
    )
}

/// For `samba-tool gpo load GUID --content=load.json`.
fn json(parameters: &Parameters) -> String {
    let key = KEY.replace('\\', "\\\\");
    let entries: Vec<String> = settings(parameters)
        .iter()
        .map(|(value, text)| {
            format!(
                "  {{\"keyname\": \"{key}\", \"valuename\": \"{value}\", \"class\": \"MACHINE\", \"type\": \"REG_SZ\", \
                 \"data\": \"{text}\"}}"
            )
        })
        .collect();
    format!("[\n{}\n]\n", entries.join(",\n"))
}

/// Restores the object and gives it a version in the directory: `restore` leaves 0 there, which to Windows is an object
/// without settings.
fn script() -> String {
    format!(
        r#"#!/bin/sh
# Makes the Group Policy object "{NAME}" in a Samba domain. Needs samba-tool and ldbmodify.
# Usage: sh import.sh DOMAIN-CONTROLLER USER[%PASSWORD] [NAME]
set -eu
server=$1 user=$2 name=${{3:-{NAME}}}
folder=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/policy"
samba-tool gpo restore "$name" "$folder/backup" --restore-metadata --tmpdir="$work" -H "ldap://$server" -U "$user"
dn=$(samba-tool gpo listall -H "ldap://$server" -U "$user" |
    awk -v name="$name" '/^display name/ {{ found = substr($0, 16) == name }} /^dn/ && found {{ print substr($0, 16) }}')
[ -n "$dn" ] || {{ echo "import.sh: the object is not in the directory" >&2; exit 1; }}
printf 'dn: %s\nchangetype: modify\nreplace: versionNumber\nversionNumber: {VERSION}\n' "$dn" |
    ldbmodify -H "ldap://$server" -U "$user"
echo "made: $dn"
echo "next: samba-tool gpo setlink CONTAINER-DN GUID, and let only your group apply it"
"#
    )
}
