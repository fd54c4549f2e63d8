//! What a stream in use takes from the allocator: nothing.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use sixgate_io_tls::{
    Authority, ServerName, ServerNames, Stream, Token, accept, connect, enrolment_config, server_config,
};
use tokio::net::{TcpListener, TcpStream};

struct Counting;

static COUNT: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, hence from the system's allocator, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn carry(from: &mut Stream, to: &mut Stream, packet: &[u8], packets: usize) {
    let (mut queued, mut seen) = (0, 0);
    while seen < packets * packet.len() {
        while queued < packets && from.backlog() < 200_000 {
            from.queue(packet);
            queued += 1;
        }
        from.flush().unwrap();
        to.receive().unwrap();
        let used = to.plaintext().len();
        to.consume(used);
        seen += used;
    }
}

#[test]
fn packets_cost_no_allocation_once_the_buffers_have_grown() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut server, mut client) = runtime.block_on(async {
        let (now, here) = (SystemTime::now(), IpAddr::V4(Ipv4Addr::LOCALHOST));
        let directory = std::env::temp_dir().join(format!("sixgate-allocations-{}", std::process::id()));
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
        (server.unwrap().into_stream().unwrap(), client.unwrap().into_stream().unwrap())
    });
    let packet = [7; 1280];
    carry(&mut client, &mut server, &packet, 5_000);
    carry(&mut server, &mut client, &packet, 5_000);
    let before = COUNT.load(Ordering::Relaxed);
    carry(&mut client, &mut server, &packet, 5_000);
    carry(&mut server, &mut client, &packet, 5_000);
    assert_eq!(COUNT.load(Ordering::Relaxed) - before, 0);
}
