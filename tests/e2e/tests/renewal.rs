//! A client's certificate is renewed with the one that it has, and the older one is worth nothing afterwards.

use serde_json::Value;
use sixgate_e2e::{Counters, World, tls};
use sixgate_lab::product::SERVICE;

fn connected(world: &World) -> bool {
    world.who().iter().any(|name| name == "laptop-02")
}

#[test]
fn a_renewed_certificate_takes_the_place_of_the_older_one() {
    let world = World::up();
    let files = tls::files(&world, "laptop-02");
    let older = tls::Files { cert: "/tmp/older.pem".to_owned(), ..files.clone() };
    world.sh("laptop-02", &format!("cp {} {}", files.cert, older.cert));

    let renewed: Value =
        serde_json::from_str(&world.sh("laptop-02", "sixgate client renew --json")).expect("JSON");
    let status: Value = serde_json::from_str(&world.sh("laptop-02", "sixgate status --json")).expect("JSON");
    assert_eq!(status["certificate_until"], renewed["until"]);
    world.sh("laptop-02", &format!("! cmp {} {}", files.cert, older.cert));
    world.sh("laptop-02", &format!("test $(stat -c %a {}) = 600", files.cert));
    assert!(connected(&world), "the tunnel that stands goes on");

    // Until the new one was shown, the older one is good: its answer may have been lost.
    world.stop("laptop-02", SERVICE).unwrap_or_else(|error| panic!("{error}"));
    tls::Tunnel::open(&world, "laptop-02", &older).hang_up();
    tls::Tunnel::open(&world, "laptop-02", &files).hang_up();
    let counters = Counters::of(&world, "gateway");
    let refused = tls::knock(&world, "laptop-02", &older);
    assert!(refused.contains("403 Forbidden"), "{refused}");
    counters.rose("iphttps-client-revoked");
    assert_eq!(world.logged("certificate renewed"), 1);
}

#[test]
fn nobody_without_a_good_certificate_is_given_another() {
    let world = World::up();
    let files = tls::files(&world, "laptop-02");
    let ask = |certificate: &str| {
        let csr = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /tmp/k -subj /CN=laptop-01";
        world.sh(
            "laptop-02",
            &format!(
                "csr=$({csr} 2>/dev/null | awk '{{printf \"%s\\\\n\", $0}}')\n\
                 curl -s -o /tmp/answer -w '%{{http_code}} ' --cacert {} {certificate} \
                 -d \"{{\\\"csr\\\":\\\"$csr\\\"}}\" https://da.example.com/renew; cat /tmp/answer",
                files.ca
            ),
        )
    };
    let without = ask("");
    assert!(without.starts_with("403 ") && without.contains("iphttps-certificate-missing"), "{without}");
    // With a certificate the name is that of the certificate, whatever the request says.
    let with = ask(&format!("--cert {} --key {}", files.cert, files.key));
    assert!(with.starts_with("200 ") && with.contains("\"name\":\"laptop-02\""), "{with}");
    world.sh("gateway", "sixgate client remove laptop-02");
    let removed = ask(&format!("--cert {} --key {}", files.cert, files.key));
    assert!(removed.starts_with("403 ") && removed.contains("iphttps-client-revoked"), "{removed}");
}
