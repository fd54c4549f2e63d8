//! `docs/nat64.md`, word by word: its file, its commands, and what they are said to say.
//!
//! ```text
//!  client ::8 ---- ::1 gateway .2 ---- .1 and .53 outside, 198.51.100.80
//! ```

use std::time::Duration;

use sixgate_e2e::plain::{Row, wait};
use sixgate_e2e::world::binary;

const PAGE: &str = include_str!("../../../../docs/nat64.md");

/// The blocks of one kind.
fn blocks(kind: &str) -> Vec<&'static str> {
    let open = format!("```{kind}\n");
    PAGE.split(open.as_str())
        .skip(1)
        .filter_map(|rest| rest.split_once("```").map(|(block, _)| block))
        .collect()
}

fn network() -> Row {
    let mut row = Row::new("km");
    for (device, name) in [("m0", "eth1"), ("m1", "eth0")] {
        row.ip("middle", &format!("link set {device} down"));
        row.ip("middle", &format!("link set {device} name {name}"));
        row.ip("middle", &format!("link set {name} up"));
    }
    row.ip("left", "addr add 2001:db8:1::8/64 dev l0 nodad");
    row.ip("left", "-6 route add default via 2001:db8:1::1");
    row.ip("middle", "addr add 2001:db8:1::1/64 dev eth1 nodad");
    row.ip("middle", "addr add 203.0.113.2/24 dev eth0");
    row.ip("middle", "route add default via 203.0.113.1");
    for address in ["203.0.113.1/24", "203.0.113.53/24", "198.51.100.80/32"] {
        row.ip("right", &format!("addr add {address} dev r0"));
    }
    let folder = row.folder().display().to_string();
    let zone =
        "$TTL 300\n@ SOA ns root 1 3600 600 86400 60\n@ NS ns\nns A 203.0.113.53\nwww A 198.51.100.80\n";
    std::fs::write(format!("{folder}/zone"), zone).expect("a file can be written");
    let named = format!(
        "options {{ directory \"{folder}\"; pid-file none; session-keyfile none; listen-on {{ 203.0.113.53; }}; \
         listen-on-v6 {{ none; }}; recursion no; }};\ncontrols {{ }};\n\
         zone \"example.com\" {{ type primary; file \"{folder}/zone\"; }};\n"
    );
    std::fs::write(format!("{folder}/named.conf"), named).expect("a file can be written");
    row.start("right", &format!("named -g -c {folder}/named.conf"));
    row.start("right", "socat -u SYSTEM:'echo hello' TCP4-LISTEN:80,reuseaddr,fork");
    let serve =
        || row.sh("right", "dig +short @203.0.113.53 www.example.com A").text.contains("198.51.100.80");
    assert!(wait(Duration::from_secs(10), serve), "the name server outside answers");
    row
}

#[test]
fn the_page_for_administrators_is_true_word_by_word() {
    let mut row = network();
    let file = blocks("toml")[0].strip_prefix("schema = 1\n").expect("the version comes first");
    let file = row.file("nat64", file);
    let mut daemon = None;
    let mut tried = 0;
    for block in blocks("console") {
        let mut lines = block.lines().peekable();
        while let Some(line) = lines.next() {
            let mut says = Vec::new();
            while let Some(next) = lines.next_if(|next| !next.contains("# ") && !next.contains("$ ")) {
                says.push(next);
            }
            tried += 1;
            let (machine, command) = match (line.strip_prefix("gateway# "), line.strip_prefix("client$ ")) {
                (Some(command), _) => ("middle", command),
                (_, Some(command)) => ("left", command),
                (None, None) => panic!("whose command is this? {line}"),
            };
            let text = if command.starts_with("sixgate run") {
                daemon = Some(row.daemon("middle", &["run"], &file));
                std::fs::read_to_string(file.with_extension("log")).expect("it has a log")
            } else {
                let ours = binary().display().to_string();
                let socket = format!("--socket {}", file.with_extension("sock").display());
                let command = match command.strip_prefix("sixgate ") {
                    Some(rest) if rest.starts_with("check ") => format!("{ours} check {}", file.display()),
                    Some(rest) => format!("{ours} {rest} {socket}"),
                    None => command.to_owned(),
                };
                let said = row.sh(machine, &command);
                assert!(said.good, "{command}: {}", said.text);
                said.text
            };
            for expected in says {
                assert!(text.contains(expected), "{line} says {text:?}, and not {expected:?}");
            }
        }
    }
    assert!(tried >= 12, "{tried} commands were tried");
    assert!(daemon.expect("the page starts it").stop());
}
