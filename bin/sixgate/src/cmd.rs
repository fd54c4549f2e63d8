//! The subcommands, one file each: help, arguments, call, printer.

pub(crate) mod capture;
pub(crate) mod check;
pub(crate) mod client;
pub(crate) mod counters;
pub(crate) mod daemon;
pub(crate) mod dns64;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod host;
pub(crate) mod isatap;
pub(crate) mod join;
pub(crate) mod lab;
pub(crate) mod nat64;
pub(crate) mod nrpt;
pub(crate) mod run;
pub(crate) mod service;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod trace;
pub(crate) mod who;

use serde::de::DeserializeOwned;
use serde_json::Value;
use sixgate_api::Document;
use sixgate_io_control::Method;

use crate::cli::Context;
use crate::exit::{Exit, Trouble};

/// Calls the daemon.
pub(crate) fn call(context: &Context, method: Method, path: &str, body: &Value) -> Result<Value, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Trouble::failed("system", format!("no runtime: {e}")))?;
    Ok(runtime.block_on(sixgate_io_control::call(&context.socket, method, path, body))?)
}

/// Prints an answer: the daemon's own document, or the text that `print` makes of it.
pub(crate) fn show<T: DeserializeOwned>(
    context: &Context,
    answer: Value,
    print: impl FnOnce(T) -> String,
) -> Result<Exit, Trouble> {
    if context.out.json {
        context.out.document(&answer);
    } else {
        context.out.text(&print(understood(answer)?));
    }
    Ok(Exit::Good)
}

/// The same where the answer decides how the command ends.
pub(crate) fn show_and_judge<T: DeserializeOwned>(
    context: &Context,
    answer: Value,
    print: impl FnOnce(&T) -> String,
    judge: impl FnOnce(&T) -> Exit,
) -> Result<Exit, Trouble> {
    let body = understood(answer.clone())?;
    if context.out.json {
        context.out.document(&answer);
    } else {
        context.out.text(&print(&body));
    }
    Ok(judge(&body))
}

/// What the daemon's document says.
pub(crate) fn understood<T: DeserializeOwned>(answer: Value) -> Result<T, Trouble> {
    let document: Document<T> = serde_json::from_value(answer).map_err(|e| {
        Trouble::failed(
            "answer",
            format!("the daemon's answer is not understood ({e}); is it of another version?"),
        )
    })?;
    Ok(document.body)
}
