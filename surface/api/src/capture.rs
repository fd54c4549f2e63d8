//! `capture`: a stream of lines, each one JSON value.

use serde::{Deserialize, Serialize};

/// What is captured, and until when.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureRequest {
    /// Only packets from or to this host: a name or an address.
    #[serde(default)]
    pub host: Option<String>,
    /// Only packets from or to this client.
    #[serde(default)]
    pub client: Option<String>,
    /// Ends after so many packets.
    #[serde(default)]
    pub packets: Option<u64>,
    /// Ends after so many seconds.
    #[serde(default)]
    pub seconds: Option<u64>,
}

/// One line of the stream.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaptureLine {
    /// A port of the gateway that packets of the following lines were seen on.
    Interface(CaptureInterface),
    /// A packet.
    Packet(CapturePacket),
    /// The last line.
    End(CaptureEnd),
}

/// A port of the gateway.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CaptureInterface {
    /// Counted from zero in the order of the stream.
    pub id: u32,
    /// `isatap`, `kernel`, `nat64`, `nat64-ipv4`, `client:NAME`.
    pub name: String,
    /// For a person.
    pub description: String,
}

/// A packet, where it came in or went out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CapturePacket {
    /// Of which interface.
    pub interface: u32,
    /// Nanoseconds since 1970.
    pub at: u64,
    /// Whether it came in or went out.
    pub direction: CaptureDirection,
    /// The IP packet in base64: on an ISATAP link the outer one with the inner one in it.
    pub data: String,
    /// What became of it, for a person.
    pub comment: String,
    /// What became of it.
    pub verdict: CaptureVerdict,
    /// Why it was dropped: the code of a reason.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// `FILE:LINE` of the policy rule that lets it through.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rule: Option<String>,
    /// The client's session that it came from or goes to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session: Option<u32>,
}

/// Which way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaptureDirection {
    /// Into the gateway.
    In,
    /// Out of the gateway.
    Out,
}

/// What became of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaptureVerdict {
    /// It came in and goes on.
    Passed,
    /// It came in and was for the gateway itself.
    Consumed,
    /// It goes no further.
    Dropped,
    /// It went out.
    Sent,
}

/// How the capture was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CaptureEnd {
    /// Packets of the stream.
    pub packets: u64,
    /// Packets that should be in it and are not, because the reader was too slow. The gateway itself lost none of them.
    pub lost: u64,
}
