//! Datagrams in any order from one address: a socket that accepts callers answers little, and a stream in its midst is
//! not changed by what does not know its numbers.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rtorrent_cli::proto::utp::packet::{Extension, Packet};
use rtorrent_cli::proto::utp::socket::Socket;

fuzz_target!(|bytes: &[u8]| {
    if let Some(packet) = Packet::decode(bytes)
        && packet.sack.is_empty()
    {
        let mut written = Vec::new();
        packet.header.encode(Extension::None, &mut written);
        written.extend_from_slice(packet.payload);
        assert_eq!(Packet::decode(&written), Some(packet));
    }
    let start = Instant::now();
    let from = "192.0.2.1:6881".parse().unwrap();
    let mut socket = Socket::new(start, true, StdRng::seed_from_u64(1));
    let called = socket.connect(start, from);
    let (mut rest, mut batch, mut step) = (bytes, Vec::new(), 0);
    while let Some((&[high, low], after)) = rest.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes([high, low])).min(after.len());
        let (datagram, after) = after.split_at(len);
        rest = after;
        step += 1;
        let now = start + Duration::from_millis(step * 7);
        socket.handle_datagram(now, from, datagram);
        socket.handle_timeout(now);
        while socket.poll_transmit(now, 4, &mut batch).is_some() {}
        while socket.poll_event().is_some() {}
        assert!(socket.len() <= 257);
    }
    if let Some(called) = called {
        socket.release(start + Duration::from_secs(1), called);
    }
});
