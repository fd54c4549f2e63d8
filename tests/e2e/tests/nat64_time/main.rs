//! The translator's time: how long sessions live, what ends them and what does not (RFC 6146, sections 3.5 and 4; RFC 5382), with
//! timeouts of seconds, which only `danger-allow-short` allows.

mod lives;
mod syns;

use sixgate_e2e::nat64::{Setting, run};

const SHORT: &str = "[nat64.timeouts]\ndanger-allow-short = true\nudp = 2\ntcp-established = 3\ntcp-transitory = 2\nicmp = 2\n";

#[test]
fn lives() {
    run(
        "tl",
        &Setting { keys: SHORT, peer: Some("its timeouts are the kernel's"), ..Setting::default() },
        lives::CASES,
    );
}

#[test]
fn a_port_is_free_when_its_last_session_has_ended() {
    let setting = Setting {
        keys: SHORT,
        pool: &["udp/198.51.100.1:3000"],
        peer: Some("its timeouts are the kernel's"),
        ..Setting::default()
    };
    run("tp", &setting, lives::OF_ONE_PORT);
}

#[test]
fn held_syns() {
    let setting = Setting { peer: Some("holds none"), ..Setting::default() };
    run("ts", &setting, syns::CASES);
    run("tf", &Setting { keys: "filtering = \"address-dependent\"\n", ..setting }, syns::FILTERED);
}
