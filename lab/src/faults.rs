//! Faults to break a lab with, each made where it would happen: a firewall, a record, a file, a setting, a daemon's rights.
//!
//! What a fault changed is written to the lab's directory before it is changed, so that `fix` puts back exactly what was
//! there, and `status` knows what is broken.

mod gateway;
mod host;
mod names;
mod network;
mod stranger;
mod system;

use std::collections::BTreeMap;
use std::fs;

use serde::{Deserialize, Serialize};

use crate::error::LabError;
use crate::handle::Lab;
use crate::registry;

pub(crate) use stranger::stranger;

/// A fault that the lab can be broken with.
#[derive(Debug)]
pub struct Fault {
    /// Its name on the command line.
    pub name: &'static str,
    /// What `doctor` must call it.
    pub code: &'static str,
    /// The node that it is made on.
    pub node: &'static str,
    /// What is done there.
    pub what: &'static str,
    make: fn(&Lab, &mut Undo) -> Result<(), LabError>,
    mend: fn(&Lab, &Undo) -> Result<(), LabError>,
}

/// What was there before, by names of the fault's own.
pub(crate) type Undo = BTreeMap<String, String>;

/// Every fault.
pub fn all() -> impl Iterator<Item = &'static Fault> {
    [names::FAULTS, network::FAULTS, gateway::FAULTS, host::FAULTS, system::FAULTS].into_iter().flatten()
}

/// The fault of this name.
///
/// # Errors
/// There is none; which there are.
pub fn named(name: &str) -> Result<&'static Fault, LabError> {
    find(name)
}

/// Breaks the lab.
///
/// # Errors
/// No such fault, broken so already, or what could not be done: then it is undone as far as it went.
pub fn make(lab: &Lab, name: &str) -> Result<&'static Fault, LabError> {
    let fault = find(name)?;
    let mut broken = Broken::load(lab);
    if broken.faults.contains_key(name) {
        return Err(LabError::failed(format!("lab '{}' is broken by {name} already", lab.name())));
    }
    broken.faults.insert(name.to_owned(), Undo::new());
    broken.save(lab)?;
    let mut undo = Undo::new();
    let made = (fault.make)(lab, &mut undo);
    broken.faults.insert(name.to_owned(), undo);
    broken.save(lab)?;
    match made {
        Ok(()) => Ok(fault),
        Err(error) => {
            // What the fault could not finish is taken back as far as that goes; the first error is the one to tell.
            let _ = mend(lab, name);
            Err(error)
        }
    }
}

/// Puts back what a fault changed.
///
/// # Errors
/// No such fault, the lab is not broken by it, or what could not be put back.
pub fn mend(lab: &Lab, name: &str) -> Result<&'static Fault, LabError> {
    let fault = find(name)?;
    let mut broken = Broken::load(lab);
    let Some(undo) = broken.faults.remove(name) else {
        return Err(LabError::failed(format!("lab '{}' is not broken by {name}", lab.name())));
    };
    // How daemons are started again depends on what is still broken.
    broken.save(lab)?;
    let done = (fault.mend)(lab, &undo);
    if done.is_err() {
        broken.faults.insert(name.to_owned(), undo);
        broken.save(lab)?;
    }
    done.map(|()| fault)
}

/// The faults that the lab is broken by.
#[must_use]
pub fn broken(lab: &str) -> Vec<&'static Fault> {
    let names = Broken::of(lab).faults;
    all().filter(|f| names.contains_key(f.name)).collect()
}

fn find(name: &str) -> Result<&'static Fault, LabError> {
    all().find(|f| f.name == name).ok_or_else(|| {
        let names: Vec<&str> = all().map(|f| f.name).collect();
        LabError::usage(format!("there is no fault '{name}'; there are {}", names.join(", ")))
    })
}

/// What is on record in the lab's directory.
#[derive(Default, Serialize, Deserialize)]
struct Broken {
    faults: BTreeMap<String, Undo>,
}

impl Broken {
    fn load(lab: &Lab) -> Self {
        Self::of(lab.name())
    }

    fn of(lab: &str) -> Self {
        let text = fs::read(registry::directory(lab).join("faults.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    fn save(&self, lab: &Lab) -> Result<(), LabError> {
        let text = serde_json::to_vec(self).map_err(|e| LabError::failed(e.to_string()))?;
        fs::write(registry::directory(lab.name()).join("faults.json"), text)
            .map_err(|e| LabError::io("write what is broken", &e))
    }
}

/// A value of the undo record.
fn kept<'a>(undo: &'a Undo, key: &str) -> Result<&'a str, LabError> {
    undo.get(key)
        .map(String::as_str)
        .ok_or_else(|| LabError::failed(format!("nothing is on record of {key}")))
}

/// Reads a file of a node into the undo record.
fn keep_file(lab: &Lab, node: &str, path: &str, undo: &mut Undo) -> Result<String, LabError> {
    let text = lab.sh(node, &format!("cat {path}"))?;
    undo.insert(path.to_owned(), text.clone());
    Ok(text)
}

/// Puts a file of a node back.
fn put_back(lab: &Lab, node: &str, path: &str, undo: &Undo) -> Result<(), LabError> {
    lab.write(node, path, kept(undo, path)?, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_names_of_their_own_and_nodes_that_are_there() {
        let mut seen = std::collections::BTreeSet::new();
        for fault in all() {
            assert!(seen.insert(fault.name), "{}", fault.name);
            assert!(crate::topology::machine(fault.node).is_some(), "{}", fault.name);
            assert!(fault.code.starts_with("SG-"), "{}", fault.name);
            assert!(!fault.what.ends_with('.'), "{}", fault.name);
        }
    }

    #[test]
    fn an_unknown_fault_is_told_with_the_list() {
        let error = find("no-such").unwrap_err().to_string();
        assert!(error.contains("no-such") && error.contains("proto41-dropped"), "{error}");
    }
}
