//! The block list: names that a machine looks up by itself do not exist, whatever the organisation's servers say.

use std::time::Duration;

use sixgate_e2e::plain::{Daemon, Row, wait};

/// Servers of everything, where every name exists that must not be answered.
const ROOT: &str = "$TTL 300\n. SOA ns. root. 1 3600 600 86400 60\n. NS ns.\nns. A 10.6.0.53\nisatap. A 10.6.0.1\n\
                    wpad. A 10.6.0.1\nisatap.corp.example. A 10.6.0.1\nwpad.sub.corp.example. A 10.6.0.1\n\
                    da-isatap.corp.example. A 10.6.0.1\nisatap.other.example. A 10.6.0.1\nwpad.other.example. A 10.6.0.1\n";

const GATEWAY: &str = "[gateway]\npublic = \"da.example.com\"\ninside = \"m1\"\nprefix = \"fd6a:7e00:cafe::/48\"\n\
                       [transports.ip-https]\nlisten = [\"127.0.0.1:4443\"]\n[names]\nroute = [\"corp.example\"]\n\
                       [dns]\nupstream = [\"127.0.0.1:5301\"]\n";

struct World {
    row: Row,
    daemon: Daemon,
}

impl World {
    fn new() -> Self {
        let mut row = Row::new("b");
        row.ip("middle", "addr add 10.6.0.1/24 dev m1");
        let folder = row.folder().display().to_string();
        std::fs::write(format!("{folder}/root"), ROOT).expect("a zone can be written");
        let named = format!(
            "options {{ directory \"{folder}\"; pid-file none; session-keyfile none; recursion no; \
             listen-on port 5301 {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; }};\ncontrols {{ }};\n\
             zone \".\" {{ type primary; file \"{folder}/root\"; }};\n"
        );
        std::fs::write(format!("{folder}/named.conf"), named).expect("a file can be written");
        row.start("middle", &format!("named -g -c {folder}/named.conf"));
        let file = row.file("gateway", GATEWAY);
        let daemon = row.daemon("middle", &["run"], &file);
        let world = Self { row, daemon };
        let up =
            wait(Duration::from_secs(10), || world.says("da-isatap.corp.example", "A").contains("NOERROR"));
        assert!(up, "{}", world.says("da-isatap.corp.example", "A"));
        world
    }

    fn says(&self, name: &str, kind: &str) -> String {
        let command = format!(
            "dig +noall +comments +answer +authority +tries=1 +time=3 @fd6a:7e00:cafe:3333::1 {name} {kind}"
        );
        self.row.sh("middle", &command).text
    }

    fn exists(&self, name: &str) {
        let said = self.says(name, "A");
        assert!(said.contains("status: NOERROR") && said.contains("10.6.0.1"), "{name}: {said}");
    }

    fn is_blocked(&self, name: &str, kind: &str) {
        let said = self.says(name, kind);
        assert!(said.contains("status: NXDOMAIN") && said.contains("ANSWER: 0"), "{name}: {said}");
    }

    fn blocked(&self) -> Option<u64> {
        self.daemon.ask(&["counters"])["counters"]["dns-blocked"].as_u64()
    }

    fn with(&self, line: &str) {
        let _ = self.row.file("gateway", &format!("{GATEWAY}{line}\n"));
        self.daemon.reload();
    }
}

#[test]
fn names_that_machines_look_up_by_themselves_do_not_exist() {
    let world = World::new();
    let before = ["isatap", "wpad", "isatap.corp.example", "ISATAP.Corp.Example", "wpad.sub.corp.example"];
    for name in before {
        world.is_blocked(name, "A");
    }
    world.is_blocked("isatap.corp.example", "A +tcp");
    world.is_blocked("isatap.corp.example", "AAAA");
    for name in ["da-isatap.corp.example", "isatap.other.example", "wpad.other.example"] {
        world.exists(name);
    }
    assert_eq!(world.blocked(), Some(7));

    // Switched off while it runs: what the organisation says is passed on.
    world.with("block = false");
    for name in before {
        world.exists(name);
    }
    assert_eq!(world.blocked(), Some(7));

    // Other zones, fewer labels; the bare label stays blocked.
    world.with("block = { zones = [\"other.example\"], labels = [\"isatap\"] }");
    world.is_blocked("isatap.other.example", "A");
    world.is_blocked("isatap", "A");
    for name in ["isatap.corp.example", "wpad.other.example", "wpad"] {
        world.exists(name);
    }
    assert_eq!(world.blocked(), Some(9));
    assert!(world.daemon.stop());
}
