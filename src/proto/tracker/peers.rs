//! Compact peer lists of tracker replies (BEP 23, BEP 7).

use std::net::SocketAddr;

/// 6 bytes a peer; a cut last one is left out.
pub(super) fn peers_v4(bytes: &[u8]) -> Vec<SocketAddr> {
    let (peers, _) = bytes.as_chunks::<6>();
    peers.iter().map(|&[a, b, c, d, hi, lo]| ([a, b, c, d], u16::from_be_bytes([hi, lo])).into()).collect()
}

/// 18 bytes a peer; a cut last one is left out.
pub(super) fn peers_v6(bytes: &[u8]) -> Vec<SocketAddr> {
    let (peers, _) = bytes.as_chunks::<18>();
    let peer = |peer: &[u8; 18]| {
        let (ip, port) = peer.split_first_chunk::<16>().expect("16 of 18 bytes");
        canonical((*ip, u16::from_be_bytes([port[0], port[1]])).into())
    };
    peers.iter().map(peer).collect()
}

/// `::ffff:a.b.c.d` as the IPv4 address that it is.
pub(super) fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}
