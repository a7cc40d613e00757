//! Who becomes a peer, and what is said to it at first.

use std::net::SocketAddr;
use std::time::Duration;

use super::world::{World, addr};
use crate::base::bitfield::Bitfield;
use crate::base::id::PeerId;
use crate::proto::ext::ExtHandshake;
use crate::proto::session::PeerEvent;
use crate::swarm::action::{Connected, DialFailure, Way};
use crate::swarm::{Command, PeerKey, Source};

fn connected(n: u8, incoming: bool) -> Connected {
    Connected {
        addr: addr(n),
        peer_id: PeerId([n + 10; 20]),
        incoming,
        fast: true,
        extended: true,
        way: Way::default(),
    }
}

#[test]
fn dials_race_and_failures_make_room_for_the_next() {
    let mut world = World::new(1, 16_384, 100_000, 1 << 20);
    let all: Vec<_> = (1..=100).map(addr).collect();
    world.torrent.on_addresses(world.now, Source::Tracker, &all);
    world.play();
    assert_eq!(world.dialled.len(), 30, "at once");
    let first = world.dialled[0].0;
    world.torrent.on_dial_failed(world.now, first, DialFailure::Refused);
    world.play();
    assert_eq!(world.dialled.len(), 31);
    world.wait(Duration::from_secs(5));
    assert_eq!((world.aborted.len(), world.dialled.len()), (30, 61), "the dead give way to fresh addresses");
}

#[test]
fn the_first_metadata_request_goes_out_with_the_first_extended_handshake() {
    let mut world = World::new(1, 16_384, 100_000, 1 << 20);
    let key = world.connect();
    assert!(world.peers[&key].interest, "interested before anything is known");
    let size = world.info.len() as u32;
    world.extended(key, Some(size));
    assert_eq!(world.peers[&key].metadata_asked, [0]);
    let bytes = world.info.clone();
    world.event(key, PeerEvent::MetadataPiece { index: 0, total_size: size, bytes });
    assert_eq!(world.metadata.as_ref(), Some(&world.info));
    world.start(Vec::new());
    assert!(world.peers[&key].told_layout);
}

#[test]
fn one_connection_a_peer_id_and_none_to_ourselves() {
    let mut world = World::new(1, 16_384, 100_000, 1 << 20);
    let twin = world.connect();
    world.wait(Duration::from_secs(60));
    let again = world.torrent.accept(world.now, addr(50)).unwrap();
    world.torrent.on_connected(world.now, again, Connected { addr: addr(50), ..connected(1, true) });
    assert_eq!(world.torrent.connections().map(|(key, _)| key).collect::<Vec<_>>(), [twin]);
    let own = world.torrent.accept(world.now, addr(51)).unwrap();
    let ourselves = Connected { peer_id: PeerId([1; 20]), ..connected(51, true) };
    world.torrent.on_connected(world.now, own, ourselves);
    assert_eq!(world.torrent.connections().count(), 1);
}

#[test]
fn of_two_crossing_connections_both_ends_keep_the_same() {
    // Our id is [1; 20]. The end with the higher id keeps the connection that it opened.
    for (theirs, ours_stays) in [(PeerId([0; 20]), true), (PeerId([9; 20]), false)] {
        for incoming_first in [true, false] {
            let mut world = World::new(1, 16_384, 100_000, 1 << 20);
            world.torrent.on_addresses(world.now, Source::Tracker, &[addr(7)]);
            world.play();
            let dial = world.dialled[0].0;
            let accepted = world.torrent.accept(world.now, addr(8)).unwrap();
            let mut both = [(dial, 7, false), (accepted, 8, true)];
            if incoming_first {
                both.reverse();
            }
            for (key, n, incoming) in both {
                let end = Connected { peer_id: theirs, ..connected(n, incoming) };
                world.torrent.on_connected(world.now, key, end);
            }
            let left: Vec<PeerKey> =
                world.torrent.peers.iter().filter(|(_, peer)| !peer.closing).map(|(key, _)| *key).collect();
            assert_eq!(left, [if ours_stays { dial } else { accepted }], "incoming first: {incoming_first}");
        }
    }
}

#[test]
fn connections_and_dials_together_keep_to_the_limit() {
    let mut world = World::with(1, 16_384, 100_000, 1 << 20, |config| config.max_peers = 10);
    let connected: Vec<PeerKey> = (0..4).map(|_| world.connect()).collect();
    let all: Vec<_> = (100..=150).map(addr).collect();
    world.torrent.on_addresses(world.now, Source::Dht, &all);
    world.play();
    assert_eq!(world.dialled.len(), 6);
    for _ in 0..6 {
        world.connect();
    }
    assert!(world.torrent.accept(world.now, addr(99)).is_none(), "full");
    world.close(connected[0]);
    assert!(world.torrent.accept(world.now, addr(99)).is_some());
}

#[test]
fn when_full_who_serves_neither_side_makes_room() {
    let mut world = World::with(1, 16_384, 100_000, 1 << 20, |config| config.max_peers = 3);
    world.start(Vec::new());
    let useful = world.connect();
    world.event(useful, PeerEvent::Has(Bitfield::full(7)));
    let taker = world.connect();
    world.event(taker, PeerEvent::Has(Bitfield::new(7)));
    world.event(taker, PeerEvent::Interested(true));
    let idle = world.connect();
    world.event(idle, PeerEvent::Has(Bitfield::new(7)));
    world.torrent.on_addresses(world.now, Source::Tracker, &[addr(77)]);
    world.play();
    assert!(world.dialled.is_empty(), "it has just come");
    world.wait(Duration::from_secs(61));
    world.torrent.on_timeout(world.now);
    world.play();
    assert_eq!(world.dialled.len(), 1);
    assert_eq!(world.peers.keys().copied().collect::<Vec<_>>(), [useful, taker]);
    assert!(!world.peers.contains_key(&idle));
}

#[test]
fn global_addresses_are_limited_per_ip_and_local_ones_are_not() {
    let mut world = World::new(1, 16_384, 100_000, 1 << 20);
    let at = |ip: [u8; 4], port: u16| SocketAddr::from((ip, port));
    let global: Vec<_> = (1..=20).map(|port| at([8, 8, 8, 8], port)).collect();
    let local: Vec<_> = (1..=20).map(|port| at([127, 0, 0, 1], port)).collect();
    world.torrent.on_addresses(world.now, Source::Tracker, &global);
    world.torrent.on_addresses(world.now, Source::Tracker, &local);
    world.play();
    let dialled =
        |ip: [u8; 4]| world.dialled.iter().filter(|(_, addr)| addr.ip() == std::net::IpAddr::from(ip)).count();
    assert_eq!((dialled([8, 8, 8, 8]), dialled([127, 0, 0, 1])), (8, 20));
    let mapped: SocketAddr = "[::ffff:9.9.9.9]:1".parse().unwrap();
    let accepted = (0..20).filter(|_| world.torrent.accept(world.now, mapped).is_some()).count();
    assert_eq!(accepted, 8);
}

#[test]
fn a_private_torrent_keeps_to_its_tracker() {
    let mut world = World::new(1, 16_384, 100_000, 1 << 20);
    world.torrent.on_addresses(world.now, Source::Dht, &[addr(1)]);
    world.torrent.on_addresses(world.now, Source::Tracker, &[addr(2)]);
    world.play();
    let dials: Vec<PeerKey> = world.dialled.iter().map(|(key, _)| *key).collect();
    world.torrent.on_connected(world.now, dials[0], connected(1, false));
    world.torrent.on_connected(world.now, dials[1], connected(2, false));
    world.torrent.on_addresses(world.now, Source::Dht, &[addr(3)]);
    world.command(Command::TrackerOnly);
    world.torrent.on_addresses(world.now, Source::Dht, &[addr(4)]);
    world.torrent.on_addresses(world.now, Source::Pex, &[addr(5)]);
    world.play();
    assert_eq!(world.aborted, [world.dialled[2].0], "what was being dialled");
    assert_eq!(world.dialled.len(), 3);
    let open: Vec<_> = world.torrent.peers.values().filter(|peer| !peer.closing).map(|peer| peer.addr).collect();
    assert_eq!(open, [addr(2)]);
    // It changes its tracker: nobody stays, and nobody is remembered.
    world.command(Command::DropPeers);
    assert!(world.torrent.peers.values().all(|peer| peer.closing));
    assert_eq!(world.torrent.book.len(), 0);
}

#[test]
fn a_liar_under_another_address_is_still_a_liar() {
    let mut world = World::started(1, 16_384, 16_384, 1 << 20);
    let liar = world.connect();
    let id = world.torrent.peers[&liar].peer_id;
    world.event(liar, PeerEvent::Has(Bitfield::full(1)));
    let peer = world.peers.get_mut(&liar).unwrap();
    (peer.lies, peer.window) = (true, 1 << 20);
    world.unchoke(liar);
    world.run();
    assert_eq!(world.banned.len(), 1);
    let again = world.torrent.accept(world.now, addr(200)).unwrap();
    world.torrent.on_connected(world.now, again, Connected { peer_id: id, ..connected(200, true) });
    assert_eq!(world.torrent.connections().count(), 0);
}

#[test]
fn a_peer_that_called_us_is_not_called_back() {
    let mut world = World::new(1, 16_384, 100_000, 1 << 20);
    let key = world.connect();
    let handshake = ExtHandshake { port: Some(7000), ..ExtHandshake::default() };
    world.event(key, PeerEvent::Extended(Box::new(handshake)));
    let listens = SocketAddr::new(addr(1).ip(), 7000);
    world.torrent.on_addresses(world.now, Source::Tracker, &[listens]);
    world.play();
    assert!(world.dialled.is_empty());
    assert_eq!(world.torrent.good_addresses(), [listens]);
    world.close(key);
    world.wait(Duration::from_secs(15));
    assert_eq!(world.dialled.len(), 1, "once it is gone it is called");
}

#[test]
fn metadata_survives_a_liar() {
    let mut world = World::new(1, 16_384, 100_000, 1 << 20);
    let size = world.info.len() as u32;
    let peers: Vec<PeerKey> = (0..5).map(|_| world.connect()).collect();
    for &key in &peers {
        world.extended(key, Some(size));
    }
    let piece = |bytes| PeerEvent::MetadataPiece { index: 0, total_size: size, bytes };
    world.event(peers[0], piece(vec![b'x'; size as usize]));
    assert_eq!(world.banned.len(), 1, "it sent all of it");
    assert!(world.metadata.is_none());
    world.event(peers[1], PeerEvent::MetadataRejected { index: 0 });
    let honest = *peers[2..].iter().find(|key| !world.peers[key].metadata_asked.is_empty()).unwrap();
    let info = world.info.clone();
    world.event(honest, piece(info.clone()));
    assert_eq!(world.metadata, Some(info));
}

#[test]
fn without_anybody_useful_more_addresses_are_asked_for_ever_less_often() {
    let mut world = World::new(1, 16_384, 100_000, 1 << 20);
    let mut asked = Vec::new();
    for second in 0..1_200 {
        world.wait(Duration::from_secs(1));
        if world.want_peers as usize > asked.len() {
            asked.push(second + 1);
        }
    }
    assert_eq!(asked, [15, 45, 105, 225, 465, 765, 1065]);
}
