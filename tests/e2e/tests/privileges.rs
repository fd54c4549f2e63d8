//! What the daemons can still do once they run: as little as their work needs, although the lab starts them as root.

use sixgate_e2e::World;

/// CAP_CHOWN, DAC_OVERRIDE, FOWNER, NET_BIND_SERVICE, NET_ADMIN, NET_RAW (linux/capability.h).
const NEEDED: u64 = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 10 | 1 << 12 | 1 << 13;

/// The permitted set of each thread of the daemon in `node`, with the thread's name.
fn threads(world: &World, node: &str) -> Vec<(String, u64)> {
    let script = "for pid in $(pgrep -x sixgate); do\n\
                  tr '\\0' ' ' </proc/$pid/cmdline | grep -q ' run --config' || continue\n\
                  for task in /proc/$pid/task/*; do\n\
                  echo $(cat $task/comm) $(awk '/^CapPrm|^NoNewPrivs/ {print $2}' $task/status)\n\
                  done; done";
    let said = world.sh(node, script);
    said.lines()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(words.get(2), Some(&"1"), "no new privileges: {line}");
            (words[0].to_owned(), u64::from_str_radix(words[1], 16).expect("a set"))
        })
        .collect()
}

#[test]
fn no_daemon_keeps_what_it_does_not_need_and_no_packet_thread_keeps_anything() {
    let world = World::up();
    for node in ["gateway", "laptop-01", "helpdesk-01"] {
        let threads = threads(&world, node);
        assert!(threads.len() > 1, "{node}: {threads:?}");
        for (name, held) in &threads {
            assert_eq!(held & !NEEDED, 0, "{node}: {name} holds {held:x}");
            // The host's packet thread sets routes as well.
            if name.starts_with("worker") && node != "helpdesk-01" {
                assert_eq!(*held, 0, "{node}: {name} holds {held:x}");
            }
        }
        assert!(threads.iter().any(|(name, _)| name.starts_with("worker")), "{node}: {threads:?}");
    }
    world.is_quiet();
}
