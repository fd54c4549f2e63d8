//! All that a daemon may change on its machine.

use sixgate_lab::Lab;

/// Prints it: links, addresses, routes, rules, nft, sysctls, resolver; without what counts or ages by itself.
const SCRIPT: &str = r#"
echo "== links";     ip -d link
echo "== addresses"; ip address | sed 's/valid_lft [0-9]*sec//; s/preferred_lft [0-9]*sec//'
echo "== routes";    ip route show table all; ip -6 route show table all | sed 's/expires [0-9]*sec//'
echo "== rules";     ip rule; ip -6 rule
echo "== nft";       nft list ruleset
echo "== sysctl";    sysctl -a --pattern '^net\.' 2>/dev/null | sort
echo "== resolver";  ls -l /etc/resolv.conf | sed 's/  */ /g' | cut -d' ' -f1-4; cat /etc/resolv.conf
echo "== processes"; pgrep -l sixgate | grep -v " sh$" | cut -d' ' -f2 | sort
"#;

/// The dump of a node.
///
/// # Panics
/// A program of the dump fails.
#[must_use]
pub fn of(lab: &Lab, node: &str) -> String {
    let dump = lab.sh(node, SCRIPT).expect("the dump's programs are there");
    // A program that says nothing would make every two dumps equal.
    for word in [" mtu ", "inet ", "scope link", "lookup main", "net.ipv4.ip_forward", "nameserver "] {
        assert!(dump.contains(word), "{node}: no `{word}` in {dump}");
    }
    dump
}

/// The lines in which two dumps differ.
#[must_use]
pub fn difference(before: &str, after: &str) -> Vec<String> {
    let gone = before
        .lines()
        .filter(|line| !after.lines().any(|other| other == *line))
        .map(|line| format!("- {line}"));
    let new = after
        .lines()
        .filter(|line| !before.lines().any(|other| other == *line))
        .map(|line| format!("+ {line}"));
    gone.chain(new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_went_and_one_that_came_are_both_named() {
        assert_eq!(difference("a\nb", "b\nc"), ["- a", "+ c"]);
        assert!(difference("a\nb", "a\nb").is_empty());
    }
}
