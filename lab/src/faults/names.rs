//! Faults in the DNS and in who asks it.

use std::time::Duration;

use super::{Fault, Undo, keep_file, put_back};
use crate::error::LabError;
use crate::handle::{Lab, wait_for};
use crate::product;

const NAMED: &str = "named";
const ZONE: &str = "/var/lib/bind/corp.zone";
const RESOLVER: &str = "/etc/resolv.conf";
/// Where the load balancer of the lab would answer.
const VIP: &str = "10.6.0.100";
const CLIENT: &str = "laptop-01.clients.corp.example";

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "router-name-unknown",
        code: "SG-ISATAP-001",
        node: "helpdesk-01",
        what: "/etc/resolv.conf names a public resolver, which does not know the intranet's names",
        make: public_resolver,
        mend: |lab, undo| put_back(lab, "helpdesk-01", RESOLVER, undo),
    },
    Fault {
        name: "router-name-gone",
        code: "SG-ISATAP-001",
        node: "dns",
        what: "the record da-isatap.corp.example is deleted",
        make: |lab, undo| zone(lab, undo, "da-isatap", None),
        mend: mend_zone,
    },
    Fault {
        name: "router-name-vip",
        code: "SG-ISATAP-002",
        node: "dns",
        what: "da-isatap.corp.example leads to 10.6.0.100, the address of a load balancer",
        make: balancer,
        mend: |lab, undo| {
            lab.sh("files", &format!("ip address del {VIP}/32 dev eth0 2>/dev/null || true"))?;
            mend_zone(lab, undo)?;
            product::host_looks_again(lab)
        },
    },
    Fault {
        name: "isatap-name-exists",
        code: "SG-ISATAP-007",
        node: "dns",
        what: "the record isatap.corp.example is made",
        make: |lab, undo| zone(lab, undo, "isatap", Some("10.6.0.1")),
        mend: mend_zone,
    },
    Fault {
        name: "wpad-name-exists",
        code: "SG-DNS-006",
        node: "dns",
        what: "the record wpad.corp.example is made",
        make: |lab, undo| zone(lab, undo, "wpad", Some("10.6.8.30")),
        mend: mend_zone,
    },
    Fault {
        name: "client-record-gone",
        code: "SG-DNS-001",
        node: "dns",
        what: "the AAAA record of laptop-01 is deleted from the clients' zone",
        make: |lab, undo| {
            let address = lab.sh("dns", &format!("dig +short @127.0.0.1 {CLIENT} AAAA"))?;
            undo.insert("address".to_owned(), address.trim().to_owned());
            update(lab, &format!("update delete {CLIENT} AAAA"))
        },
        mend: |lab, undo| {
            // Where the record could not be read, it was not deleted.
            let Some(address) = undo.get("address") else { return Ok(()) };
            // The client may have come back with another one meanwhile.
            update(lab, &format!("update delete {CLIENT} AAAA\nupdate add {CLIENT} 60 AAAA {address}"))
        },
    },
    Fault {
        name: "resolver-down",
        code: "SG-DNS-003",
        node: "dns",
        what: "the intranet's name server is stopped",
        make: |lab, _| lab.stop("dns", NAMED),
        mend: |lab, _| {
            lab.start("dns", NAMED, &["named", "-g", "-n", "1", "-c", "/etc/bind/named.conf"])?;
            answer(lab, "files", Some("10.6.0.30"))
        },
    },
];

fn public_resolver(lab: &Lab, undo: &mut Undo) -> Result<(), LabError> {
    keep_file(lab, "helpdesk-01", RESOLVER, undo)?;
    lab.write("helpdesk-01", RESOLVER, "search corp.example\nnameserver 203.0.113.80\n", false)
}

fn balancer(lab: &Lab, undo: &mut Undo) -> Result<(), LabError> {
    // Somebody who takes TCP and UDP is there, and has no use for protocol 41.
    lab.sh("files", &format!("ip address add {VIP}/32 dev eth0"))?;
    zone(lab, undo, "da-isatap", Some(VIP))?;
    product::host_looks_again(lab)
}

/// Changes one record of the zone and waits until the server says so. The record of before is kept, and not the zone:
/// several faults may be in it.
fn zone(lab: &Lab, undo: &mut Undo, name: &str, address: Option<&str>) -> Result<(), LabError> {
    let text = lab.sh("dns", &format!("cat {ZONE}"))?;
    let is_it = |line: &&str| line.split_whitespace().next() == Some(name);
    if let Some(line) = text.lines().find(is_it) {
        undo.insert("line".to_owned(), line.to_owned());
    }
    undo.insert("name".to_owned(), name.to_owned());
    write_zone(lab, &text, name, address.map(|a| format!("{name} A {a}")).as_deref())?;
    answer(lab, name, address)
}

fn mend_zone(lab: &Lab, undo: &Undo) -> Result<(), LabError> {
    let name = super::kept(undo, "name")?;
    let text = lab.sh("dns", &format!("cat {ZONE}"))?;
    let line = undo.get("line").map(String::as_str);
    write_zone(lab, &text, name, line)?;
    answer(lab, name, line.and_then(|l| l.split_whitespace().last()))
}

fn write_zone(lab: &Lab, text: &str, name: &str, line: Option<&str>) -> Result<(), LabError> {
    let mut lines: Vec<&str> = text.lines().filter(|l| l.split_whitespace().next() != Some(name)).collect();
    lines.extend(line);
    lab.write("dns", ZONE, &format!("{}\n", lines.join("\n")), false)?;
    // A file that is not newer than the one that was read is not read again.
    lab.sh("dns", &format!("touch -d '+1 hour' {ZONE}"))?;
    if lab.runs("dns", NAMED) { lab.signal("dns", NAMED, "HUP") } else { Ok(()) }
}

/// A signed update of the clients' zone.
fn update(lab: &Lab, what: &str) -> Result<(), LabError> {
    let key = lab.sh("gateway", &format!("cat {}", product::KEY_FILE))?;
    lab.write("dns", "/run/lab/update.key", &key, true)?;
    let commands = format!("server 127.0.0.1\nzone clients.corp.example\n{what}\nsend\n");
    let done = lab.run_fed("dns", &["nsupdate", "-k", "/run/lab/update.key"], &commands)?;
    if done.ok() { Ok(()) } else { Err(LabError::failed(format!("dns: nsupdate: {}", done.said()))) }
}

/// Waits until the intranet's server answers so. One that is stopped reads its zones when it is started again.
fn answer(lab: &Lab, name: &str, address: Option<&str>) -> Result<(), LabError> {
    if !lab.runs("dns", NAMED) {
        return Ok(());
    }
    let ask = format!("dig +short +time=1 +tries=1 @127.0.0.1 {name}.corp.example A");
    let done = wait_for(Duration::from_secs(5), || {
        lab.sh("dns", &ask).is_ok_and(|said| said.trim() == address.unwrap_or_default())
    });
    done.map(drop).ok_or_else(|| LabError::failed(format!("dns does not answer {name} as it should")))
}
