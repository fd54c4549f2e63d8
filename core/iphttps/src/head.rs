//! Heads of the HTTP messages (MS-IPHTTPS, sections 3.1.5.1 and 3.2.5.1), of the tunnel, of enrolment and of renewal.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use httparse::{Header, Status};
use sixgate_reason::{self as reason, Reason};

/// A head longer than this is refused.
pub const LONGEST: usize = 8 * 1024;
/// A head with more lines than this is refused.
const MOST_HEADERS: usize = 32;
/// A body shorter than this is no tunnel: the original says 2^64-1, some balancers only let less through.
const TUNNEL_LENGTH: u64 = 1 << 32;
/// What our own client announces. HAProxy in HTTP mode stalls for ever with the original's 2^64-1 and takes this.
const ANNOUNCED_LENGTH: u64 = (1 << 63) - 1;

/// What a client asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// A tunnel: what follows are packets.
    Tunnel,
    /// Enrolment, with a body of so many octets.
    Enrol {
        /// Content-Length.
        length: u64,
    },
    /// Another certificate for the client that shows one, with a body of so many octets.
    Renew {
        /// Content-Length.
        length: u64,
    },
}

/// What a gateway answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Response {
    /// 200 opens the tunnel.
    pub status: u16,
    /// Octets of the body, where the head says so; a tunnel's has no length.
    pub length: Option<u64>,
    /// Seconds to wait before the next attempt (Retry-After).
    pub retry_after: Option<u32>,
}

/// A head that has come whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Whole<T> {
    /// What it says.
    pub head: T,
    /// Its octets; the body begins behind them.
    pub length: usize,
}

/// A head that is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeadFault {
    /// Not HTTP, or HTTP that contradicts itself.
    Malformed,
    /// Longer than [`LONGEST`], or too many lines.
    TooLong,
    /// A path that is not ours.
    Path,
    /// A method other than POST.
    Method,
    /// Not HTTP/1.1.
    Version,
    /// No Content-Length.
    LengthMissing,
    /// An expectation such as 100-continue.
    Expectation,
}

impl HeadFault {
    /// The status to answer with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Path => 404,
            Self::Method => 405,
            Self::LengthMissing => 411,
            Self::Expectation => 417,
            Self::TooLong => 431,
            Self::Version => 505,
        }
    }

    /// The registry's reason.
    #[must_use]
    pub const fn reason(self) -> Reason {
        reason::IPHTTPS_HEAD_INVALID
    }
}

impl fmt::Display for HeadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not an HTTP message",
            Self::TooLong => "a longer head than any in earnest",
            Self::Path => "a path that is not ours",
            Self::Method => "a method other than POST",
            Self::Version => "an HTTP version other than 1.1",
            Self::LengthMissing => "no Content-Length",
            Self::Expectation => "an expectation that is not met",
        })
    }
}

impl core::error::Error for HeadFault {}

/// Reads a request's head from the front of `bytes`; `None` when its end has not come yet.
///
/// The specification says `/IPTLS`, real clients ask for `/IPHTTPS`: both are served.
///
/// # Errors
/// [`HeadFault`], as early as it is certain.
pub fn parse_request(bytes: &[u8]) -> Result<Option<Whole<Request>>, HeadFault> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let Some(length) = whole(request.parse(bytes), bytes)? else { return Ok(None) };
    if request.version != Some(1) {
        return Err(HeadFault::Version);
    }
    let path = request.path.unwrap_or_default();
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let tunnel = path.eq_ignore_ascii_case("/IPHTTPS") || path.eq_ignore_ascii_case("/IPTLS");
    if !tunnel && path != "/enrol" && path != "/renew" {
        return Err(HeadFault::Path);
    }
    if request.method != Some("POST") {
        return Err(HeadFault::Method);
    }
    // RFC 9112, section 3.2: one Host, no more and no less.
    if values(request.headers, "host").count() != 1 {
        return Err(HeadFault::Malformed);
    }
    // RFC 9112, section 6.3: both would let two readers disagree about where the body ends.
    if values(request.headers, "transfer-encoding").next().is_some() {
        return Err(HeadFault::Malformed);
    }
    if values(request.headers, "expect").next().is_some() {
        return Err(HeadFault::Expectation);
    }
    let body = content_length(request.headers)?.ok_or(HeadFault::LengthMissing)?;
    let head = match (tunnel, body >= TUNNEL_LENGTH) {
        (true, true) => Request::Tunnel,
        (false, false) if path == "/renew" => Request::Renew { length: body },
        (false, false) => Request::Enrol { length: body },
        (true, false) | (false, true) => return Err(HeadFault::Malformed),
    };
    Ok(Some(Whole { head, length }))
}

/// Reads a response's head from the front of `bytes`; `None` when its end has not come yet.
///
/// # Errors
/// [`HeadFault::Malformed`], [`HeadFault::TooLong`], [`HeadFault::Version`].
pub fn parse_response(bytes: &[u8]) -> Result<Option<Whole<Response>>, HeadFault> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let Some(length) = whole(response.parse(bytes), bytes)? else { return Ok(None) };
    if response.version != Some(1) {
        return Err(HeadFault::Version);
    }
    let status = response.code.ok_or(HeadFault::Malformed)?;
    let retry_after = values(response.headers, "retry-after").next().and_then(|v| number(v).ok());
    let head = Response {
        status,
        length: content_length(response.headers)?,
        retry_after: retry_after.and_then(|seconds| u32::try_from(seconds).ok()),
    };
    Ok(Some(Whole { head, length }))
}

/// The head that asks `host` (a name, or an address in the form of a URL) for a tunnel.
#[must_use]
pub fn tunnel_request(host: &str) -> String {
    format!("POST /IPHTTPS HTTP/1.1\r\nHost: {host}\r\nContent-Length: {ANNOUNCED_LENGTH}\r\n\r\n")
}

/// The head of an enrolment with a body of `length` octets of JSON.
#[must_use]
pub fn enrol_request(host: &str, length: usize) -> String {
    with_json("/enrol", host, length)
}

/// The head of a renewal with a body of `length` octets of JSON.
#[must_use]
pub fn renew_request(host: &str, length: usize) -> String {
    with_json("/renew", host, length)
}

fn with_json(path: &str, host: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// The head that opens the tunnel: no length and no chunking, the body goes on to the end of the connection. `date` is
/// the time in the form of RFC 9110, section 5.6.7.
#[must_use]
pub fn tunnel_response(date: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nServer: sixgate\r\nDate: {date}\r\n\r\n")
}

/// A whole response with a JSON body, after which the connection ends.
#[must_use]
pub fn response(status: u16, date: &str, retry_after: Option<u32>, body: &str) -> String {
    let retry = retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
    let (phrase, length) = (phrase(status), body.len());
    format!(
        "HTTP/1.1 {status} {phrase}\r\nServer: sixgate\r\nDate: {date}\r\n{retry}Content-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

const fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Content Too Large",
        417 => "Expectation Failed",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Error",
    }
}

/// What `httparse` says, with the limit on a head that never ends.
fn whole(parsed: httparse::Result<usize>, bytes: &[u8]) -> Result<Option<usize>, HeadFault> {
    match parsed {
        Ok(Status::Complete(length)) if length <= LONGEST => Ok(Some(length)),
        Ok(Status::Partial) if bytes.len() < LONGEST => Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => Err(HeadFault::TooLong),
        Err(httparse::Error::Version) => Err(HeadFault::Version),
        Err(_) => Err(HeadFault::Malformed),
    }
}

fn values<'h, 'b>(
    headers: &'h [Header<'b>],
    name: &'static str,
) -> impl Iterator<Item = &'b [u8]> + use<'h, 'b> {
    headers.iter().filter(move |h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value)
}

/// RFC 9112, section 6.3: several lengths are refused even when they agree.
fn content_length(headers: &[Header<'_>]) -> Result<Option<u64>, HeadFault> {
    let mut lengths = values(headers, "content-length");
    let length = lengths.next().map(number).transpose()?;
    if lengths.next().is_some() { Err(HeadFault::Malformed) } else { Ok(length) }
}

/// Digits and nothing else: `+1` and ` 1` are numbers for Rust and for nobody in between.
fn number(text: &[u8]) -> Result<u64, HeadFault> {
    let text = core::str::from_utf8(text).map_err(|_| HeadFault::Malformed)?;
    if text.is_empty() || !text.bytes().all(|c| c.is_ascii_digit()) {
        return Err(HeadFault::Malformed);
    }
    text.parse().map_err(|_| HeadFault::Malformed)
}

/// The form of `address` that a Host line and a URL have.
#[must_use]
pub fn host_of(address: core::net::IpAddr) -> String {
    match address {
        core::net::IpAddr::V4(v4) => v4.to_string(),
        core::net::IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(text: &str) -> Result<Option<Request>, HeadFault> {
        parse_request(text.as_bytes()).map(|whole| whole.map(|w| w.head))
    }

    #[test]
    fn original_and_our_own_request_open_a_tunnel() {
        let original =
            "POST /IPHTTPS HTTP/1.1\r\nHost: da.example.com\r\nContent-Length: 18446744073709551615\r\n\r\n";
        assert_eq!(request(original), Ok(Some(Request::Tunnel)));
        assert_eq!(request(&original.replace("/IPHTTPS", "/IPTLS")), Ok(Some(Request::Tunnel)));
        let ours = tunnel_request("da.example.com");
        assert_eq!(
            parse_request(ours.as_bytes()),
            Ok(Some(Whole { head: Request::Tunnel, length: ours.len() }))
        );
        let with_packets = ours.clone() + "`packets";
        assert_eq!(parse_request(with_packets.as_bytes()).unwrap().unwrap().length, ours.len());
    }

    #[test]
    fn enrolment_and_renewal_tell_the_length_of_their_body() {
        assert_eq!(request(&renew_request("da.example.com", 700)), Ok(Some(Request::Renew { length: 700 })));
        assert_eq!(request(&enrol_request("da.example.com", 900)), Ok(Some(Request::Enrol { length: 900 })));
    }

    #[test]
    fn every_beginning_of_a_request_is_partial() {
        let ours = tunnel_request("da.example.com");
        for end in 0..ours.len() {
            assert_eq!(request(&ours[..end]), Ok(None), "{end}");
        }
    }

    #[test]
    fn each_fault_has_its_status() {
        let good = "POST /IPHTTPS HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\n";
        for (from, to, fault) in [
            ("/IPHTTPS", "/", HeadFault::Path),
            ("POST", "GET", HeadFault::Method),
            ("HTTP/1.1", "HTTP/1.0", HeadFault::Version),
            ("HTTP/1.1", "HTTP/2.0", HeadFault::Version),
            ("Host: a\r\n", "", HeadFault::Malformed),
            ("Host: a\r\n", "Host: a\r\nHost: a\r\n", HeadFault::Malformed),
            ("Host: a\r\n", "Host: a\r\nTransfer-Encoding: chunked\r\n", HeadFault::Malformed),
            ("Host: a\r\n", "Host: a\r\nExpect: 100-continue\r\n", HeadFault::Expectation),
            ("Host: a\r\n", "Host: a\r\nContent-Length: 18446744073709551615\r\n", HeadFault::Malformed),
            ("18446744073709551615", "18446744073709551616", HeadFault::Malformed),
            ("18446744073709551615", "-1", HeadFault::Malformed),
            ("18446744073709551615", "+8446744073709551615", HeadFault::Malformed),
            ("18446744073709551615", "1000", HeadFault::Malformed),
            ("Content-Length: 18446744073709551615\r\n", "", HeadFault::LengthMissing),
            ("/IPHTTPS", "/enrol", HeadFault::Malformed),
            ("/IPHTTPS", "/renew", HeadFault::Malformed),
            ("POST", "\0", HeadFault::Malformed),
        ] {
            assert_eq!(request(&good.replacen(from, to, 1)), Err(fault), "{from:?} -> {to:?}");
        }
        assert_eq!(HeadFault::Path.status(), 404);
        assert_eq!(HeadFault::Method.status(), 405);
    }

    #[test]
    fn a_head_that_never_ends_is_refused() {
        let long = alloc::string::String::from("POST /IPHTTPS HTTP/1.1\r\nX: ") + &"y".repeat(LONGEST);
        assert_eq!(request(&long), Err(HeadFault::TooLong));
        assert_eq!(request(&(long + "\r\n\r\n")), Err(HeadFault::TooLong));
        let many = alloc::string::String::from("POST /IPHTTPS HTTP/1.1\r\n") + &"X: y\r\n".repeat(40);
        assert_eq!(request(&(many + "\r\n")), Err(HeadFault::TooLong));
    }

    #[test]
    fn responses_are_read_as_they_are_written() {
        let read = |text: &str| parse_response(text.as_bytes()).unwrap().unwrap();
        let date = "Wed, 25 Nov 2026 10:00:00 GMT";
        let open = tunnel_response(date);
        assert_eq!(
            read(&open),
            Whole { head: Response { status: 200, length: None, retry_after: None }, length: open.len() }
        );
        let busy = response(503, date, Some(7), "{}");
        assert_eq!(read(&busy).head, Response { status: 503, length: Some(2), retry_after: Some(7) });
        assert_eq!(&busy[read(&busy).length..], "{}");
        let theirs = "HTTP/1.1 200 OK\r\nServer: Microsoft-HTTPAPI/2.0\r\nDate: x\r\n\r\n";
        assert_eq!(read(theirs).head.status, 200);
        assert_eq!(parse_response(b"HTTP/1.0 200 OK\r\n\r\n"), Err(HeadFault::Version));
        assert_eq!(parse_response(b"SSH-2.0-OpenSSH\r\n"), Err(HeadFault::Version));
        assert_eq!(parse_response(b"HTTP/1.1 200"), Ok(None));
    }

    proptest! {
        #[test]
        fn no_octets_make_the_parsers_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse_request(&bytes);
            let _ = parse_response(&bytes);
        }

        #[test]
        fn a_damaged_request_is_never_longer_than_what_came(at in 0_usize..120, octet in any::<u8>()) {
            let mut bytes = tunnel_request("da.example.com").into_bytes();
            let at = at % bytes.len();
            bytes[at] = octet;
            if let Ok(Some(whole)) = parse_request(&bytes) {
                prop_assert!(whole.length <= bytes.len());
            }
        }
    }
}
