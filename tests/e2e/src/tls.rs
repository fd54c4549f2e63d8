//! An attacker's TLS: `openssl s_client` on a laptop, with whatever certificate and bytes.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use sixgate_lab::Lab;
use sixgate_lab::product::CLIENT_FILE;

/// The head that opens a tunnel (MS-IPHTTPS, section 3.1.5.1, and our own framing).
pub const TUNNEL: &str =
    "POST /IPTLS HTTP/1.1\r\nHost: da.example.com\r\nContent-Length: 9223372036854775807\r\n\r\n";

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

/// Asks from `node` for a tunnel that is to be refused; the answer, if any came before the gateway hung up.
#[must_use]
pub fn knock(lab: &Lab, node: &str, files: &Files) -> String {
    say(lab, node, files, true, TUNNEL.as_bytes(), "5")
}

const DOOR: &str = "da.example.com:443";

fn client(
    lab: &Lab,
    node: &str,
    files: &Files,
    with_certificate: bool,
    door: &str,
    seconds: &str,
) -> Command {
    let mut command = lab.command(node, "timeout").expect("the node is there");
    command.args([seconds, "openssl", "s_client", "-quiet", "-nocommands"]);
    command.args(["-connect", door, "-servername", "da.example.com", "-CAfile", &files.ca]);
    if with_certificate {
        command.args(["-cert", &files.cert, "-key", &files.key]);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Connects from `node`, with its certificate or without one, and says these bytes; what was answered until the gateway hung up,
/// at most so many seconds.
#[must_use]
pub fn say(
    lab: &Lab,
    node: &str,
    files: &Files,
    with_certificate: bool,
    bytes: &[u8],
    seconds: &str,
) -> String {
    let mut child =
        client(lab, node, files, with_certificate, DOOR, seconds).spawn().expect("openssl starts");
    // Refused in the middle is refused.
    let _ = child.stdin.take().expect("a pipe").write_all(bytes);
    let said = child.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&said.stdout).into_owned()
}

/// The tunnel of an enrolled client whose packets the test writes.
pub struct Tunnel {
    child: Child,
    input: ChildStdin,
    _output: ChildStdout,
}

impl Tunnel {
    /// Opens it with the certificate of `node`.
    ///
    /// # Panics
    /// The gateway refuses it.
    #[must_use]
    pub fn open(lab: &Lab, node: &str, files: &Files) -> Self {
        Self::through(lab, node, files, DOOR)
    }

    /// As [`Tunnel::open`], by way of somebody in the middle who listens at `door`.
    #[must_use]
    pub fn through(lab: &Lab, node: &str, files: &Files, door: &str) -> Self {
        let mut command = client(lab, node, files, true, door, "60");
        let mut child = command.arg("-no_ign_eof").spawn().expect("openssl starts");
        let mut input = child.stdin.take().expect("a pipe");
        input.write_all(TUNNEL.as_bytes()).expect("openssl takes it");
        let mut output = child.stdout.take().expect("a pipe");
        let mut answer = [0; 15];
        output.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 200 OK", "{}", String::from_utf8_lossy(&answer));
        Self { child, input, _output: output }
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.input.write_all(bytes).expect("openssl takes it");
    }

    /// Ends the connection in order.
    pub fn hang_up(self) {
        let Self { mut child, input, _output } = self;
        drop(input);
        child.wait().expect("it ends");
    }
}
