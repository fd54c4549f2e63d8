//! `sixgate`: one binary for gateway, client, host, laboratory and the commands that ask them.

mod cli;
mod cmd;
mod exit;
mod file;
mod logging;
mod print;
mod record;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main().into()
}
