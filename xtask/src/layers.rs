//! The table of who may use whom. A top folder is a layer, and a layer is a rule about what code may touch.

use std::collections::{BTreeMap, VecDeque};

use crate::metadata::Workspace;

/// What the crates of one folder may use of ours. The first line that fits a crate is its rule.
struct Layer {
    /// `core/time`, or `core/*` for every crate below.
    folder: &'static str,
    may_use: &'static [&'static str],
}

const LOWEST: &[&str] = &["core/time", "core/reason", "core/wire"];

const LAYERS: &[Layer] = &[
    Layer { folder: "core/time", may_use: &[] },
    Layer { folder: "core/reason", may_use: &[] },
    Layer { folder: "core/wire", may_use: &["core/time", "core/reason"] },
    Layer { folder: "core/*", may_use: LOWEST },
    Layer { folder: "sim", may_use: &["core/*"] },
    Layer { folder: "io/*", may_use: LOWEST },
    Layer { folder: "surface/*", may_use: LOWEST },
    Layer { folder: "roles/*", may_use: &["core/*", "io/*", "surface/*"] },
    Layer { folder: "lab", may_use: &["io/host", "surface/api"] },
    Layer { folder: "bin/sixgate", may_use: &["*"] },
    Layer { folder: "bench/*", may_use: &["*"] },
    Layer { folder: "tests/*", may_use: &["*"] },
    Layer { folder: "xtask", may_use: &[] },
];

/// Why an edge is forbidden. The first line that fits both ends explains it.
struct Ban {
    from: &'static str,
    to: &'static str,
    why: &'static str,
}

const BANS: &[Ban] = &[
    Ban { from: "core/time", to: "*", why: "everybody rests on it, so it rests on nobody" },
    Ban { from: "core/reason", to: "*", why: "everybody rests on it, so it rests on nobody" },
    Ban {
        from: "core/wire",
        to: "core/*",
        why: "wire knows formats; state belongs to the protocols above it",
    },
    Ban {
        from: "core/*",
        to: "core/*",
        why: "two protocols meet in a role, not in a crate: somebody may take one of them alone",
    },
    Ban {
        from: "core/*",
        to: "io/*",
        why: "a core has no socket and no clock: packets, time and chance are arguments, so that it can be simulated",
    },
    Ban {
        from: "core/*",
        to: "surface/*",
        why: "a core takes checked values; files and JSON belong to the surface",
    },
    Ban { from: "sim", to: "io/*", why: "a simulation has a virtual clock and no system under it" },
    Ban { from: "sim", to: "roles/*", why: "a simulation drives the cores itself; roles bring sockets" },
    Ban { from: "io/*", to: "core/*", why: "I/O moves packets, it does not know them" },
    Ban {
        from: "io/*",
        to: "io/*",
        why: "each is a thin wrapper around one part of the system; a role puts them together",
    },
    Ban {
        from: "io/*",
        to: "surface/*",
        why: "I/O takes plain values; files and JSON belong to the surface",
    },
    Ban {
        from: "surface/*",
        to: "io/*",
        why: "what a person meets can be checked and tested without a system under it",
    },
    Ban {
        from: "surface/*",
        to: "core/*",
        why: "configuration and API are plain checked values; a role makes protocols of them",
    },
    Ban {
        from: "surface/*",
        to: "surface/*",
        why: "what is read, what is shown and what is found out change for different reasons",
    },
    Ban {
        from: "roles/*",
        to: "roles/*",
        why: "each role runs on a machine of its own; what two share belongs below",
    },
    Ban { from: "lab", to: "roles/*", why: "the lab starts the real binary, as a user does" },
    Ban {
        from: "lab",
        to: "*",
        why: "the lab builds machines and looks at wires; what it tests it must not be made of",
    },
    Ban { from: "xtask", to: "*", why: "what checks the crates must build when they do not" },
    Ban { from: "*", to: "lab", why: "the lab is for the binary and for tests" },
    Ban {
        from: "*",
        to: "bin/sixgate",
        why: "the binary is the top: it parses, dispatches and nothing else",
    },
    Ban { from: "*", to: "roles/*", why: "a role is the top of the house; only the binary starts it" },
];

/// Foreign packages that a folder must not be built with, directly or through others.
struct ForeignBan {
    folder: &'static str,
    packages: &'static [&'static str],
    why: &'static str,
}

const FOREIGN: &[ForeignBan] = &[
    ForeignBan {
        folder: "core/*",
        packages: &["tokio", "mio", "rustix", "socket2", "nix", "async-std", "smol", "polling"],
        why: "a core has no socket and no clock",
    },
    ForeignBan {
        folder: "io/link",
        packages: &["tokio", "async-std", "smol"],
        why: "packets are moved by workers; the runtime lives in the control plane alone",
    },
    ForeignBan {
        folder: "surface/*",
        packages: &["tokio", "rustix", "socket2", "nix"],
        why: "the surface does no I/O",
    },
    ForeignBan {
        folder: "*",
        packages: &["openssl", "openssl-sys", "native-tls"],
        why: "TLS is rustls: one static binary, no C library of the system",
    },
];

/// One line for each dependency between our crates that the table does not allow.
pub(crate) fn forbidden_edges(workspace: &Workspace) -> Vec<String> {
    let mut faults = Vec::new();
    for (from, member) in &workspace.members {
        let Some(layer) = LAYERS.iter().find(|layer| fits(layer.folder, from)) else {
            faults.push(format!(
                "{from}: no layer has this folder; add it to the table in xtask/src/layers.rs"
            ));
            continue;
        };
        for to in &member.uses {
            if !layer.may_use.iter().any(|allowed| fits(allowed, to)) {
                faults.push(format!("{from} -> {to} is forbidden: {}", why(from, to)));
            }
        }
    }
    faults
}

/// One line for each foreign package that must not be below one of our crates, with the way it got there.
pub(crate) fn forbidden_packages(workspace: &Workspace) -> Vec<String> {
    let mut faults = Vec::new();
    for (folder, member) in &workspace.members {
        let reached = reach(workspace, &member.id);
        for ban in FOREIGN.iter().filter(|ban| fits(ban.folder, folder)) {
            for (id, way) in &reached {
                let name = name(workspace, id);
                if ban.packages.contains(&name) {
                    let way: Vec<&str> = way.iter().map(|id| self::name(workspace, id)).collect();
                    faults.push(format!("{folder} -> {} is forbidden: {}", way.join(" -> "), ban.why));
                }
            }
        }
    }
    faults
}

/// Every package that `start` is built with, and a shortest way to it, itself last.
fn reach<'a>(workspace: &'a Workspace, start: &'a str) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut ways: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut queue = VecDeque::from([(start, Vec::new())]);
    while let Some((id, way)) = queue.pop_front() {
        for next in workspace.built_with.get(id).into_iter().flatten() {
            if !ways.contains_key(next.as_str()) {
                let mut way = way.clone();
                way.push(next.as_str());
                ways.insert(next, way.clone());
                queue.push_back((next, way));
            }
        }
    }
    ways
}

fn name<'a>(workspace: &'a Workspace, id: &'a str) -> &'a str {
    workspace.names.get(id).map_or(id, String::as_str)
}

fn why(from: &str, to: &str) -> &'static str {
    BANS.iter()
        .find(|ban| fits(ban.from, from) && fits(ban.to, to))
        .map_or("its layer's line in xtask/src/layers.rs does not name it", |ban| ban.why)
}

/// `*` fits everything, `core/*` every folder directly below `core`, anything else itself.
fn fits(pattern: &str, folder: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    match pattern.strip_suffix("/*") {
        Some(top) => folder.strip_prefix(top).is_some_and(|rest| rest.starts_with('/')),
        None => pattern == folder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Member;

    fn workspace(edges: &[(&str, &[&str])]) -> Workspace {
        let members = edges.iter().map(|(from, to)| {
            let uses = to.iter().map(|s| (*s).to_owned()).collect();
            ((*from).to_owned(), Member { id: format!("{from} 1"), uses })
        });
        Workspace { members: members.collect(), names: BTreeMap::new(), built_with: BTreeMap::new() }
    }

    #[test]
    fn the_edges_that_the_style_allows_are_no_faults() {
        let faults = forbidden_edges(&workspace(&[
            ("core/time", &[]),
            ("core/wire", &["core/time", "core/reason"]),
            ("core/nat64", &["core/wire", "core/time", "core/reason"]),
            ("sim", &["core/nat64"]),
            ("io/link", &["core/wire"]),
            ("surface/config", &["core/wire", "core/reason"]),
            ("roles/gateway", &["core/nat64", "io/link", "surface/config"]),
            ("lab", &["io/host", "surface/api"]),
            ("bin/sixgate", &["roles/gateway", "lab", "surface/api", "io/control", "core/reason"]),
            ("bench/micro", &["core/fabric"]),
        ]));
        assert_eq!(faults, Vec::<String>::new());
    }

    #[test]
    fn each_forbidden_edge_is_named_with_its_reason() {
        for (from, to, why) in [
            ("core/time", "core/reason", "rests on nobody"),
            ("core/wire", "core/fabric", "wire knows formats"),
            ("core/nat64", "core/isatap", "two protocols meet in a role"),
            ("core/fabric", "io/link", "no socket and no clock"),
            ("core/dns64", "surface/config", "belong to the surface"),
            ("sim", "roles/gateway", "drives the cores itself"),
            ("io/link", "core/nat64", "it does not know them"),
            ("io/tls", "io/store", "a role puts them together"),
            ("surface/api", "io/host", "without a system"),
            ("roles/client", "roles/host", "a machine of its own"),
            ("roles/client", "lab", "for the binary and for tests"),
            ("lab", "roles/gateway", "starts the real binary"),
            ("lab", "io/link", "must not be made of"),
            ("xtask", "core/wire", "must build when they do not"),
            ("io/host", "bin/sixgate", "the binary is the top"),
        ] {
            let faults = forbidden_edges(&workspace(&[(from, &[to])]));
            let [fault] = &faults[..] else { panic!("{from} -> {to}: {faults:?}") };
            assert!(fault.starts_with(&format!("{from} -> {to} is forbidden: ")), "{fault}");
            assert!(fault.contains(why), "{fault}");
        }
    }

    #[test]
    fn a_folder_without_a_layer_is_a_fault() {
        let faults = forbidden_edges(&workspace(&[("core", &[]), ("helpers/misc", &[])]));
        assert_eq!(faults.len(), 2);
        assert!(faults[1].starts_with("helpers/misc: no layer"), "{faults:?}");
    }

    #[test]
    fn a_foreign_package_is_found_through_others() {
        let mut workspace = workspace(&[("core/dns64", &[]), ("io/dns", &[])]);
        for (from, to) in [("core/dns64 1", "names 1"), ("names 1", "runtime 1"), ("io/dns 1", "runtime 1")] {
            workspace.built_with.insert(from.to_owned(), vec![to.to_owned()]);
        }
        workspace.names.insert("names 1".to_owned(), "names".to_owned());
        workspace.names.insert("runtime 1".to_owned(), "tokio".to_owned());
        assert_eq!(
            forbidden_packages(&workspace),
            ["core/dns64 -> names -> tokio is forbidden: a core has no socket and no clock"]
        );
    }
}
