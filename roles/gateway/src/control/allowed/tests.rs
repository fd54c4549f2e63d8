use std::path::Path;

use sixgate_io_ldap::{Error, Group, Machine};
use sixgate_io_store::Space;

use super::runtime::Runtime;
use super::*;

const FILE: &str = r#"schema = 1
[isatap]
interface = "int0"
prefix = "fd00:2::/64"
routes = [{ prefix = "fd00:1::/64" }]
[[isatap.allow]]
hosts = ["10.6.8.0/24", "ws-1.corp.example"]
group = "helpdesk"
[[isatap.allow]]
ldap-group = "CN=Admins,DC=corp,DC=example"
prefix = "fd00:22::/64"
router-lifetime = 600
[[isatap.allow]]
hosts = ["10.6.9.9"]
group = "guests"
prefix = "fd00:22::/64"
router-lifetime = 600
[ldap]
url = ["ldaps://dc1.corp.example"]
base = "DC=corp,DC=example"
"#;

const ADMINS: &str = "CN=Admins,DC=corp,DC=example";

fn config() -> Isatap {
    sixgate_config::gateway(Path::new("a.toml"), FILE)
        .unwrap_or_else(|report| panic!("{}", report.render()))
        .value
        .isatap
        .unwrap()
}

fn host(text: &str) -> AllowedHost {
    AllowedHost::parse(text).unwrap()
}

fn v4(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 6, 8, last)
}

/// Rule, prefix and offer of everybody who is allowed.
fn seen(sources: &Sources) -> Vec<(String, String, Option<usize>)> {
    let all = allowed(&config(), sources);
    all.into_iter().map(|a| (a.group.unwrap_or_default(), a.prefix.to_string(), a.offer)).collect()
}

fn row(group: &str, prefix: &str, offer: Option<usize>) -> (String, String, Option<usize>) {
    (group.to_owned(), prefix.to_owned(), offer)
}

fn machine(name: Option<&str>, addresses: &[Ipv4Addr]) -> Machine {
    Machine { name: name.map(str::to_owned), addresses: addresses.to_vec() }
}

#[test]
fn file_names_and_groups_are_put_together_with_their_offers() {
    let mut sources = Sources::default();
    assert_eq!(seen(&sources), [row("helpdesk", "10.6.8.0/24", None), row("guests", "10.6.9.9/32", Some(0))]);
    sources.names.answered("ws-1.corp.example", vec![v4(1)], 100);
    let machines = vec![machine(Some("ws-2.corp.example"), &[]), machine(None, &[v4(3)])];
    let group = Group { machines, others: 1 };
    sources.groups.answered(ADMINS, Ok(group), "ldaps://dc1.corp.example:636", 100);
    assert_eq!(wanted_names(&config(), &sources), ["ws-1.corp.example", "ws-2.corp.example"]);
    sources.names.answered("ws-2.corp.example", vec![v4(2)], 100);
    assert_eq!(
        seen(&sources),
        [
            row("helpdesk", "10.6.8.0/24", None),
            row("helpdesk", "10.6.8.1/32", None),
            row("Admins", "10.6.8.2/32", Some(0)),
            row("Admins", "10.6.8.3/32", Some(0)),
            row("guests", "10.6.9.9/32", Some(0)),
        ]
    );
    let origins: Vec<_> = allowed(&config(), &sources).into_iter().map(|a| a.origin).collect();
    assert_eq!(
        (origins[0].as_str(), origins[2].as_str()),
        ("line 6", "line 9: CN=Admins,DC=corp,DC=example")
    );
    assert_eq!(offers(&config()).len(), 1);
}

#[test]
fn an_outage_leaves_everybody_and_an_answer_does_not() {
    let mut sources = Sources::default();
    let one = || Ok(Group { machines: vec![machine(None, &[v4(3)])], others: 0 });
    assert!(sources.groups.answered(ADMINS, one(), "a", 100));
    sources.groups.unanswered(ADMINS, "no server answers");
    assert!(!sources.groups.answered(ADMINS, Err(Error::TooLarge("most-members")), "a", 200));
    assert!(!sources.groups.answered(ADMINS, Err(Error::Withheld("50".to_owned())), "a", 200));
    let known = sources.groups.get(ADMINS).unwrap();
    assert_eq!((known.members.len(), known.at, known.trouble.is_some()), (1, Some(100), true));
    // The group is gone, and so is what it gave.
    assert!(sources.groups.answered(ADMINS, Err(Error::NoSuchGroup), "a", 300));
    assert!(sources.groups.members(ADMINS).is_empty());
}

#[test]
fn commands_come_before_the_file_and_a_denial_before_both() {
    let mut sources = Sources::default();
    sources.names.answered("ws-1.corp.example", vec![v4(1)], 100);
    let runtime = &mut sources.runtime;
    runtime.allow(host("10.6.8.0/24"), Some("guests".to_owned())).unwrap();
    runtime.allow(host("10.6.7.7"), None).unwrap();
    runtime.deny(host("ws-1.corp.example")).unwrap();
    runtime.deny(host("10.6.9.0/24")).unwrap();
    // What the file gives to guests, it gives to those that a command calls so.
    assert_eq!(
        seen(&sources),
        [
            row("guests", "10.6.8.0/24", Some(0)),
            row("", "10.6.7.7/32", None),
            row("helpdesk", "10.6.8.0/24", None),
            row("guests", "10.6.9.9/32", Some(0)),
        ]
    );
    let texts: Vec<_> = denied(&sources).iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["10.6.8.1/32", "10.6.9.0/24"]);
    assert!(sources.runtime.shadows(&host("10.6.9.9")).is_some());
    assert!(sources.runtime.shadows(&host("10.6.8.9")).is_none());
    // The last command about a host holds.
    sources.runtime.allow(host("10.6.9.0/24"), None).unwrap();
    assert_eq!(sources.runtime.denied().len(), 1);
    assert!(sources.runtime.forget(&host("10.6.9.0/24")));
    assert!(!sources.runtime.forget(&host("10.6.9.0/24")));
}

#[test]
fn what_is_known_comes_back_from_disk() {
    let path = std::env::temp_dir().join(format!("sixgate-allowed-{}.redb", std::process::id()));
    let store = Store::open(&path).unwrap();
    let mut runtime = Runtime::default();
    runtime.allow(host("ws-1.corp.example"), Some("helpdesk".to_owned())).unwrap();
    runtime.deny(host("10.6.8.9")).unwrap();
    runtime.save(&store).unwrap();
    assert_eq!(Runtime::load(&store).unwrap(), runtime);
    // One that is not understood may be a denial: nothing is left out.
    for (key, value) in [("10.6.8.7", "nonsense"), ("no host", r#"{"allow":false,"group":null}"#)] {
        let rows = [(key.as_bytes(), Some(value.as_bytes()))];
        store.change_values(Space::IsatapRuntime, rows).unwrap();
        assert!(Runtime::load(&store).unwrap_err().contains(key));
        assert!(Sources::load(&store).is_err());
        store.change_values(Space::IsatapRuntime, [(key.as_bytes(), None)]).unwrap();
    }
    drop(store);
    std::fs::remove_file(path).unwrap();
}
