//! How a machine becomes an ISATAP host: ready files, the commands that put them in force, and the check that follows.
//!
//! Nothing is read and nothing is written here: what the gateway knows comes in as [`Parameters`], files and text go out.
//! Whatever cannot be said without a value names the option that gives it.
//!
//! ```
//! use sixgate_instructions::{Parameters, Router, Target, instructions};
//! let router = Router::parse("da-isatap.corp.example").expect("a good name");
//! let set = instructions(Target::Windows, &Parameters::of(router)).expect("nothing is missing");
//! assert_eq!(set.ways[0].target, "gpo", "group policy comes first");
//! assert!(Router::parse("isatap.corp.example").is_err(), "every machine of the site looks this up");
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | [`parameters`] | what the instructions are made from |
//! | [`way`] | files, steps and the check of one way |
//! | [`pol`] | Registry.pol ([MS-GPREG]), written and read |
//! | `gpo`, `powershell`, `netsh`, `hosts` | Windows, in the order in which they are recommended |
//! | `linux`, `ansible`, `networkd` | Linux, likewise |
//! | [`mod@routes`] | static routes, for segments with IPv6 of their own |
//! | `text` | all of it as a person reads it |
#![forbid(unsafe_code)]

mod address;
mod ansible;
mod gpo;
mod guid;
mod hosts;
mod linux;
mod netsh;
mod networkd;
pub mod parameters;
pub mod pol;
mod powershell;
pub mod routes;
mod text;
pub mod way;
mod windows;

pub use parameters::{Group, Missing, Parameters, Router};
pub use routes::{Routes, routes};
pub use text::render;
pub use way::{Check, Content, Output, Sign, Step, Way};

/// For whom the instructions are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// All ways of Windows, the recommended one first.
    Windows,
    /// Group Policy.
    Gpo,
    /// `Set-NetIsatapConfiguration`.
    PowerShell,
    /// `netsh interface isatap`.
    Netsh,
    /// A line of the HOSTS file, for tests.
    Hosts,
    /// `sixgate isatap join` and its service.
    Linux,
    /// systemd-networkd with the kernel's own tunnel.
    Networkd,
    /// A playbook for many Linux machines.
    Ansible,
}

impl Target {
    /// All of them, in the order of the help.
    pub const ALL: [Self; 8] = [
        Self::Windows,
        Self::Linux,
        Self::Gpo,
        Self::PowerShell,
        Self::Netsh,
        Self::Hosts,
        Self::Networkd,
        Self::Ansible,
    ];

    /// The word on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Windows => "windows",
            Self::Gpo => "gpo",
            Self::PowerShell => "powershell",
            Self::Netsh => "netsh",
            Self::Hosts => "hosts",
            Self::Linux => "linux",
            Self::Networkd => "networkd",
            Self::Ansible => "ansible",
        }
    }
}

/// One way or several, best first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Set {
    /// At least one.
    pub ways: Vec<Way>,
    /// Ways that belong here and lack a value.
    pub left_out: Vec<(Target, Missing)>,
}

/// The instructions for `target`.
///
/// # Errors
/// The value that this target cannot be written without.
pub fn instructions(target: Target, parameters: &Parameters) -> Result<Set, Missing> {
    let one = |way: Way| Ok(Set { ways: vec![way], left_out: Vec::new() });
    match target {
        Target::Windows => Ok(ranked(parameters)),
        Target::Gpo => one(gpo::way(parameters)),
        Target::PowerShell => one(powershell::way(parameters)),
        Target::Netsh => one(netsh::way(parameters)),
        Target::Hosts => one(hosts::way(parameters)?),
        Target::Linux => one(linux::way(parameters)),
        Target::Networkd => one(networkd::way(parameters)?),
        Target::Ansible => one(ansible::way(parameters)),
    }
}

/// Windows: what is managed centrally, goes to a group and can be taken back comes first; what is left behind on single
/// machines comes last.
fn ranked(parameters: &Parameters) -> Set {
    let mut set = Set {
        ways: vec![gpo::way(parameters), powershell::way(parameters), netsh::way(parameters)],
        left_out: Vec::new(),
    };
    match hosts::way(parameters) {
        Ok(way) => set.ways.push(way),
        Err(missing) => set.left_out.push((Target::Hosts, missing)),
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Parameters {
        Parameters {
            addresses: vec![[10, 6, 0, 1].into(), [10, 6, 0, 2].into()],
            prefix: Some("fd6a:7e00:cafe:2::/64".parse().unwrap()),
            routes: vec!["fd6a:7e00:cafe:1::/64".parse().unwrap()],
            hosts: vec![[10, 6, 8, 20].into()],
            group: Group::parse("helpdesk").unwrap(),
            ..Parameters::of(Router::parse("da-isatap.corp.example").unwrap())
        }
    }

    #[test]
    fn group_policy_is_first_and_hosts_is_last_and_for_tests() {
        let set = instructions(Target::Windows, &parameters()).unwrap();
        let order: Vec<&str> = set.ways.iter().map(|w| w.target).collect();
        assert_eq!(order, ["gpo", "powershell", "netsh", "hosts"]);
        assert!(set.ways[0].when.starts_with("recommended"), "{}", set.ways[0].when);
        assert!(set.ways[3].when.starts_with("tests only"), "{}", set.ways[3].when);
    }

    #[test]
    fn what_lacks_a_value_names_the_option() {
        let bare = Parameters::of(Router::parse("da-isatap.corp.example").unwrap());
        let set = instructions(Target::Windows, &bare).unwrap();
        assert_eq!(set.ways.len(), 3);
        assert_eq!(set.left_out[0].0, Target::Hosts);
        assert_eq!(instructions(Target::Hosts, &bare).unwrap_err().option, "--address");
        assert_eq!(instructions(Target::Networkd, &bare).unwrap_err().option, "--prefix");
        for target in [Target::Gpo, Target::PowerShell, Target::Netsh, Target::Linux, Target::Ansible] {
            assert!(instructions(target, &bare).is_ok(), "{target:?}");
        }
    }

    #[test]
    fn every_way_has_a_check_with_good_and_bad_results() {
        for target in [Target::Windows, Target::Linux, Target::Networkd, Target::Ansible] {
            for way in instructions(target, &parameters()).unwrap().ways {
                assert!(!way.check.run.is_empty() && !way.check.good.is_empty(), "{:?}", way.target);
                assert!(way.check.bad.len() >= 2, "{:?}", way.target);
                assert!(!way.steps.is_empty(), "{:?}", way.target);
            }
        }
    }

    #[test]
    fn only_the_file_for_tests_says_a_bare_name_and_nothing_says_isatap_alone() {
        for target in [Target::Windows, Target::Linux, Target::Networkd, Target::Ansible] {
            let set = instructions(target, &parameters()).unwrap();
            for way in &set.ways {
                for output in &way.files {
                    let Content::Text(text) = &output.content else { continue };
                    assert!(!text.contains(" isatap\n") && !text.contains("\"isatap\""), "{}", output.path);
                }
            }
        }
    }

    #[test]
    fn lines_fit_on_a_terminal_and_paths_stay_below_the_folder() {
        for target in [Target::Windows, Target::Linux, Target::Networkd, Target::Ansible] {
            let set = instructions(target, &parameters()).unwrap();
            for way in &set.ways {
                for output in &way.files {
                    assert!(!output.path.starts_with('/') && !output.path.contains(".."), "{}", output.path);
                }
            }
            let text = render(&set);
            assert!(text.lines().all(|l| l == l.trim_end()), "{text}");
        }
    }
}
