//! `sixgate token add | list | revoke`

use serde_json::{Value, json};
use sixgate_api::{NewToken, Revoked, TokenList, TokenName, TokenRequest, TokenState, path};
use sixgate_io_control::Method;

use super::{call, show};
use crate::cli::Context;
use crate::exit::{Exit, Trouble};
use crate::print::{Table, ago, until};

/// Enrolment tokens of this gateway
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: sixgate token add laptop-01 --user ana --group staff --ttl 24h")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    Add(Add),
    /// Every token that is remembered, without its secret
    List,
    /// Take back tokens that nobody has used
    Revoke {
        /// A token's id, or a client's name
        name: String,
    },
}

/// Make a token; it is shown only now
#[derive(clap::Args, Debug)]
pub(crate) struct Add {
    /// The client's name
    name: String,
    /// The person it is for
    #[arg(long)]
    user: Option<String>,
    /// A group of the policy; may be given several times
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// How long the token is good: 90s, 30m, 24h, 7d
    #[arg(long, default_value = "24h", value_parser = seconds)]
    ttl: u64,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    match &args.what {
        What::Add(add) => run_add(add, context),
        What::List => show(context, call(context, Method::Get, path::TOKENS, &Value::Null)?, list),
        What::Revoke { name } => revoke(name, context),
    }
}

/// Also `sixgate client add`.
pub(crate) fn run_add(add: &Add, context: &Context) -> Result<Exit, Trouble> {
    let request = TokenRequest {
        name: add.name.clone(),
        user: add.user.clone(),
        groups: add.groups.clone(),
        ttl: add.ttl,
    };
    let answer = call(context, Method::Post, path::TOKENS, &json!(request))?;
    show(context, answer, |new: NewToken| {
        let user = new.user.as_deref().map(|u| format!(" (user {u})")).unwrap_or_default();
        format!(
            "Token for {}{user}, valid once, {}. It is shown only now.\n  sixgate join {} {}\n",
            new.name,
            until(new.expires),
            new.url,
            new.token
        )
    })
}

fn list(list: TokenList) -> String {
    let mut table = Table::new("", &["id", "name", "user", "groups", "made", "expires in", "state"]);
    for token in list.tokens {
        let good = token.state == TokenState::Unused;
        table.row([
            token.id,
            token.name,
            token.user.unwrap_or_else(|| "-".to_owned()),
            if token.groups.is_empty() { "-".to_owned() } else { token.groups.join(",") },
            format!("{} ago", ago(Some(token.created))),
            if good { until(token.expires) } else { "-".to_owned() },
            match token.state {
                TokenState::Unused => "unused",
                TokenState::Used => "used",
                TokenState::Expired => "expired",
                TokenState::Revoked => "revoked",
            }
            .to_owned(),
        ]);
    }
    table.render()
}

fn revoke(name: &str, context: &Context) -> Result<Exit, Trouble> {
    let body = json!(TokenName { name: name.to_owned() });
    let answer = call(context, Method::Post, path::TOKEN_REVOKE, &body)?;
    let none = answer["revoked"] == 0;
    let exit = show(context, answer, |r: Revoked| match r.revoked {
        0 => format!("there is no unused token of that id or client: {name}\n"),
        1 => "1 token revoked\n".to_owned(),
        n => format!("{n} tokens revoked\n"),
    })?;
    Ok(if none { Exit::Failed } else { exit })
}

/// `90s`, `30m`, `24h`, `7d`; a number alone is seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || "allowed: a time like 90s, 30m, 24h or 7d, up to 30d".to_owned();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let value: u64 = digits.parse().map_err(|_| wrong())?;
    value.checked_mul(unit).filter(|s| (1..=30 * 86_400).contains(s)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let good = ["90s", "30m", "24h", "7d", "5"].map(|t| seconds(t).unwrap());
        assert_eq!(good, [90, 1800, 86_400, 604_800, 5]);
        for bad in ["", "0", "h", "-1h", "1.5h", "31d", "99999999999999999999d", "3 weeks"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
