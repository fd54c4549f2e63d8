//! `sixgate lab` alone, and `sixgate lab demo`.

use std::io::Write;

use super::{down, up};
use crate::demo::run;
use crate::error::LabError;
use crate::handle::Lab;
use crate::{Options, signals};

pub(crate) fn demo(options: &Options, out: &mut dyn Write) -> Result<bool, LabError> {
    let lab = Lab::open(&options.name)?;
    let name = options.name.clone();
    // A demo that is cut off leaves cables pulled and daemons stopped: such a lab is of no use.
    signals::on_interrupt(move |signal| down::end_of_process(&name, signal));
    let good = run(&lab, options.json, out);
    signals::wait_for_the_end();
    Ok(good)
}

pub(crate) fn whole(options: &Options, out: &mut dyn Write) -> Result<bool, LabError> {
    let built = up::build(options, out)?;
    let good = run(&Lab::open(&options.name)?, options.json, out);
    // The steps fail when the lab goes from under them: what ends this process is the interrupt, not that.
    signals::wait_for_the_end();
    built.keep()?;
    if !options.json {
        up::print(out, &hints(&options.name));
    }
    Ok(good)
}

fn hints(lab: &str) -> String {
    let name = if lab == "lab" { String::new() } else { format!(" --name {lab}") };
    format!(
        "\nThe lab is running. Try:\n\
         \x20 sixgate lab{name} shell laptop-01                        a shell on that machine\n\
         \x20 sixgate lab{name} exec gateway -- sixgate who            who is connected\n\
         \x20 sixgate lab{name} exec gateway -- sixgate isatap hosts   which intranet hosts can reach them\n\
         \x20 sixgate lab{name} break                                  faults to break it with; then `doctor`, `fix`
         \x20 sixgate lab{name} down                                   remove everything\n"
    )
}
