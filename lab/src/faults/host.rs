//! Faults of helpdesk-01's own.

use std::time::Duration;

use super::Fault;
use crate::error::LabError;
use crate::handle::{Lab, wait_for};
use crate::product::{HOST_DEVICE, SERVICE};

pub(super) static FAULTS: &[Fault] = &[Fault {
    name: "address-changed",
    code: "SG-ISATAP-008",
    node: "helpdesk-01",
    what: "its IPv4 address is 10.6.8.120 in place of 10.6.8.20",
    make: |lab, _| readdress(lab, "10.6.8.20", "10.6.8.120"),
    mend: |lab, _| readdress(lab, "10.6.8.120", "10.6.8.20"),
}];

/// As a DHCP client would: the new address, then the old one goes, then the default route, which went with it.
fn readdress(lab: &Lab, old: &str, new: &str) -> Result<(), LabError> {
    let script = format!(
        "ip address del {old}/24 dev eth0; ip address add {new}/24 dev eth0; ip route replace default via 10.6.8.254"
    );
    lab.sh("helpdesk-01", &script)?;
    if !lab.runs("helpdesk-01", SERVICE) {
        return Ok(());
    }
    let tail = |v4: &str| v4.rsplit('.').next().and_then(|n| n.parse::<u8>().ok()).unwrap_or_default();
    let device = format!("ip -6 -o address show dev {HOST_DEVICE} scope link");
    // fe80::5efe:a06:8NN
    let now = format!(":5efe:a06:8{:02x}/", tail(new));
    wait_for(Duration::from_secs(5), || lab.sh("helpdesk-01", &device).is_ok_and(|said| said.contains(&now)))
        .map(drop)
        .ok_or_else(|| LabError::failed("helpdesk-01: sixgate does not follow the change of address"))
}
