//! The workspace as `cargo metadata` tells it: who depends on whom.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

/// The crates of the workspace, and all packages below them.
pub(crate) struct Workspace {
    /// Folder of each member, relative to the workspace's, and what it declares; in the order of folders.
    pub(crate) members: BTreeMap<String, Member>,
    /// Name of every package, ours and foreign ones, by its identifier.
    pub(crate) names: BTreeMap<String, String>,
    /// What each package is built with, by identifiers: neither for tests nor for build scripts.
    pub(crate) built_with: BTreeMap<String, Vec<String>>,
}

/// One crate of the workspace.
#[derive(Default)]
pub(crate) struct Member {
    /// Identifier of the package.
    pub(crate) id: String,
    /// Folders of the members that it depends on, for any purpose.
    pub(crate) uses: Vec<String>,
}

/// Runs `cargo metadata` in `root`.
///
/// # Errors
/// When cargo cannot be run, fails, or says something else than expected.
pub(crate) fn read(root: &Path) -> io::Result<Workspace> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output =
        Command::new(cargo).args(["metadata", "--format-version", "1"]).current_dir(root).output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(digest(serde_json::from_slice(&output.stdout)?))
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    workspace_root: String,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    path: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<NodeDependency>,
}

#[derive(Deserialize)]
struct NodeDependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// `None` for what the package itself is built with.
    kind: Option<String>,
}

fn digest(metadata: Metadata) -> Workspace {
    let folder = |path: &str| {
        let path = path.strip_prefix(&metadata.workspace_root)?.trim_start_matches('/');
        Some(path.trim_end_matches("Cargo.toml").trim_end_matches('/').to_owned())
    };
    let ours = |package: &&Package| metadata.workspace_members.contains(&package.id);
    let members = metadata.packages.iter().filter(ours).filter_map(|package| {
        let uses =
            package.dependencies.iter().filter_map(|d| folder(d.path.as_deref()?)).collect::<Vec<String>>();
        Some((folder(&package.manifest_path)?, Member { id: package.id.clone(), uses }))
    });
    let built_with = metadata.resolve.nodes.iter().map(|node| {
        let normal = |d: &&NodeDependency| d.dep_kinds.iter().any(|k| k.kind.is_none());
        (node.id.clone(), node.deps.iter().filter(normal).map(|d| d.pkg.clone()).collect())
    });
    Workspace {
        members: members.collect(),
        names: metadata.packages.iter().map(|p| (p.id.clone(), p.name.clone())).collect(),
        built_with: built_with.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_kinds_are_told_apart() {
        let text = r#"{
            "packages": [
                {"id": "wire 1", "name": "sixgate-wire", "manifest_path": "/w/core/wire/Cargo.toml",
                 "dependencies": [{"path": "/w/core/time"}, {"path": null}]},
                {"id": "time 1", "name": "sixgate-time", "manifest_path": "/w/core/time/Cargo.toml", "dependencies": []},
                {"id": "proptest 1", "name": "proptest", "manifest_path": "/r/proptest/Cargo.toml", "dependencies": []}
            ],
            "workspace_members": ["wire 1", "time 1"],
            "workspace_root": "/w",
            "resolve": {"nodes": [{"id": "wire 1", "deps": [
                {"pkg": "time 1", "dep_kinds": [{"kind": null}]},
                {"pkg": "proptest 1", "dep_kinds": [{"kind": "dev"}]}
            ]}]}
        }"#;
        let workspace = digest(serde_json::from_str(text).unwrap());
        assert_eq!(workspace.members.keys().collect::<Vec<_>>(), ["core/time", "core/wire"]);
        assert_eq!(workspace.members["core/wire"].uses, ["core/time"]);
        assert_eq!(workspace.built_with["wire 1"], ["time 1"]);
        assert_eq!(workspace.names["proptest 1"], "proptest");
    }
}
