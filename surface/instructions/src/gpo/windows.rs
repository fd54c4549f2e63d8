//! A backup of the object as the Group Policy tools of Windows make and import it: a list of backups, and for each its own
//! entry of the list, the object, and its files under `DomainSysvol`.
//!
//! The form is that of backups which these tools wrote; what is particular to a domain (its name, its controller, the
//! security descriptor) is left empty, as an import into an object of another domain does not read it.

use crate::guid::Guid;
use crate::parameters::Parameters;
use crate::way::Output;

use super::{EXTENSIONS, NAME, VERSION, registry_pol};

const MANIFEST: &str = "http://www.microsoft.com/GroupPolicy/GPOOperations/Manifest";
const OPERATIONS: &str = "http://www.microsoft.com/GroupPolicy/GPOOperations";
/// The extension whose file is Registry.pol.
const REGISTRY: &str = "{35378EAC-683F-11D2-A89A-00C04FBBCFA2}";

/// The files of the backup.
pub(super) fn files(parameters: &Parameters, backup: Guid) -> Vec<Output> {
    let policy = Guid::of("policy", &parameters.router.to_string());
    let instance = instance(parameters, policy, backup);
    let folder = format!("windows-backup/{backup}");
    vec![
        Output::text(
            "windows-backup/manifest.xml",
            format!(
                "<Backups xmlns=\"{MANIFEST}\" xmlns:mfst=\"{MANIFEST}\" mfst:version=\"1.0\">\
                 <BackupInst>{instance}</BackupInst></Backups>\r\n"
            ),
        ),
        Output::text(
            format!("{folder}/bkupInfo.xml"),
            format!("<BackupInst xmlns=\"{MANIFEST}\">{instance}</BackupInst>\r\n"),
        ),
        Output::text(format!("{folder}/Backup.xml"), object(policy)),
        Output::octets(format!("{folder}/DomainSysvol/GPO/Machine/registry.pol"), registry_pol(parameters)),
    ]
}

/// An entry of the list of backups.
fn instance(parameters: &Parameters, policy: Guid, backup: Guid) -> String {
    let domain = parameters.domain().unwrap_or_default();
    let written = parameters.written.strftime("%Y-%m-%dT%H:%M:%S");
    [
        ("GPOGuid", policy.to_string()),
        ("GPODomain", domain.to_owned()),
        ("GPODomainGuid", String::new()),
        ("GPODomainController", String::new()),
        ("BackupTime", written.to_string()),
        ("ID", backup.to_string()),
        ("Comment", format!("ISATAP router {}", parameters.router)),
        ("GPODisplayName", NAME.to_owned()),
    ]
    .iter()
    .map(|(name, text)| element(name, text))
    .collect()
}

fn object(policy: Guid) -> String {
    let core: String = [
        ("ID", policy.to_string()),
        ("Domain", String::new()),
        ("SecurityDescriptor", String::new()),
        ("DisplayName", NAME.to_owned()),
        ("Options", "0".to_owned()),
        ("UserVersionNumber", "0".to_owned()),
        // Directory and SYSVOL have a version each; a backup holds the one above the other.
        ("MachineVersionNumber", (VERSION << 16 | VERSION).to_string()),
        ("MachineExtensionGuids", EXTENSIONS.to_owned()),
        ("UserExtensionGuids", String::new()),
        ("WMIFilter", String::new()),
    ]
    .iter()
    .map(|(name, text)| element(name, text))
    .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n\
         <GroupPolicyBackupScheme bkp:version=\"2.0\" bkp:type=\"GroupPolicyBackupTemplate\" \
         xmlns:bkp=\"{OPERATIONS}\" xmlns=\"{OPERATIONS}\">\r\n\
         <GroupPolicyObject><SecurityGroups/><FilePaths/><GroupPolicyCoreSettings>{core}</GroupPolicyCoreSettings>\r\n\
         <GroupPolicyExtension bkp:ID=\"{REGISTRY}\" bkp:DescName=\"Registry\">\
         <FSObjectFile bkp:Path=\"%GPO_MACH_FSPATH%\\registry.pol\" \
         bkp:Location=\"DomainSysvol\\GPO\\Machine\\registry.pol\"/></GroupPolicyExtension>\r\n\
         </GroupPolicyObject></GroupPolicyBackupScheme>\r\n"
    )
}

/// An element with text that needs no escape but stands in CDATA, as these files have it.
fn element(name: &str, text: &str) -> String {
    if text.is_empty() { format!("<{name}/>") } else { format!("<{name}><![CDATA[{text}]]></{name}>") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Content, Router};

    #[test]
    fn both_files_of_the_list_say_the_same_of_the_backup() {
        let parameters = Parameters::of(Router::parse("da-isatap.corp.example").unwrap());
        let backup = Guid::of("backup", "da-isatap.corp.example");
        let files = files(&parameters, backup);
        let text = |path: &str| match &files.iter().find(|f| f.path.ends_with(path)).unwrap().content {
            Content::Text(text) => text.clone(),
            Content::Octets(_) => String::new(),
        };
        for path in ["manifest.xml", "bkupInfo.xml"] {
            let text = text(path);
            assert!(text.contains(&format!("<ID><![CDATA[{backup}]]></ID>")), "{text}");
            assert!(text.contains("<BackupTime><![CDATA[2000-01-01T00:00:00]]></BackupTime>"), "{text}");
            assert!(text.contains("<GPODomain><![CDATA[corp.example]]></GPODomain>"), "{text}");
        }
        assert!(text("Backup.xml").contains("[[{35378EAC-683F-11D2-A89A-00C04FBBCFA2}"));
    }
}
