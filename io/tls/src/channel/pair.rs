//! Both ends of a connection, for tests and the fuzz target.
#![allow(
    clippy::unwrap_used,
    reason = "loopback and the directory for temporary files work, or no test does"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::time::SystemTime;

use tokio::net::{TcpListener, TcpStream};

use super::Channel;
use crate::{Authority, ServerName, ServerNames, Token, accept, connect, enrolment_config, server_config};

/// Two channels that share keys, and nothing else: octets are carried by hand.
pub(super) fn pair() -> (Channel, Channel) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let now = SystemTime::now();
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let directory =
            std::env::temp_dir().join(format!("sixgate-channel-{:?}", std::thread::current().id()));
        std::fs::create_dir_all(&directory).unwrap();
        let authority = Authority::create(now).unwrap();
        let names = ServerNames { names: vec![], addresses: vec![here] };
        let (chain, key) = authority.server_certificate(&directory, &names, now).unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        let server = server_config(&[authority.certificate().clone()], chain, key).unwrap();
        let client = enrolment_config(&Token::generate(authority.key_digest()).unwrap()).unwrap();
        let listener = TcpListener::bind((here, 0)).await.unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        let (server, client) =
            tokio::join!(accept(far, &server), connect(socket, &client, ServerName::from(here)));
        (server.unwrap().into_channel(), client.unwrap().into_channel())
    })
}
