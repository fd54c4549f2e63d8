use std::collections::HashMap;

use super::*;

const LIMITS: Limits = Limits { members: 10_000, depth: 16 };

/// A directory in memory, which gives at most so many members of a group at once.
struct Memory {
    entries: HashMap<String, Entry>,
    /// Those that it does not give.
    withheld: Vec<String>,
    range: Option<usize>,
    questions: usize,
}

impl Memory {
    fn new() -> Self {
        Self { entries: HashMap::new(), withheld: Vec::new(), range: None, questions: 0 }
    }

    fn with(mut self, dn: &str, pairs: &[(&str, &[&str])]) -> Self {
        let attributes = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), v.iter().map(|t| (*t).to_owned()).collect()))
            .collect();
        self.entries.insert(normal(dn), Entry { dn: dn.to_owned(), attributes });
        self
    }

    fn group(self, dn: &str, members: &[&str]) -> Self {
        self.with(dn, &[("objectclass", &["groupOfNames"]), ("member", members)])
    }

    fn machine(self, name: &str) -> Self {
        self.with(&format!("cn={name},dc=x"), &[("objectclass", &["device"]), ("cn", &[name])])
    }
}

impl Ask for Memory {
    async fn read(&mut self, dn: &str, attributes: &[&str]) -> Result<Option<Entry>, Error> {
        self.questions += 1;
        if self.withheld.contains(&normal(dn)) {
            return Err(Error::Withheld("the server answers 50".to_owned()));
        }
        let Some(mut entry) = self.entries.get(&normal(dn)).cloned() else { return Ok(None) };
        if let Some(most) = self.range
            && let Some(all) = entry.attributes.remove("member")
        {
            // [MS-ADTS], section 3.1.1.3.1.3.3.
            let asked = attributes.iter().find_map(|a| a.strip_prefix("member;range=")?.strip_suffix("-*"));
            let first: usize = asked.map_or(0, |text| text.parse().unwrap());
            let last = (first + most).min(all.len());
            let end = if last == all.len() { "*".to_owned() } else { (last - 1).to_string() };
            entry.attributes.insert("member".to_owned(), Vec::new());
            entry.attributes.insert(format!("member;range={first}-{end}"), all[first..last].to_vec());
        }
        Ok(Some(entry))
    }

    async fn search(&mut self, filter: &str, _: &[&str], _: usize) -> Result<Vec<Entry>, Error> {
        let group = filter.strip_prefix("(memberOf=").unwrap().strip_suffix(')').unwrap();
        let of_group = |entry: &&Entry| entry.values("memberof").iter().any(|dn| normal(dn) == normal(group));
        Ok(self.entries.values().filter(of_group).cloned().collect())
    }
}

async fn names(directory: &mut Memory, group: &str, limits: Limits) -> Result<Vec<String>, Error> {
    let found = machines(directory, group, "x", limits).await?;
    Ok(found.machines.into_iter().filter_map(|m| m.name).collect())
}

#[tokio::test]
async fn groups_in_groups_and_loops_are_walked_once() {
    let mut directory = Memory::new()
        .group("cn=top,dc=x", &["cn=a,dc=x", "cn=middle,dc=x"])
        .group("cn=middle,dc=x", &["CN=Inner, DC=x", "cn=b,dc=x", "cn=a,dc=x"])
        .group("cn=inner,dc=x", &["cn=c,dc=x", "cn=top,dc=x", "cn=inner,dc=x", "cn=gone,dc=x", "cn=ana,dc=x"])
        .machine("a")
        .machine("b")
        .machine("c")
        .machine("d")
        .with("cn=ana,dc=x", &[("objectclass", &["person"]), ("cn", &["ana"])]);
    assert_eq!(names(&mut directory, "cn=top,dc=x", LIMITS).await.unwrap(), ["a.x", "b.x", "c.x"]);
    // Seven entries and one that is gone, each asked for once.
    assert_eq!(directory.questions, 8);
    let found = machines(&mut directory, "cn=top,dc=x", "x", LIMITS).await.unwrap();
    assert_eq!(found.others, 1);
    assert_eq!(names(&mut directory, "cn=nowhere,dc=x", LIMITS).await, Err(Error::NoSuchGroup));
}

#[tokio::test]
async fn a_member_that_is_withheld_is_no_machine_and_holds_nobody_up() {
    let mut directory = Memory::new()
        .group("cn=top,dc=x", &["cn=a,dc=x", "cn=foreign,dc=y", "cn=secret,dc=x", "cn=b,dc=x"])
        .machine("a")
        .machine("b")
        .machine("secret");
    directory.withheld = vec!["cn=foreign,dc=y".to_owned(), "cn=secret,dc=x".to_owned()];
    let found = machines(&mut directory, "cn=top,dc=x", "x", LIMITS).await.unwrap();
    assert_eq!(found.others, 2);
    assert_eq!(names(&mut directory, "cn=top,dc=x", LIMITS).await.unwrap(), ["a.x", "b.x"]);
    // The group itself: no answer about this one, and the others are asked for all the same.
    directory.withheld.push("cn=top,dc=x".to_owned());
    let error = names(&mut directory, "cn=top,dc=x", LIMITS).await.unwrap_err();
    assert!(matches!(error, Error::Withheld(_)) && !error.is_of_server(), "{error}");
}

#[tokio::test]
async fn members_that_only_say_so_themselves_count() {
    let mut directory = Memory::new()
        .group("cn=top,dc=x", &[])
        .with("cn=e,dc=x", &[("objectclass", &["device"]), ("cn", &["e"]), ("memberof", &["CN=Top,DC=x"])]);
    assert_eq!(names(&mut directory, "cn=top,dc=x", LIMITS).await.unwrap(), ["e.x"]);
}

#[tokio::test]
async fn long_lists_come_in_ranges() {
    let members: Vec<String> = (0..3501).map(|n| format!("cn=m{n:04},dc=x")).collect();
    let texts: Vec<&str> = members.iter().map(String::as_str).collect();
    let mut directory = Memory::new().group("cn=top,dc=x", &texts);
    for n in 0..3501 {
        directory = directory.machine(&format!("m{n:04}"));
    }
    directory.range = Some(1500);
    let found = names(&mut directory, "cn=top,dc=x", LIMITS).await.unwrap();
    assert_eq!((found.len(), found[3500].as_str()), (3501, "m3500.x"));
}

#[tokio::test]
async fn what_is_too_deep_or_too_large_is_refused() {
    let mut directory = Memory::new().machine("a");
    for n in 0..20 {
        directory = directory.group(&format!("cn=g{n},dc=x"), &[&format!("cn=g{},dc=x", n + 1)]);
    }
    let mut directory = directory.group("cn=g20,dc=x", &["cn=a,dc=x"]);
    let deep = Limits { depth: 20, ..LIMITS };
    assert_eq!(names(&mut directory, "cn=g0,dc=x", deep).await.unwrap(), ["a.x"]);
    let shallow = Limits { depth: 19, ..LIMITS };
    assert_eq!(names(&mut directory, "cn=g0,dc=x", shallow).await, Err(Error::TooLarge("most-depth")));
    let few = Limits { members: 21, ..deep };
    assert_eq!(names(&mut directory, "cn=g0,dc=x", few).await, Err(Error::TooLarge("most-members")));
}
