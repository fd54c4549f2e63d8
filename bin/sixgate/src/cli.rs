//! The command line: parsing and dispatch, nothing else.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use sixgate_config::header::DEFAULT_CONTROL;

use crate::cmd;
use crate::exit::{Exit, Trouble};
use crate::print::Out;

/// Shown for `sixgate --help`; a test holds it against the commands and runs its examples through the parser.
pub(crate) const HELP: &str = "\
sixgate: IPv6 remote access into an IPv4 intranet, both ways

Usage: sixgate COMMAND ... [--json] [--socket PATH]

  run       the gateway              sixgate run --config sixgate.toml
  client    roaming client           sixgate client run --config client.toml
  join      enrol this machine       sixgate join https://da.example.com TOKEN
  host      ISATAP host              sixgate host run --config host.toml
  check     every error of a file    sixgate check sixgate.toml
  token     enrolment tokens         sixgate token add laptop-01
  status    how this daemon is       sixgate status
  who       which clients are here   sixgate who
  counters  drops by reason          sixgate counters
  trace     where it would go       sixgate trace helpdesk-01 laptop-01 tcp/22
  doctor    what is broken, and why  sixgate doctor
  explain   what a code means        sixgate explain SG-ISATAP-003
  capture   packets with verdicts   sixgate capture --seconds 5 -o out.pcapng
  isatap    ISATAP hosts; become one sixgate isatap join da-isatap.corp.example
  nat64     sessions, bindings       sixgate nat64 sessions
  dns64     how a name is answered  sixgate dns64 explain files.corp.example
  nrpt      names into the tunnel    sixgate nrpt test files.corp.example
  lab       the world in namespaces  sixgate lab

`sixgate COMMAND --help` says more. Exit: 0 good, 1 failed, 2 usage, 3 no daemon
";

/// The whole command line.
#[derive(Parser, Debug)]
#[command(name = "sixgate", version, override_help = HELP, color = clap::ColorChoice::Never)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// One JSON document instead of text
    #[arg(long, global = true)]
    json: bool,
    /// The daemon's control socket [default: /run/sixgate/control.sock]
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Run(cmd::run::Args),
    Host(cmd::host::Args),
    Join(cmd::join::Args),
    Check(cmd::check::Args),
    Client(cmd::client::Args),
    Token(cmd::token::Args),
    Status(cmd::status::Args),
    Who(cmd::who::Args),
    Counters(cmd::counters::Args),
    Trace(cmd::trace::Args),
    Doctor(cmd::doctor::Args),
    Capture(cmd::capture::Args),
    Explain(cmd::explain::Args),
    Isatap(cmd::isatap::Args),
    Nat64(cmd::nat64::Args),
    Dns64(cmd::dns64::Args),
    Nrpt(cmd::nrpt::Args),
    Lab(cmd::lab::Args),
}

/// What every command gets beside its own arguments.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) out: Out,
    pub(crate) socket: PathBuf,
    /// The command line named it.
    pub(crate) socket_given: bool,
}

pub(crate) fn main() -> Exit {
    let parsed = Cli::command().try_get_matches().and_then(|m| Cli::from_arg_matches(&m));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    let context = Context {
        out: Out { json: cli.json },
        socket_given: cli.socket.is_some(),
        socket: cli.socket.unwrap_or_else(|| PathBuf::from(DEFAULT_CONTROL)),
    };
    dispatch(cli.command, &context).unwrap_or_else(|trouble| trouble.report(&context.out))
}

fn dispatch(command: Command, context: &Context) -> Result<Exit, Trouble> {
    match command {
        Command::Run(args) => cmd::run::run(&args, context),
        Command::Host(args) => cmd::host::run(&args, context),
        Command::Join(args) => cmd::join::run(&args, context),
        Command::Check(args) => cmd::check::run(&args, context),
        Command::Client(args) => cmd::client::run(&args, context),
        Command::Token(args) => cmd::token::run(&args, context),
        Command::Status(args) => cmd::status::run(&args, context),
        Command::Who(args) => cmd::who::run(&args, context),
        Command::Counters(args) => cmd::counters::run(&args, context),
        Command::Trace(args) => cmd::trace::run(&args, context),
        Command::Doctor(args) => cmd::doctor::run(&args, context),
        Command::Capture(args) => cmd::capture::run(&args, context),
        Command::Explain(args) => cmd::explain::run(&args, context),
        Command::Isatap(args) => cmd::isatap::run(&args, context),
        Command::Nat64(args) => cmd::nat64::run(&args, context),
        Command::Dns64(args) => cmd::dns64::run(&args, context),
        Command::Nrpt(args) => cmd::nrpt::run(&args, context),
        Command::Lab(args) => cmd::lab::run(args, context),
    }
}

/// Help and version are answers; everything else that clap says is a misuse.
fn misused(error: &clap::Error) -> Exit {
    let json = std::env::args_os().skip(1).take_while(|a| a != "--").any(|a| a == "--json");
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        Out { json: false }.text(&error.to_string());
        return Exit::Good;
    }
    if json && error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Trouble::usage("a subcommand is missing; --help names them").report(&Out { json: true });
    }
    if json {
        // The paragraph that says what is wrong; usage and hints follow after an empty line.
        let text = error.to_string();
        let line = text.lines().take_while(|l| !l.is_empty()).map(str::trim).collect::<Vec<_>>().join(" ");
        return Trouble::usage(line.strip_prefix("error: ").unwrap_or(&line)).report(&Out { json: true });
    }
    crate::print::complain(error.to_string().trim_end());
    Exit::Usage
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_fits_on_a_screen_and_its_examples_are_real() {
        assert!(HELP.lines().count() <= 24);
        assert!(HELP.lines().all(|l| l.chars().count() <= 80));
        let listed: Vec<&str> = HELP.lines().filter_map(|l| l.strip_prefix("  ")).collect();
        let examples: Vec<&str> = listed.iter().filter_map(|l| Some(&l[l.find("sixgate ")?..])).collect();
        assert_eq!(listed.len(), examples.len());
        for example in &examples {
            let words = example.split_whitespace();
            assert!(Cli::try_parse_from(words).is_ok(), "{example}");
        }
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            assert!(
                listed.iter().any(|l| l.split_whitespace().next() == Some(name)),
                "{name} is not in the help"
            );
        }
        assert_eq!(listed.len(), Cli::command().get_subcommands().count());
    }
}
