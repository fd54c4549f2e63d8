//! A real bind9 on a loopback port, with zones and keys of its own, gone when dropped.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a helper of tests")]

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub(crate) const ZONE: &str = "clients.corp.example";
pub(crate) const REVERSE: &str = "1.0.0.0.e.f.a.c.0.0.e.7.a.6.d.f.ip6.arpa";
/// May change both zones.
pub(crate) const KEY: &str = r#"key "ddns.corp.example" { algorithm hmac-sha256; secret "c2l4Z2F0ZSB0ZXN0IGtleSwgMzIgb2N0ZXRzIGxvbmc="; };"#;
/// Known, and may change nothing.
pub(crate) const WEAK_KEY: &str = r#"key "weak.corp.example" { algorithm hmac-sha256; secret "YW5vdGhlciBrZXkgdGhhdCBpcyAzMiBvY3RldHMgbG8="; };"#;

pub(crate) struct Named {
    child: Child,
    directory: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Named {
    /// `None` where bind9 is not installed; with CI=true that is a failure.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = find("named") else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "named (bind9) is not installed");
            return None;
        };
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("sixgate-named-{}-{n}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let port = free_port();
        write_files(&directory, port);
        let log = fs::File::create(directory.join("log")).unwrap();
        let child = Command::new(program)
            .args(["-g", "-n", "1", "-c"])
            .arg(directory.join("named.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut named = Self { child, directory, address: SocketAddr::from(([127, 0, 0, 1], port)) };
        named.wait();
        Some(named)
    }

    fn wait(&mut self) {
        let begin = Instant::now();
        while dig(self.address, &[ZONE, "SOA", "+short", "+tcp", "+tries=1", "+time=1"]).trim().is_empty() {
            let over = begin.elapsed() > Duration::from_secs(20) || self.child.try_wait().unwrap().is_some();
            assert!(!over, "named does not start:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// What stands at a name, as `dig +short` prints it.
    pub(crate) fn records(&self, name: &str, rtype: &str) -> Vec<String> {
        dig(self.address, &[name, rtype, "+short"]).lines().map(str::to_owned).collect()
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
        let _gone = fs::remove_dir_all(&self.directory);
    }
}

/// What dig prints, asked of this server.
pub(crate) fn dig(server: SocketAddr, arguments: &[&str]) -> String {
    let output = Command::new(find("dig").expect("dig (bind9-dnsutils) is not installed"))
        .arg(format!("@{}", server.ip()))
        .args(["-p", &server.port().to_string()])
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // With +short, dig still prints its own troubles, as comments.
    let short = arguments.contains(&"+short");
    text.lines().filter(|line| !(short && line.starts_with(';'))).map(|line| format!("{line}\n")).collect()
}

fn find(program: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/sbin", "/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.exists())
}

/// A port that is free for both transports, below those that the kernel gives away, and of this test alone.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let offset = std::process::id().wrapping_mul(37).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + u16::try_from(offset % 20_000).unwrap();
        let address = ("127.0.0.1", port);
        if std::net::TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return port;
        }
    }
}

fn write_files(directory: &Path, port: u16) {
    let d = directory.display();
    let conf = format!(
        r#"
options {{
    directory "{d}"; pid-file "{d}/pid"; session-keyfile "{d}/session"; managed-keys-directory "{d}";
    listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion no; allow-query {{ any; }}; dnssec-validation no; notify no; minimal-responses no;
}};
controls {{ }};
{KEY}
{WEAK_KEY}
zone "{ZONE}" {{ type primary; file "clients.zone"; allow-update {{ key "ddns.corp.example"; }}; }};
zone "{REVERSE}" {{ type primary; file "reverse.zone"; allow-update {{ key "ddns.corp.example"; }}; }};
zone "files.example" {{ type primary; file "files.zone"; }};
zone "0.6.10.in-addr.arpa" {{ type primary; file "in-addr.zone"; }};
"#
    );
    let soa = "$TTL 300\n@ SOA ns root 1 3600 600 86400 120\n@ NS ns\n";
    let many = (1..=80).map(|i| format!("many A 10.6.1.{i}\n")).collect::<String>();
    let files = format!(
        "{soa}ns A 127.0.0.1\nfiles A 10.6.0.80\nfiles 60 A 10.6.0.81\nboth A 10.6.0.82\nboth AAAA 2001:db8::82\n\
         alias CNAME files\nmapped AAAA ::ffff:10.6.0.83\nmapped A 10.6.0.83\ntext TXT \"only text\"\n\
         loop CNAME loop2\nloop2 CNAME loop\nlocal A 127.0.0.9\n{many}"
    );
    let absolute = "$TTL 300\n@ SOA ns.files.example. root.files.example. 1 3600 600 86400 120\n@ NS ns.files.example.\n";
    for (name, text) in [
        ("named.conf", conf),
        ("clients.zone", format!("{soa}ns A 127.0.0.1\nforeign AAAA 2001:db8::f0\nhand A 10.6.9.9\n")),
        ("reverse.zone", absolute.to_owned()),
        ("in-addr.zone", format!("{absolute}80 PTR files.files.example.\n")),
        ("files.zone", files),
    ] {
        fs::write(directory.join(name), text).unwrap();
    }
}
