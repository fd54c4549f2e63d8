//! What the three daemons have in common: a file that is valid in full, or nothing starts.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use sixgate_config::{Checked, Client, Gateway, Host, Report};

use crate::cli::Context;
use crate::exit::{Exit, Trouble};
use crate::record::Record;
use crate::{file, logging};

/// A file of a daemon.
pub(crate) trait Daemon {
    /// `gateway`, `client` or `host`.
    const ROLE: &'static str;
    /// Where its control socket is to be.
    fn control(&mut self) -> &mut PathBuf;
    /// Where it keeps its state.
    fn state(&self) -> &Path;
}

impl Daemon for Gateway {
    const ROLE: &'static str = "gateway";

    fn control(&mut self) -> &mut PathBuf {
        &mut self.control
    }

    fn state(&self) -> &Path {
        &self.state
    }
}

impl Daemon for Client {
    const ROLE: &'static str = "client";

    fn control(&mut self) -> &mut PathBuf {
        &mut self.control
    }

    fn state(&self) -> &Path {
        &self.state
    }
}

impl Daemon for Host {
    const ROLE: &'static str = "host";

    fn control(&mut self) -> &mut PathBuf {
        &mut self.control
    }

    fn state(&self) -> &Path {
        &self.state
    }
}

/// Runs a daemon in the foreground, until a signal ends it.
pub(crate) fn run<T: Daemon, E: Display>(
    path: &Path,
    context: &Context,
    read: impl FnOnce(&Path, &str) -> Result<Checked<T>, Report>,
    serve: impl FnOnce(&Path, T) -> Result<(), E>,
) -> Result<Exit, Trouble> {
    logging::start();
    let mut config = match file::checked(path, &context.out, read)? {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    // Said on the command line, it wins over the file.
    if context.socket_given {
        config.control().clone_from(&context.socket);
    }
    let socket = config.control().clone();
    let record = Record::begin(T::ROLE, path, config.state(), &socket);
    let ended = serve(path, config).map_err(|e| e.to_string());
    if let Some(record) = record {
        record.end(ended.as_ref().err().map(String::as_str));
    }
    ended.map_err(|line| Trouble::failed("daemon", line))?;
    Ok(Exit::Good)
}
