//! One attempt to reach a gateway: look up, TCP, TLS, the request, its answer.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use sixgate_config::NameOrAddress;
use sixgate_config::client::GatewayUrl;
use sixgate_io_tls::{Negotiated, ServerName, Stream, certificate, client_config, gateway_reason, tuning};
use sixgate_iphttps::head;
use sixgate_reason::{self as reason, Reason};
use tokio::time::timeout;

use crate::Failure;
use crate::race;
use crate::resolver::Resolver;

/// For TCP, and again for TLS and the answer.
const LIMIT: Duration = Duration::from_secs(10);

/// A tunnel that was opened.
pub(crate) struct Connected {
    pub(crate) stream: Stream,
    /// The same socket, to ask it how it is.
    pub(crate) socket: TcpStream,
    pub(crate) url: String,
    pub(crate) peer: SocketAddr,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) reason: Reason,
    /// One line beside it.
    pub(crate) detail: String,
    /// The gateway wants to be left alone for so long.
    pub(crate) retry_after: Option<Duration>,
}

impl Refused {
    fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), retry_after: None }
    }
}

/// Reads the client's certificates.
pub(crate) fn tls(config: &sixgate_config::Client) -> Result<Arc<ClientConfig>, Failure> {
    let authorities = certificate::read_chain(&config.ca)?;
    let chain = certificate::read_chain(&config.cert)?;
    let key = certificate::read_key(&config.key)?;
    client_config(&authorities, chain, key).map_err(|e| {
        let (cert, key) = (config.cert.display(), config.key.display());
        Failure::new(format!("{cert} and {key} cannot be used: {e}; enrol again with: sixgate join"))
    })
}

/// Tries each gateway once, in order; the first that takes us wins. The refusal is that of the last one.
pub(crate) async fn first(
    gateways: &[GatewayUrl],
    tls: &Arc<ClientConfig>,
    resolver: &Resolver,
) -> Result<Connected, Refused> {
    let mut refused = Refused::new(reason::IPHTTPS_UNREACHABLE, "no gateway is configured");
    for gateway in gateways {
        match one(gateway, tls, resolver).await {
            Ok(connected) => return Ok(connected),
            Err(why) => refused = why,
        }
    }
    Err(refused)
}

async fn one(
    gateway: &GatewayUrl,
    tls: &Arc<ClientConfig>,
    resolver: &Resolver,
) -> Result<Connected, Refused> {
    let socket = reach(gateway, resolver).await?;
    timeout(LIMIT, open(socket, gateway, tls)).await.unwrap_or_else(|_| {
        let detail = format!("{gateway} does not answer within {} s", LIMIT.as_secs());
        Err(Refused::new(reason::IPHTTPS_HANDSHAKE_FAILED, detail))
    })
}

/// A TCP connection to a gateway.
pub(crate) async fn reach(
    gateway: &GatewayUrl,
    resolver: &Resolver,
) -> Result<tokio::net::TcpStream, Refused> {
    let found = resolver.addresses(&gateway.host).await;
    let found = found.map_err(|detail| Refused::new(reason::IPHTTPS_UNRESOLVED, detail))?;
    let addresses: Vec<_> = found.into_iter().map(|a| SocketAddr::new(a, gateway.port)).collect();
    let socket = race::connect(&addresses, LIMIT).await.map_err(|error| {
        let to = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Refused::new(reason::IPHTTPS_UNREACHABLE, format!("{to}: {error}"))
    })?;
    // A socket that takes no options is broken, and TLS will say so.
    let _ = tuning::tune(&socket);
    Ok(socket)
}

async fn open(
    socket: tokio::net::TcpStream,
    gateway: &GatewayUrl,
    tls: &Arc<ClientConfig>,
) -> Result<Connected, Refused> {
    let server = sixgate_io_tls::connect(socket, tls, server_name(&gateway.host)?).await;
    let broken = |error: io::Error| Refused::new(gateway_reason(&error), format!("{gateway}: {error}"));
    let mut server = server.map_err(broken)?;
    if let Err(error) = server.write(head::tunnel_request(&host(gateway)).as_bytes()).await {
        // A gateway that refuses our certificate says so and closes, perhaps before we have written: its word counts.
        return Err(broken(server.read().await.err().unwrap_or(error)));
    }
    let answer = answer(&mut server, gateway).await?;
    if answer.status != 200 {
        let detail = format!("{gateway} answers with status {}", answer.status);
        let retry_after = answer.retry_after.map(|s| Duration::from_secs(u64::from(s)));
        return Err(Refused { reason: reason::IPHTTPS_REFUSED, detail, retry_after });
    }
    let stream = server.into_stream().map_err(broken)?;
    let socket = stream.socket().try_clone().map_err(broken)?;
    Ok(Connected { socket, url: gateway.to_string(), peer: stream.peer(), stream })
}

/// Reads the head of the answer, and takes it off the stream.
async fn answer(server: &mut Negotiated, gateway: &GatewayUrl) -> Result<head::Response, Refused> {
    loop {
        let more = server.read().await;
        let more = more.map_err(|e| Refused::new(gateway_reason(&e), format!("{gateway}: {e}")))?;
        let parsed = head::parse_response(server.plaintext());
        let parsed = parsed.map_err(|e| Refused::new(e.reason(), format!("{gateway} answers with {e}")))?;
        if let Some(whole) = parsed {
            server.consume(whole.length);
            return Ok(whole.head);
        }
        if !more {
            let detail = format!("{gateway} ended the connection before it answered");
            return Err(Refused::new(reason::IPHTTPS_DISCONNECTED, detail));
        }
    }
}

pub(crate) fn server_name(host: &NameOrAddress) -> Result<ServerName<'static>, Refused> {
    match host {
        NameOrAddress::Address(address) => Ok(ServerName::from(*address)),
        NameOrAddress::Name(name) => ServerName::try_from(name.as_str().to_owned())
            .map_err(|e| Refused::new(reason::IPHTTPS_UNRESOLVED, format!("{name}: {e}"))),
    }
}

/// What stands in the Host line.
pub(crate) fn host(gateway: &GatewayUrl) -> String {
    let host = match &gateway.host {
        NameOrAddress::Address(address) => head::host_of(*address),
        NameOrAddress::Name(name) => name.as_str().to_owned(),
    };
    if gateway.port == 443 { host } else { format!("{host}:{}", gateway.port) }
}
