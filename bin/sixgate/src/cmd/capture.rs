//! `sixgate capture`

mod pcapng;

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use rustix::fs::OFlags;
use rustix::io::Errno;
use serde_json::json;
use sixgate_api::{
    CaptureDirection, CaptureEnd, CaptureLine, CapturePacket, CaptureRequest, Timestamp, path,
};
use sixgate_io_control::{Method, Pieces, stream};
use sixgate_wire::Packet;

use crate::cli::Context;
use crate::exit::{Exit, Trouble};
use crate::print::{Out, complain};

/// Packets that cross the gateway, each with what became of it: text, or a file for Wireshark
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  sixgate capture --client laptop-01
  sixgate capture --seconds 5 -o out.pcapng
  sixgate capture --host helpdesk-01 -o - | tcpdump -r - -n

Inner and outer packets; the comment of each has the verdict, its reason and the policy rule.")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Write pcapng to this file; - is standard output. Without it, lines of text
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The summary as one line of JSON on standard error: for `sixgate lab capture`, which writes the file itself
    #[arg(long, hide = true)]
    counted: bool,
}

/// Which packets, and how many: here and in `sixgate lab capture`.
#[derive(clap::Args, Debug)]
pub(crate) struct Which {
    /// End after so many seconds
    #[arg(long, value_name = "N")]
    pub(crate) seconds: Option<u64>,
    /// End after so many packets
    #[arg(long, value_name = "N")]
    pub(crate) packets: Option<u64>,
    /// Only packets from or to this host: name or address
    #[arg(long, value_name = "HOST")]
    pub(crate) host: Option<String>,
    /// Only packets from or to this client
    #[arg(long, value_name = "CLIENT")]
    pub(crate) client: Option<String>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    if context.out.json && args.output.as_deref().is_none_or(is_stdout) {
        return Err(Trouble::usage("--json is the summary of a file: give one with -o FILE"));
    }
    let request = CaptureRequest {
        host: args.which.host.clone(),
        client: args.which.client.clone(),
        packets: args.which.packets,
        seconds: args.which.seconds,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Trouble::failed("system", format!("no runtime: {e}")))?;
    let end = runtime.block_on(async {
        let pieces = stream(&context.socket, Method::Post, path::CAPTURE, &json!(request)).await?;
        // After the gateway has agreed: a refusal leaves no file.
        let mut sink = Sink::open(args.output.as_deref(), &context.out)?;
        let end = copy(pieces, &mut sink).await?;
        sink.close(&end)?;
        Ok::<_, Trouble>(end)
    })?;
    summary(args, context, &end);
    Ok(Exit::Good)
}

/// Writes everything down until the end, or until the user has seen enough.
async fn copy(mut pieces: Pieces, sink: &mut Sink) -> Result<CaptureEnd, Trouble> {
    let mut rest = Vec::new();
    let mut seen = CaptureEnd::default();
    loop {
        let piece = tokio::select! {
            piece = pieces.next() => piece,
            _ = tokio::signal::ctrl_c() => None,
        };
        let Some(piece) = piece else { return Ok(seen) };
        rest.extend(piece);
        let whole = rest.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        for line in rest[..whole].split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            match understood(line)? {
                CaptureLine::Interface(interface) => {
                    sink.interface(&interface.name, &interface.description)?;
                }
                CaptureLine::Packet(packet) => {
                    seen.packets += 1;
                    sink.packet(&packet)?;
                }
                CaptureLine::End(end) => return Ok(end),
            }
        }
        rest.drain(..whole);
        sink.flush()?;
    }
}

fn understood(line: &[u8]) -> Result<CaptureLine, Trouble> {
    serde_json::from_slice(line).map_err(|e| {
        Trouble::failed(
            "answer",
            format!("the daemon's answer is not understood ({e}); is it of another version?"),
        )
    })
}

fn summary(args: &Args, context: &Context, end: &CaptureEnd) {
    match &args.output {
        _ if args.counted => complain(&json!(end).to_string()),
        Some(file) => wrote(file, context, end),
        None => complain(&lost(end)),
    }
}

/// Says what is in a file.
pub(crate) fn wrote(file: &Path, context: &Context, end: &CaptureEnd) {
    if context.out.json {
        context.out.document(&json!({"schema": 1, "file": file, "packets": end.packets, "lost": end.lost}));
        return;
    }
    let text = format!("wrote {}: {}", file.display(), lost(end));
    if is_stdout(file) { complain(&text) } else { context.out.text(&format!("{text}\n")) }
}

fn lost(end: &CaptureEnd) -> String {
    match end.lost {
        0 => format!("{} packets", end.packets),
        n => format!("{} packets, and {n} that came too fast to be captured", end.packets),
    }
}

/// Where packets go.
enum Sink {
    Text(Out, Vec<String>),
    File { writer: pcapng::Writer<Box<dyn Write>>, last: u64, interfaces: u32 },
}

impl Sink {
    fn open(output: Option<&Path>, out: &Out) -> Result<Self, Trouble> {
        let to: Box<dyn Write> = match output {
            None => return Ok(Self::Text(*out, Vec::new())),
            Some(path) if is_stdout(path) => Box::new(BufWriter::new(io::stdout())),
            Some(path) => Box::new(BufWriter::new(create(path)?)),
        };
        let application = concat!("sixgate ", env!("CARGO_PKG_VERSION"));
        let writer = pcapng::Writer::new(to, application).map_err(cannot_write)?;
        let mut sink = Self::File { writer, last: 0, interfaces: 0 };
        // Whoever waits for the file sees that the capture has begun.
        sink.flush()?;
        Ok(sink)
    }

    fn interface(&mut self, name: &str, description: &str) -> Result<(), Trouble> {
        match self {
            Self::Text(_, names) => {
                names.push(name.to_owned());
                Ok(())
            }
            Self::File { writer, interfaces, .. } => {
                *interfaces += 1;
                writer.interface(name, description).map_err(cannot_write)
            }
        }
    }

    fn packet(&mut self, packet: &CapturePacket) -> Result<(), Trouble> {
        let bytes = BASE64
            .decode(packet.data.as_bytes())
            .map_err(|e| Trouble::failed("answer", format!("a packet is not understood: {e}")))?;
        match self {
            Self::Text(out, names) => {
                let name = names.get(packet.interface as usize).map_or("?", String::as_str);
                out.text(&text(packet, name, &bytes));
                Ok(())
            }
            Self::File { writer, last, .. } => {
                *last = packet.at;
                let direction = match packet.direction {
                    CaptureDirection::In => pcapng::Direction::In,
                    CaptureDirection::Out => pcapng::Direction::Out,
                };
                let packet = pcapng::Packet {
                    interface: packet.interface,
                    at: packet.at,
                    direction,
                    bytes: &bytes,
                    comment: &packet.comment,
                };
                writer.packet(&packet).map_err(cannot_write)
            }
        }
    }

    fn flush(&mut self) -> Result<(), Trouble> {
        match self {
            Self::Text(..) => Ok(()),
            Self::File { writer, .. } => writer.flush().map_err(cannot_write),
        }
    }

    fn close(&mut self, end: &CaptureEnd) -> Result<(), Trouble> {
        if let Self::File { writer, last, interfaces } = self
            && *interfaces > 0
        {
            writer.lost(0, *last, end.lost).map_err(cannot_write)?;
        }
        self.flush()
    }
}

/// Packets are secrets of whoever sent them: nobody else reads the file. And whoever can write in its folder shall not
/// choose which file of ours is emptied, or who gets the packets: no link is followed, and a file of another user stays.
pub(crate) fn create(path: &Path) -> Result<File, Trouble> {
    create_as(path, rustix::process::geteuid().as_raw())
        .map_err(|e| Trouble::failed("file", format!("{} cannot be written: {e}", path.display())))
}

fn create_as(path: &Path, user: u32) -> io::Result<File> {
    let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let file = OpenOptions::new().write(true).create(true).mode(0o600).custom_flags(no_link).open(path);
    let file = file.map_err(|e| match e.raw_os_error() {
        Some(code) if code == Errno::LOOP.raw_os_error() => io::Error::other("it is a symbolic link"),
        Some(_) | None => e,
    })?;
    let found = file.metadata()?;
    if found.is_file() {
        if found.uid() != user {
            return Err(io::Error::other("it belongs to another user"));
        }
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.set_len(0)?;
    }
    Ok(file)
}

/// Standard output, by its name or by its path, is open already.
pub(crate) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-") || path == Path::new("/dev/stdout")
}

fn cannot_write(error: io::Error) -> Trouble {
    if error.kind() == io::ErrorKind::BrokenPipe {
        // `sixgate capture -o - | tcpdump -c 5 -r -`: the reader has what it wanted.
        std::process::exit(0);
    }
    Trouble::failed("file", format!("the capture cannot be written: {error}"))
}

/// `13:04:05.123456 isatap in  10.6.8.20 > 10.6.0.1 fd00::1 > ... TCP ...; comment`
fn text(packet: &CapturePacket, interface: &str, bytes: &[u8]) -> String {
    let at = i64::try_from(packet.at / 1000).ok().and_then(|us| Timestamp::from_microsecond(us).ok());
    let at = at.map_or_else(String::new, |at| at.strftime("%H:%M:%S.%6f").to_string());
    let direction = match packet.direction {
        CaptureDirection::In => "in ",
        CaptureDirection::Out => "out",
    };
    let (outer, inner) = apart(bytes);
    format!("{at} {interface} {direction} {outer}{:?} · {}\n", Packet::from_slice(inner), packet.comment)
}

/// The ends of the outer packet of protocol 41 and what is in it; else the packet itself.
fn apart(bytes: &[u8]) -> (String, &[u8]) {
    match bytes {
        [0x45, ..] if bytes.len() > 20 && bytes[9] == 41 => {
            let v4 = |at: usize| Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
            (format!("{} > {}: ", v4(12), v4(16)), &bytes[20..])
        }
        _ => (String::new(), bytes),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_of_ours_is_emptied_and_nothing_else_is_touched() {
        let folder = std::env::temp_dir().join(format!("sixgate-capture-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (ours, link) = (folder.join("ours"), folder.join("link"));
        fs::write(&ours, "before").unwrap();
        fs::set_permissions(&ours, Permissions::from_mode(0o644)).unwrap();
        symlink(&ours, &link).unwrap();
        let us = rustix::process::geteuid().as_raw();

        assert!(create_as(&link, us).unwrap_err().to_string().contains("symbolic link"));
        assert!(create_as(&ours, us + 1).unwrap_err().to_string().contains("another user"));
        assert_eq!(fs::read_to_string(&ours).unwrap(), "before");
        assert_eq!(fs::metadata(&ours).unwrap().mode() & 0o777, 0o644);

        create_as(&ours, us).unwrap();
        assert_eq!(fs::read_to_string(&ours).unwrap(), "");
        assert_eq!(fs::metadata(&ours).unwrap().mode() & 0o777, 0o600);
        create_as(&folder.join("new"), us).unwrap();
        assert_eq!(fs::metadata(folder.join("new")).unwrap().mode() & 0o777, 0o600);
        create_as(Path::new("/dev/null"), us + 1).unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }
}
