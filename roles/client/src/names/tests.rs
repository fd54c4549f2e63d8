//! The stub between two servers, one "in the tunnel" and one of the local network, asked by dig.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use domain::base::iana::Rcode;
use domain::base::{Message, MessageBuilder};
use sixgate_io_dns::server::{Handler, Options, Request, Server};
use sixgate_io_host::Journal;
use sixgate_reason::{DNS_TUNNEL_DOWN, Reason};
use sixgate_roaming::steer::{Mode, Steering};
use sixgate_wire::addr::{Ipv6Prefix, Prefix64};
use sixgate_wire::lease::{Lease, LeasedRoute, Preference};

use super::{Names, NamesConfig, reverse_zone};

/// Answers every A question with one address, and remembers the names.
struct Fake {
    address: [u8; 4],
    many: usize,
    asked: Mutex<Vec<String>>,
}

impl Handler for Fake {
    async fn handle(&self, request: Request) -> Option<Vec<u8>> {
        let message = Message::from_slice(&request.message).ok()?;
        let name = message.sole_question().ok()?.qname().to_string();
        self.asked.lock().ok()?.push(name);
        let mut builder = MessageBuilder::new_vec().start_answer(message, Rcode::NOERROR).ok()?;
        for _ in 0..self.many {
            let question = message.sole_question().ok()?;
            builder.push((question.qname(), 60, domain::rdata::A::new(self.address.into()))).ok()?;
        }
        Some(builder.finish())
    }

    fn refused(&self, _: std::net::IpAddr, _: Reason) {}
}

struct World {
    tunnel: Arc<Fake>,
    local: Arc<Fake>,
    _servers: [Server; 2],
    names: Names,
    journal: Journal,
    directory: PathBuf,
    listen: SocketAddr,
}

impl World {
    fn new(original: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("sixgate-client-names-{}-{n}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let fake = |address, many| Arc::new(Fake { address, many, asked: Mutex::default() });
        let (tunnel, local) = (fake([10, 6, 0, 80], 1), fake([192, 0, 2, 1], 60));
        let serve = |fake: &Arc<Fake>| {
            Server::start(&["127.0.0.1:0".parse().unwrap()], Options::default(), fake.clone()).unwrap()
        };
        let servers = [serve(&tunnel), serve(&local)];
        let file = directory.join("resolv.conf");
        fs::write(&file, original).unwrap();
        let listen = SocketAddr::from(([127, 6, 4, 1], free_port()));
        let names = Names::new(NamesConfig { listen, file, exempt: vec!["da.corp.example".into()] });
        let (journal, _) = Journal::open(&directory.join("journal")).unwrap();
        Self { tunnel, local, _servers: servers, names, journal, directory, listen }
    }

    fn lease() -> Lease {
        Lease {
            suffixes: vec!["corp.example".into()],
            name_servers: vec!["fd6a:7e00:cafe:3333::1".parse().unwrap()],
            ..Lease::default()
        }
    }

    /// The lease's servers have port 53 of an address in the tunnel: the fakes stand in for them.
    fn use_fakes(&self) {
        let mut steering = Steering::new([".corp.example"], ["da.corp.example"], ["corp.example"]).unwrap();
        steering.set_mode(Mode::Tunnel);
        self.names.stub.set_tunnel(steering, self._servers[0].addresses());
        self.names.stub.set_local(self._servers[1].addresses().to_vec());
    }

    fn file(&self) -> String {
        fs::read_to_string(self.directory.join("resolv.conf")).unwrap()
    }

    async fn dig(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("dig");
        command.arg(format!("@{}", self.listen.ip())).args(["-p", &self.listen.port().to_string()]);
        command.args(arguments);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
        String::from_utf8(output.expect("dig (bind9-dnsutils) is not installed").stdout).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.directory);
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.6.4.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn names_go_where_they_belong_and_never_elsewhere() {
    let mut world = World::new("nameserver 192.0.2.53\n");
    world.names.set_lease(&World::lease(), &mut world.journal).unwrap();
    world.use_fakes();
    assert_eq!(world.dig(&["files.corp.example", "+short"]).await, "10.6.0.80\n");
    assert!(world.dig(&["www.example.org", "+short"]).await.contains("192.0.2.1\n"));
    assert!(world.dig(&["da.corp.example", "+short"]).await.contains("192.0.2.1\n"));
    let bare = world.dig(&["files", "+nosearch"]).await;
    assert!(bare.contains("status: NXDOMAIN"), "{bare}");

    world.names.set_tunnel(false);
    let begin = std::time::Instant::now();
    let down = world.dig(&["files.corp.example"]).await;
    assert!(begin.elapsed() < std::time::Duration::from_secs(1));
    assert!(down.contains("status: SERVFAIL") && down.contains("EDE: 22"), "{down}");
    assert_eq!(world.names.counters().of(DNS_TUNNEL_DOWN), 1);
    assert!(world.dig(&["www.example.org", "+short"]).await.contains("192.0.2.1\n"));

    let local = world.local.asked.lock().unwrap().clone();
    assert!(local.iter().all(|name| *name == "www.example.org" || *name == "da.corp.example"), "{local:?}");
    assert_eq!(*world.tunnel.asked.lock().unwrap(), ["files.corp.example"]);
}

#[tokio::test]
async fn what_does_not_fit_over_udp_comes_over_tcp() {
    let mut world = World::new("");
    world.names.set_lease(&World::lease(), &mut world.journal).unwrap();
    world.use_fakes();
    let cut = world.dig(&["www.example.org", "+ignore", "+noedns"]).await;
    assert!(cut.contains(" tc ") && cut.contains("ANSWER: 0"), "{cut}");
    assert_eq!(world.dig(&["www.example.org", "+short", "+noedns"]).await.lines().count(), 60);
}

#[tokio::test]
async fn the_resolver_file_is_replaced_with_the_first_lease_and_put_back() {
    let original = "nameserver 192.168.77.1\nsearch home.example\noptions timeout:1\n";
    let mut world = World::new(original);
    assert_eq!(world.file(), original);
    assert_eq!(world.names.local_servers(), ["192.168.77.1:53".parse().unwrap()]);
    world.names.set_lease(&World::lease(), &mut world.journal).unwrap();
    let ours = world.file();
    assert!(
        ours.contains("nameserver 127.6.4.1\nsearch corp.example home.example\noptions timeout:1\n"),
        "{ours}"
    );
    world.names.set_lease(&World::lease(), &mut world.journal).unwrap();
    assert_eq!(world.file(), ours);

    // Another network's DHCP client writes its own.
    fs::write(world.directory.join("resolv.conf"), "nameserver 198.51.100.1\n").unwrap();
    assert!(world.names.refresh(&mut world.journal).unwrap());
    assert_eq!(world.names.local_servers(), ["198.51.100.1:53".parse().unwrap()]);
    assert!(world.file().contains("nameserver 127.6.4.1\nsearch corp.example\n"));
    assert!(!world.names.refresh(&mut world.journal).unwrap());

    world.names.stop(&mut world.journal);
    assert_eq!(world.file(), "nameserver 198.51.100.1\n");
}

#[tokio::test]
async fn stopping_restores_what_stood_there() {
    let original = "nameserver 192.168.77.1\n";
    let mut world = World::new(original);
    let mut lease = World::lease();
    world.names.set_lease(&lease, &mut world.journal).unwrap();
    lease.suffixes.push("second.example".into());
    world.names.set_lease(&lease, &mut world.journal).unwrap();
    assert!(world.file().contains("search corp.example second.example\n"));
    assert!(world.names.stop(&mut world.journal).is_empty());
    assert_eq!(world.file(), original);
}

#[tokio::test]
async fn nrpt_shows_and_tests_the_rules() {
    let mut world = World::new("nameserver 192.168.77.1\n");
    assert!(!world.names.nrpt().active);
    // The translator's prefix comes twice: as a route and by itself.
    let prefix: Ipv6Prefix = "64:ff9b::/96".parse().unwrap();
    let route = LeasedRoute { prefix, preference: Preference::Medium, lifetime: 60 };
    let lease = Lease { routes: vec![route], prefix64: Prefix64::new(prefix), ..World::lease() };
    world.names.set_lease(&lease, &mut world.journal).unwrap();
    let nrpt = world.names.nrpt();
    let suffixes = nrpt.rules.iter().map(|rule| rule.suffix.as_str()).collect::<Vec<_>>();
    assert!(nrpt.active);
    let reverse = ["0.".repeat(16).as_str(), "b.9.f.f.4.6.0.0.ip6.arpa"].concat();
    assert_eq!(suffixes, ["corp.example", reverse.as_str(), "da.corp.example"]);
    let tested = world.names.test("x.corp.example");
    assert_eq!((tested.route, tested.rule.as_deref()), (sixgate_api::Route::Tunnel, Some("corp.example")));
    assert_eq!(world.names.test("x.example.org").rule, None);
}

#[test]
fn reverse_names_of_prefixes_are_rules() {
    let zone = |text: &str| reverse_zone(text.parse().unwrap());
    assert_eq!(zone("fd6a:7e00:cafe::/48").as_deref(), Some(".e.f.a.c.0.0.e.7.a.6.d.f.ip6.arpa"));
    assert_eq!(zone("fd6a:7e00:cafe::/49"), None);
    assert_eq!(zone("::/0"), None);
}
