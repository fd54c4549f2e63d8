//! An attacker's TLS: `openssl s_client` on a laptop, with whatever certificate and bytes.

use sixgate_lab::product::CLIENT_FILE;
use sixgate_lab::{Lab, Output};

use crate::packets::octal;

/// The head that opens a tunnel (MS-IPHTTPS, section 3.1.5.1, and our own framing).
pub const TUNNEL: &str =
    "POST /IPTLS HTTP/1.1\\r\\nHost: da.example.com\\r\\nContent-Length: 9223372036854775807\\r\\n\\r\\n";

/// Certificate files of a client: where `join` put them.
#[derive(Debug, Clone)]
pub struct Files {
    /// The authority's certificate.
    pub ca: String,
    /// The client's certificate.
    pub cert: String,
    /// Its key.
    pub key: String,
}

/// Reads where the client's files are from its configuration, as `join` wrote it.
///
/// # Panics
/// The file does not name them.
#[must_use]
pub fn files(lab: &Lab, node: &str) -> Files {
    let config = lab.run(node, &["cat", CLIENT_FILE]).expect("the node is there").stdout;
    let find = |key: &str| {
        let line = config.lines().find(|line| line.split('=').next().is_some_and(|k| k.trim() == key));
        let value =
            line.and_then(|line| line.split('"').nth(1)).unwrap_or_else(|| panic!("no `{key}` in {config}"));
        if value.starts_with('/') { value.to_owned() } else { format!("/etc/sixgate/{value}") }
    };
    Files { ca: find("ca"), cert: find("cert"), key: find("key") }
}

/// Connects from `node` with `cert` and `key`, opens a tunnel, sends each packet half a second after the other, and hangs up.
#[must_use]
pub fn tunnel(lab: &Lab, node: &str, files: &Files, packets: &[Vec<u8>]) -> Output {
    let mut sends = format!("printf '{TUNNEL}'; sleep 0.5;");
    for packet in packets {
        sends.push_str(&format!(" printf '{}'; sleep 0.5;", octal(packet)));
    }
    let script = format!(
        "{{ {sends} }} | openssl s_client -quiet -connect da.example.com:443 -servername da.example.com \
         -CAfile {} -cert {} -key {}",
        files.ca, files.cert, files.key
    );
    lab.run(node, &["sh", "-c", &script]).expect("the node is there")
}
