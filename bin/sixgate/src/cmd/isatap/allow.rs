//! `sixgate isatap allow`

use serde_json::{Value, json};
use sixgate_api::{AllowList, AllowRequest, AllowedBy, AllowedKind, Change, Changed, HostsRequest, path};
use sixgate_io_control::Method;

use crate::cli::Context;
use crate::cmd::{call, show};
use crate::exit::{Exit, Trouble};
use crate::print::{Table, ago};

/// Let hosts have ISATAP beside what the file says; at once, and until it is taken back
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  sixgate isatap allow helpdesk-02.corp.example --group helpdesk\n  \
                        sixgate isatap allow --list\n  sixgate isatap allow --forget helpdesk-02.corp.example")]
pub(super) struct Allow {
    /// Names, addresses or prefixes
    #[arg(value_name = "HOST", required_unless_present = "list")]
    hosts: Vec<String>,
    /// Their group for the policy; they get what the file gives to hosts of this group
    #[arg(long, value_name = "GROUP", conflicts_with_all = ["list", "forget"])]
    group: Option<String>,
    /// Leave the hosts to the file again, whether they were allowed or denied
    #[arg(long, conflicts_with = "list")]
    forget: bool,
    /// Who may have ISATAP, by which rule, and who was denied it
    #[arg(long, conflicts_with = "hosts")]
    list: bool,
}

pub(super) fn run(args: &Allow, context: &Context) -> Result<Exit, Trouble> {
    if args.list {
        return show(context, call(context, Method::Get, path::ISATAP_ALLOW, &Value::Null)?, list);
    }
    if args.forget {
        let request = HostsRequest { hosts: args.hosts.clone() };
        return tell(context, call(context, Method::Post, path::ISATAP_FORGET, &json!(request))?);
    }
    let request = AllowRequest { hosts: args.hosts.clone(), group: args.group.clone() };
    tell(context, call(context, Method::Post, path::ISATAP_ALLOW, &json!(request))?)
}

/// Says what a command did. One that found nothing to do is a failure.
pub(super) fn tell(context: &Context, answer: Value) -> Result<Exit, Trouble> {
    let changes = answer["hosts"].as_array().map_or(&[][..], Vec::as_slice);
    let idle = !changes.is_empty() && changes.iter().all(|host| host["change"] == "unknown");
    let exit = show(context, answer, changed)?;
    Ok(if idle { Exit::Failed } else { exit })
}

fn changed(changed: Changed) -> String {
    let mut text = String::new();
    for host in changed.hosts {
        let what = match host.change {
            Change::Allowed => "allowed",
            Change::Denied => "denied",
            Change::Forgotten => "left to the file",
            Change::Unknown => "unchanged",
        };
        let addresses = host.addresses.join(", ");
        let stands_for = if addresses.is_empty() || addresses == host.host {
            String::new()
        } else {
            format!(" ({addresses})")
        };
        text.push_str(&format!("{}{stands_for}: {what}\n", host.host));
        if let Some(remark) = host.remark {
            text.push_str(&format!("  {remark}\n"));
        }
    }
    text
}

fn list(list: AllowList) -> String {
    let mut table = Table::new("", &["host", "by", "group", "prefix", "stands for", "as of"]);
    let mut troubles = String::new();
    for rule in &list.rules {
        table.row([
            rule.host.clone(),
            match (rule.by, rule.line) {
                (AllowedBy::Runtime, _) => "command".to_owned(),
                (AllowedBy::File, Some(line)) => format!("line {line}"),
                (AllowedBy::File, None) => "file".to_owned(),
            },
            rule.group.clone().unwrap_or_else(|| "-".to_owned()),
            rule.prefix.clone(),
            match (rule.kind, rule.addresses.as_slice()) {
                (AllowedKind::Prefix, _) => "-".to_owned(),
                (AllowedKind::Name, []) => "no address".to_owned(),
                (AllowedKind::LdapGroup, all) => format!("{} hosts", all.len()),
                (AllowedKind::Name, all) => all.join(", "),
            },
            rule.as_of.map_or_else(|| "-".to_owned(), |at| format!("{} ago", ago(Some(at)))),
        ]);
        if let Some(trouble) = &rule.trouble {
            troubles.push_str(&format!("{}: {trouble}\n", rule.host));
        }
    }
    let mut text = table.render();
    for denied in &list.denied {
        let addresses = denied.addresses.join(", ");
        let stands_for = if addresses == denied.host { String::new() } else { format!(" ({addresses})") };
        text.push_str(&format!("denied: {}{stands_for}\n", denied.host));
    }
    format!("{text}{troubles}{} allowed, {} denied\n", list.rules.len(), list.denied.len())
}
