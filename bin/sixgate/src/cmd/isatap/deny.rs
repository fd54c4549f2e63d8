//! `sixgate isatap deny`

use serde_json::json;
use sixgate_api::{HostsRequest, path};
use sixgate_io_control::Method;

use super::allow::tell;
use crate::cli::Context;
use crate::cmd::call;
use crate::exit::{Exit, Trouble};

/// Take ISATAP from hosts at once, whatever the file says; `allow` ends that
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: sixgate isatap deny 10.6.8.77")]
pub(super) struct Deny {
    /// Names, addresses or prefixes
    #[arg(value_name = "HOST", required = true)]
    hosts: Vec<String>,
}

pub(super) fn run(args: &Deny, context: &Context) -> Result<Exit, Trouble> {
    let request = HostsRequest { hosts: args.hosts.clone() };
    tell(context, call(context, Method::Post, path::ISATAP_DENY, &json!(request))?)
}
