//! `sixgate lab` without the rest of sixgate, for work on the lab itself: `cargo run -p sixgate-lab --example lab -- up`.
//! SIXGATE_BIN names the binary that the nodes run; without it the lab has its network and servers only.

use std::ffi::OsString;
use std::process::ExitCode;

use sixgate_lab::{LabError, Options};

fn main() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if args.first().is_some_and(|arg| arg == "lab") {
        args.remove(0);
    }
    if args.first().is_some_and(|arg| arg == "internal") {
        return code(sixgate_lab::internal(&args[1..]));
    }
    match run(&args) {
        Ok(status) => code(status),
        Err(error) => {
            let _ = std::io::Write::write_all(
                &mut std::io::stderr(),
                format!("sixgate lab: {error}\n").as_bytes(),
            );
            code(error.exit())
        }
    }
}

fn run(args: &[OsString]) -> Result<i32, LabError> {
    let name = std::env::var("SIXGATE_LAB").unwrap_or_else(|_| "lab".to_owned());
    let mut options = Options::new(&name)?;
    match std::env::var_os("SIXGATE_BIN") {
        Some(exe) => options.exe = exe.into(),
        None => options.bare = true,
    }
    let out = &mut std::io::stdout();
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    match words.as_slice() {
        [] => sixgate_lab::whole(&options, out).map(|good| i32::from(!good)),
        ["up"] => sixgate_lab::up(&options, out).map(|()| 0),
        ["demo"] => sixgate_lab::demo(&options, out).map(|good| i32::from(!good)),
        ["status"] => sixgate_lab::status(&options, out).map(|()| 0),
        ["down"] => sixgate_lab::down(&options, out).map(|()| 0),
        ["shell", node] => sixgate_lab::shell(&options, node),
        ["exec", node, "--", ..] => sixgate_lab::exec(&options, node, &args[3..]),
        _ => Err(LabError::usage("up | status | shell NODE | exec NODE -- CMD | demo | down")),
    }
}

fn code(status: i32) -> ExitCode {
    ExitCode::from(u8::try_from(status).unwrap_or(1))
}
