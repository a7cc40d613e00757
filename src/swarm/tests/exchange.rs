//! Words about other peers: PEX (BEP 11) and holepunching (BEP 55).

use std::net::SocketAddr;
use std::time::Duration;

use super::world::{World, addr};
use crate::base::bitfield::Bitfield;
use crate::base::id::PeerId;
use crate::proto::ext::{ExtHandshake, HolepunchError, HolepunchMessage, PexFlags, PexMessage, PexPeer};
use crate::proto::session::PeerEvent;
use crate::proto::session::message::CloseReason;
use crate::swarm::action::{Connected, DialFailure, Way};
use crate::swarm::{Command, PeerKey, Source};

fn world() -> World {
    let mut world = World::with(1, 16_384, 100_000, 1 << 20, |config| config.listen_port = Some(6881));
    world.start(Vec::new());
    world
}

fn speaks(port: u16, holepunch: bool) -> PeerEvent {
    PeerEvent::Extended(Box::new(ExtHandshake {
        port: Some(port),
        ut_pex: Some(1),
        ut_holepunch: holepunch.then_some(4),
        ..ExtHandshake::default()
    }))
}

/// A peer that calls us, listens on port 7000 and speaks both extensions.
fn member(world: &mut World) -> (PeerKey, SocketAddr) {
    let key = world.connect();
    world.event(key, speaks(7000, true));
    let at = world.torrent.peers[&key].listens.unwrap();
    (key, at)
}

fn added(world: &World, key: PeerKey) -> Vec<PexPeer> {
    world.peers[&key].told.iter().flat_map(|message| message.added.clone()).collect()
}

fn dial(world: &mut World, n: u8, way: Way) -> PeerKey {
    world.torrent.on_addresses(world.now, Source::Tracker, &[addr(n)]);
    world.play();
    let key = world.dialled.last().unwrap().0;
    let connected =
        Connected { addr: addr(n), peer_id: PeerId([n + 10; 20]), incoming: false, fast: true, extended: true, way };
    world.meet(key, connected);
    key
}

#[test]
fn connected_peers_hear_of_each_other_with_flags_soon_and_then_once_a_minute() {
    let mut world = world();
    let (first, first_at) = member(&mut world);
    let (second, second_at) = member(&mut world);
    world.event(second, PeerEvent::Has(Bitfield::full(7)));
    let third = dial(&mut world, 200, Way { utp: true, encrypted: true });
    world.event(third, speaks(6881, false));
    world.wait(Duration::from_secs(4));
    let told = added(&world, first);
    let holepunch = PexFlags::HOLEPUNCH;
    let reached = PexFlags(PexFlags::ENCRYPTION.0 | PexFlags::UTP.0 | PexFlags::REACHABLE.0);
    assert_eq!(
        told,
        [
            PexPeer { addr: second_at, flags: holepunch.with(PexFlags::SEED, true) },
            PexPeer { addr: addr(200), flags: reached },
        ]
    );
    assert!(added(&world, second).iter().any(|peer| peer.addr == first_at));
    assert!(added(&world, second).iter().all(|peer| peer.addr != second_at), "nobody hears of himself");
    let (_, fourth_at) = member(&mut world);
    world.close(second);
    world.wait(Duration::from_secs(50));
    assert_eq!(world.peers[&first].told.len(), 1, "one a minute");
    world.wait(Duration::from_secs(11));
    let later = &world.peers[&first].told[1];
    assert_eq!((later.added[0].addr, later.dropped.clone()), (fourth_at, vec![second_at]));
    world.wait(Duration::from_secs(300));
    assert_eq!(world.peers[&first].told.len(), 2, "nothing happens, nothing is said");
}

#[test]
fn fifty_at_most_are_told_at_a_time() {
    let mut world = world();
    let (first, _) = member(&mut world);
    (0..120).for_each(|_| _ = member(&mut world));
    world.wait(Duration::from_secs(4));
    assert_eq!(added(&world, first).len(), 50);
    world.wait(Duration::from_secs(60));
    assert_eq!(added(&world, first).len(), 100);
    world.wait(Duration::from_secs(60));
    assert_eq!(added(&world, first).len(), 120);
}

#[test]
fn a_private_torrent_says_and_hears_nothing() {
    for by_command in [false, true] {
        let mut world = World::with(1, 16_384, 100_000, 1 << 20, |config| config.pex = by_command);
        if by_command {
            world.command(Command::TrackerOnly);
        }
        let (first, _) = member(&mut world);
        let (_, second_at) = member(&mut world);
        let news = PexPeer { addr: addr(99), flags: PexFlags::HOLEPUNCH };
        world.event(first, PeerEvent::Pex(PexMessage { added: vec![news], dropped: vec![] }));
        world.event(first, PeerEvent::Holepunch(HolepunchMessage::Connect(addr(98))));
        world.event(first, PeerEvent::Holepunch(HolepunchMessage::Rendezvous(second_at)));
        world.wait(Duration::from_secs(100));
        assert!(world.peers.values().all(|peer| peer.told.is_empty() && peer.meetings.is_empty()));
        assert!(world.dialled.is_empty() && world.punched.is_empty());
    }
}

#[test]
fn what_peers_tell_is_called_but_never_from_the_internet_into_this_network() {
    let mut world = world();
    let (local, _) = member(&mut world);
    let tell = |addrs: &[&str]| {
        let added = addrs.iter().map(|addr| PexPeer { addr: addr.parse().unwrap(), flags: PexFlags::default() });
        PeerEvent::Pex(PexMessage { added: added.collect(), dropped: vec![] })
    };
    let global = world.torrent.accept(world.now, "9.9.9.9:5000".parse().unwrap()).unwrap();
    let connected = Connected {
        addr: "9.9.9.9:5000".parse().unwrap(),
        peer_id: PeerId([77; 20]),
        incoming: true,
        fast: true,
        extended: true,
        way: Way::default(),
    };
    world.meet(global, connected);
    world.event(global, speaks(7000, true));
    world.event(global, tell(&["127.0.0.1:22", "192.168.0.1:80", "8.8.8.8:1", "8.8.8.8:2", "8.8.8.8:3"]));
    let dialled = |world: &World| world.dialled.iter().map(|(_, addr)| addr.to_string()).collect::<Vec<_>>();
    assert_eq!(dialled(&world), ["8.8.8.8:1", "8.8.8.8:2"]);
    world.event(local, tell(&["192.168.0.1:80"]));
    assert_eq!(dialled(&world)[2..], ["192.168.0.1:80"]);
    world.wait(Duration::from_secs(5));
    assert!(added(&world, global).is_empty(), "the local peer's address is nothing for it");
    assert_eq!(added(&world, local).len(), 1);
}

#[test]
fn a_dial_that_fails_is_tried_again_through_who_told_of_it() {
    let mut world = world();
    let (relay, _) = member(&mut world);
    let hidden = PexPeer { addr: addr(90), flags: PexFlags::HOLEPUNCH };
    let plain = PexPeer { addr: addr(91), flags: PexFlags::default() };
    world.event(relay, PeerEvent::Pex(PexMessage { added: vec![hidden, plain], dropped: vec![] }));
    for (key, _) in world.dialled.clone() {
        world.torrent.on_dial_failed(world.now, key, DialFailure::TimedOut);
    }
    world.play();
    assert_eq!(world.peers[&relay].meetings, [HolepunchMessage::Rendezvous(addr(90))], "one of them takes part");
    world.event(relay, PeerEvent::Holepunch(HolepunchMessage::Connect(addr(90))));
    assert_eq!(world.punched.len(), 1);
    let (key, at) = world.punched[0];
    assert_eq!(at, addr(90));
    world.torrent.on_dial_failed(world.now, key, DialFailure::TimedOut);
    world.play();
    assert_eq!(world.peers[&relay].meetings.len(), 1, "a meeting that fails leads to no other");
}

#[test]
fn an_error_of_the_relay_ends_it() {
    let mut world = world();
    let (relay, _) = member(&mut world);
    let hidden = PexPeer { addr: addr(90), flags: PexFlags::HOLEPUNCH };
    world.event(relay, PeerEvent::Pex(PexMessage { added: vec![hidden], dropped: vec![] }));
    let error = HolepunchMessage::Error(addr(90), HolepunchError::NotConnected);
    world.event(relay, PeerEvent::Holepunch(error));
    let key = world.dialled[0].0;
    world.torrent.on_dial_failed(world.now, key, DialFailure::TimedOut);
    world.play();
    assert!(world.peers[&relay].meetings.is_empty(), "it is not connected to it any more");
}

#[test]
fn a_relay_brings_two_together_or_says_why_not() {
    let mut world = world();
    let (asker, asker_at) = member(&mut world);
    let (target, target_at) = member(&mut world);
    let deaf = world.connect();
    world.event(deaf, speaks(7000, false));
    let deaf_at = world.torrent.peers[&deaf].listens.unwrap();
    let mut ask = |about: SocketAddr| {
        world.event(asker, PeerEvent::Holepunch(HolepunchMessage::Rendezvous(about)));
        world.peers[&asker].meetings.last().copied()
    };
    assert_eq!(ask(target_at), Some(HolepunchMessage::Connect(target_at)));
    assert_eq!(ask(deaf_at), Some(HolepunchMessage::Error(deaf_at, HolepunchError::NoSupport)));
    assert_eq!(ask(addr(77)), Some(HolepunchMessage::Error(addr(77), HolepunchError::NotConnected)));
    let nowhere = "0.0.0.0:1".parse().unwrap();
    assert_eq!(ask(nowhere), Some(HolepunchMessage::Error(nowhere, HolepunchError::NoSuchPeer)));
    for _ in 0..100 {
        ask(target_at);
    }
    assert_eq!(world.peers[&target].meetings[0], HolepunchMessage::Connect(asker_at));
    assert_eq!(world.peers[&target].meetings.len(), 17, "one peer may not ask for ever");
    let unheard = world.peers[&asker].meetings.len();
    world.event(deaf, PeerEvent::Holepunch(HolepunchMessage::Rendezvous(target_at)));
    assert_eq!((world.peers[&asker].meetings.len(), world.peers[&deaf].meetings.len()), (unheard, 0));
}

#[test]
fn the_relay_itself_is_no_target() {
    let mut world = world();
    // Four peers of four networks agree on where they see us.
    for n in 1..=4 {
        let at = SocketAddr::from(([60, n, 1, 1], 5000));
        let key = world.torrent.accept(world.now, at).unwrap();
        let peer_id = PeerId([n + 100; 20]);
        world.meet(
            key,
            Connected { addr: at, peer_id, incoming: true, fast: true, extended: true, way: Way::default() },
        );
        let says = ExtHandshake {
            your_ip: Some([8, 7, 6, 5].into()),
            ut_holepunch: Some(4),
            port: Some(7000),
            ..ExtHandshake::default()
        };
        world.event(key, PeerEvent::Extended(Box::new(says)));
    }
    let ours = "8.7.6.5:6881".parse().unwrap();
    let (asker, _) = member(&mut world);
    world.event(asker, PeerEvent::Holepunch(HolepunchMessage::Rendezvous(ours)));
    assert_eq!(world.peers[&asker].meetings, [HolepunchMessage::Error(ours, HolepunchError::NoSelf)]);
    world.event(asker, PeerEvent::Holepunch(HolepunchMessage::Connect(ours)));
    assert!(world.punched.is_empty(), "nor do we call ourselves");
}

#[test]
fn a_target_calls_who_is_named_within_limits_and_says_nothing_else() {
    let mut world = world();
    let (relay, _) = member(&mut world);
    let (_, member_at) = member(&mut world);
    for at in [member_at, "224.0.0.1:5".parse().unwrap(), "10.0.0.1:0".parse().unwrap()] {
        world.event(relay, PeerEvent::Holepunch(HolepunchMessage::Connect(at)));
    }
    assert!(world.punched.is_empty(), "connected already, or nothing that can be called");
    for n in 100..=200 {
        world.event(relay, PeerEvent::Holepunch(HolepunchMessage::Connect(addr(n))));
    }
    assert_eq!(world.punched.len(), 20);
    assert!(world.peers[&relay].meetings.is_empty());
    world.torrent.on_addresses(world.now, Source::Tracker, &[addr(100)]);
    world.play();
    assert!(world.dialled.is_empty(), "it is being called already");
}

#[test]
fn a_dial_under_way_gives_way_to_the_meeting() {
    let mut world = world();
    let (relay, _) = member(&mut world);
    world.torrent.on_addresses(world.now, Source::Dht, &[addr(90)]);
    world.play();
    world.event(relay, PeerEvent::Holepunch(HolepunchMessage::Connect(addr(90))));
    assert_eq!((world.aborted.len(), world.punched.len()), (1, 1));
}

#[test]
fn a_peer_is_called_at_its_other_family_once_the_connection_is_lost() {
    let mut world = world();
    let key = world.connect();
    let elsewhere =
        ExtHandshake { port: Some(7000), ipv6: Some("fd00::5".parse().unwrap()), ..ExtHandshake::default() };
    world.event(key, PeerEvent::Extended(Box::new(elsewhere)));
    assert!(world.dialled.is_empty());
    world.event(key, PeerEvent::Closed(CloseReason::Lost("reset".into())));
    assert_eq!(world.dialled[0].1, "[fd00::5]:7000".parse().unwrap());
}

#[test]
fn when_full_a_caller_of_higher_priority_takes_the_place_of_an_idle_peer() {
    let mut world = World::with(1, 16_384, 100_000, 1 << 20, |config| config.max_peers = 8);
    world.start(Vec::new());
    let called = |world: &mut World, ip: [u8; 4]| {
        let at = SocketAddr::from((ip, 5000));
        let key = world.torrent.accept(world.now, at)?;
        let peer_id = PeerId([ip[1]; 20]);
        world.meet(
            key,
            Connected { addr: at, peer_id, incoming: true, fast: true, extended: true, way: Way::default() },
        );
        let says = ExtHandshake { your_ip: Some([123, 213, 32, 10].into()), ..ExtHandshake::default() };
        world.event(key, PeerEvent::Extended(Box::new(says)));
        // Interested, so that it is of some use.
        world.event(key, PeerEvent::Interested(true));
        Some(key)
    };
    let keys: Vec<PeerKey> = (0..8).map(|n| called(&mut world, [60, 10 + n, 1, 1]).unwrap()).collect();
    world.torrent.on_command(world.now, Command::UploadSlots(0));
    world.wait(Duration::from_secs(61));
    let priority = |world: &World, ip: [u8; 4]| world.torrent.book.priority(SocketAddr::from((ip, 5000)));
    let mut ours: Vec<(u32, PeerKey)> =
        keys.iter().enumerate().map(|(n, key)| (priority(&world, [60, 10 + n as u8, 1, 1]), *key)).collect();
    ours.sort();
    let candidates: Vec<[u8; 4]> = (100..200).map(|n| [60, n, 1, 1]).collect();
    let low = *candidates.iter().min_by_key(|ip| priority(&world, **ip)).unwrap();
    let high = *candidates.iter().max_by_key(|ip| priority(&world, **ip)).unwrap();
    assert!(priority(&world, low) < ours[0].0 && priority(&world, high) > ours[0].0);
    assert!(world.torrent.accept(world.now, SocketAddr::from((low, 1))).is_none());
    assert!(world.torrent.accept(world.now, SocketAddr::from((high, 1))).is_some());
    world.play();
    assert!(!world.peers.contains_key(&ours[0].1), "the least of them is gone");
}
