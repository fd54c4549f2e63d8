//! A client, a host and a gateway that cannot start: one line that says what is missing and how to get it, or every fault of the
//! file with its place; nothing is left and nothing was begun.

#![allow(clippy::unwrap_used, reason = "a test ends where its world does not answer")]

use sixgate_e2e::{World, dump};
use sixgate_lab::product::{CLIENT_DEVICE, CLIENT_FILE, GATEWAY_FILE, HOST_DEVICE, HOST_FILE, SERVICE};

/// A daemon, where it runs, and the device that it makes.
struct Daemon {
    node: &'static str,
    command: &'static str,
    file: &'static str,
    device: &'static str,
}

const CLIENT: Daemon =
    Daemon { node: "laptop-01", command: "client run", file: CLIENT_FILE, device: CLIENT_DEVICE };
const HOST: Daemon =
    Daemon { node: "helpdesk-01", command: "host run", file: HOST_FILE, device: HOST_DEVICE };
const GATEWAY: Daemon = Daemon { node: "gateway", command: "run", file: GATEWAY_FILE, device: "isatap0" };

const WITHOUT_TUN: &str = "unshare -m sh -c 'mount -t tmpfs none /dev/net && exec \"$@\"' sh";

impl Daemon {
    /// Stops the one that runs; what its machine is without it.
    fn end(&self, world: &World) -> String {
        assert!(self.has_device(world), "{} made no device before", self.node);
        world.stop(self.node, SERVICE).unwrap();
        assert!(!self.has_device(world));
        dump::of(world, self.node)
    }

    fn has_device(&self, world: &World) -> bool {
        world.run(self.node, &["ip", "link", "show", self.device]).unwrap().ok()
    }

    /// Starts it in the foreground with `prefix` before its command; its exit status and what it said. One that starts after all is
    /// ended after five seconds, with 124.
    fn start(&self, world: &World, prefix: &str, file: &str) -> (i32, Vec<String>) {
        let script = format!("exec timeout 5 {prefix} sixgate {} --config {file}", self.command);
        let done = world.run(self.node, &["sh", "-c", &script]).unwrap();
        assert_eq!(done.stdout, "", "nothing but standard error");
        (done.code, done.stderr.lines().map(str::to_owned).collect())
    }
}

#[test]
fn a_missing_device_or_privilege_is_one_line_that_says_which_and_how_to_get_it() {
    let world = World::up();
    const ADMIN: &str = "setpriv --bounding-set=-net_admin";
    const RAW: &str = "setpriv --bounding-set=-net_raw";
    const PORTS: &str = "setpriv --bounding-set=-net_bind_service";
    for (daemon, cases) in [
        (CLIENT, &[(WITHOUT_TUN, "/dev/net/tun", "modprobe tun"), (ADMIN, "TUN", "CAP_NET_ADMIN")][..]),
        (
            HOST,
            &[
                (WITHOUT_TUN, "/dev/net/tun", "modprobe tun"),
                (ADMIN, "TUN", "CAP_NET_ADMIN"),
                (RAW, "protocol 41", "CAP_NET_RAW"),
            ],
        ),
        (
            GATEWAY,
            &[
                (WITHOUT_TUN, "/dev/net/tun", "modprobe tun"),
                (ADMIN, "Operation not permitted", "CAP_NET_ADMIN"),
                (RAW, "protocol 41", "CAP_NET_RAW"),
                (PORTS, "0.0.0.0:443", "CAP_NET_BIND_SERVICE"),
            ],
        ),
    ] {
        let before = daemon.end(&world);
        for (prefix, what, how) in cases {
            let (code, said) = daemon.start(&world, prefix, daemon.file);
            assert_eq!(code, 1, "{prefix}: {said:#?}");
            let [line] = said.as_slice() else { panic!("{prefix}: not one line: {said:#?}") };
            assert!(line.contains(what) && line.contains(how), "{prefix}: {line}");
            let left = dump::difference(&before, &dump::of(&world, daemon.node));
            assert_eq!(left, Vec::<String>::new(), "{prefix}");
        }
    }
}

#[test]
fn a_client_that_may_not_listen_says_so_and_carries_packets_all_the_same() {
    let world = World::up();
    let before = CLIENT.end(&world);
    let (code, said) = CLIENT.start(&world, "setpriv --bounding-set=-net_bind_service", CLIENT_FILE);
    assert_eq!(code, 124, "{said:#?}");
    let loud: Vec<&String> = said.iter().filter(|line| line.contains("WARN")).collect();
    let [line] = loud.as_slice() else { panic!("not one line: {said:#?}") };
    assert!(line.contains("names are not steered") && line.contains("CAP_NET_BIND_SERVICE"), "{line}");
    assert!(said.iter().any(|line| line.contains("connected")), "{said:#?}");
    assert_eq!(dump::difference(&before, &dump::of(&world, "laptop-01")), Vec::<String>::new());
}

/// A file, and where its faults are, each with a word of what is wrong or allowed there.
type Wrong = (&'static str, &'static [((usize, usize), &'static str)]);

const WRONG_CLIENT: Wrong = (
    r#"schema = 1
[client]
name    = "laptop 01"
gateway = ["http://da.example.com", "https://da.example.com:0"]
ca      = "ca.pem"
cert    = 7
device  = "a-name-that-is-too-long"
transports = ["ip-https", "carrier-pigeon"]
colour  = "red"
"#,
    &[
        ((2, 1), "needs the key `key`"),
        ((3, 11), "allowed: letters, digits"),
        ((4, 12), "allowed: https://NAME"),
        ((4, 37), "allowed: ports 1 to 65535"),
        ((6, 11), "allowed: a string"),
        ((7, 11), "allowed: 1 to 15 characters"),
        ((8, 27), "`carrier-pigeon` is no transport"),
        ((9, 1), "allowed here: name, gateway"),
    ],
);

const WRONG_HOST: Wrong = (
    r#"schema = 1
[host]
interface = "eth0"
device    = "eth0"
routers   = ["isatap", "fd00::1", "10.6.0.256", "10.6.0.1", "10.6.0.1"]
nameserver = ["dns.corp.example"]
colour = "red"
[hosts]
"#,
    &[
        ((4, 13), "take another name"),
        ((5, 14), "label `isatap`"),
        ((5, 24), "allowed: a name or an IPv4 address"),
        ((5, 35), "allowed: a DNS name, or an address"),
        ((5, 61), "listed twice"),
        ((6, 15), "allowed: an endpoint"),
        ((7, 1), "allowed here: interface"),
        ((8, 2), "did you mean `host`?"),
    ],
);

#[test]
fn a_wrong_file_of_a_client_or_host_is_refused_with_every_place_and_nothing_starts() {
    let world = World::up();
    for (daemon, (text, faults)) in [(CLIENT, WRONG_CLIENT), (HOST, WRONG_HOST)] {
        let before = daemon.end(&world);
        world.write(daemon.node, "/tmp/wrong.toml", text, false).unwrap();
        let (code, said) = daemon.start(&world, "", "/tmp/wrong.toml");
        assert_eq!(code, 1, "{said:#?}");
        let all = said.join("\n");
        // Each fault is one paragraph that begins with `error: `.
        let paragraphs: Vec<&str> = all.split("error: ").skip(1).collect();
        assert_eq!(paragraphs.len(), faults.len(), "{all}");
        for (((line, column), word), paragraph) in faults.iter().zip(paragraphs) {
            let place = format!("/tmp/wrong.toml:{line}:{column}\n");
            assert!(paragraph.contains(&place), "no {place} in {paragraph}");
            assert!(paragraph.contains(word), "no {word} in {paragraph}");
        }
        assert!(!daemon.has_device(&world));
        let left = dump::difference(&before, &dump::of(&world, daemon.node));
        assert_eq!(left, Vec::<String>::new());
        // `check` says the same, word for word.
        let checked = world.run(daemon.node, &["sixgate", "check", "/tmp/wrong.toml"]).unwrap();
        assert_eq!(checked.code, 1);
        for paragraph in all.split("error: ").skip(1) {
            assert!(checked.stdout.contains(paragraph.trim_end()), "{}", checked.stdout);
        }
    }
}

#[test]
fn a_file_that_is_not_there_or_names_files_that_are_not_there_is_one_line() {
    let world = World::up();
    let before = CLIENT.end(&world);
    let config = world.sh("laptop-01", &format!("cat {CLIENT_FILE}"));
    let elsewhere = config.replace("ca ", "ca").replace("ca.pem", "/nowhere/ca.pem");
    assert_ne!(elsewhere, config);
    world.write("laptop-01", "/etc/sixgate/other.toml", &elsewhere, false).unwrap();
    for (file, missing) in
        [("/nowhere.toml", "/nowhere.toml"), ("/etc/sixgate/other.toml", "/nowhere/ca.pem")]
    {
        let (code, said) = CLIENT.start(&world, "", file);
        assert_eq!(code, 1, "{said:#?}");
        let [line] = said.as_slice() else { panic!("not one line: {said:#?}") };
        assert!(line.contains(missing), "{line}");
        assert_eq!(dump::difference(&before, &dump::of(&world, "laptop-01")), Vec::<String>::new());
    }
}
