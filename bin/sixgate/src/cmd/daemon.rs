//! What the three daemons have in common: a file that is valid in full, or nothing starts.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use sixgate_config::{Checked, Client, Gateway, Host, Report};

use crate::cli::Context;
use crate::exit::{Exit, Trouble};
use crate::{file, logging};

/// A file of a daemon.
pub(crate) trait Daemon {
    /// Where its control socket is to be.
    fn control(&mut self) -> &mut PathBuf;
}

impl Daemon for Gateway {
    fn control(&mut self) -> &mut PathBuf {
        &mut self.control
    }
}

impl Daemon for Client {
    fn control(&mut self) -> &mut PathBuf {
        &mut self.control
    }
}

impl Daemon for Host {
    fn control(&mut self) -> &mut PathBuf {
        &mut self.control
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
    serve(path, config).map_err(|e| Trouble::failed("daemon", e.to_string()))?;
    Ok(Exit::Good)
}
