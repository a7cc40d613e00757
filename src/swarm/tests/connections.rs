//! Who becomes a peer, and what is said to it at first.

use std::time::Duration;

use super::world::{World, addr};
use crate::base::id::PeerId;
use crate::swarm::action::{Connected, DialFailure};
use crate::swarm::{PeerKey, Source};

fn connected(n: u8, incoming: bool) -> Connected {
    Connected { addr: addr(n), peer_id: PeerId([n + 10; 20]), incoming, fast: true, extended: true }
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
    world.event(key, crate::proto::session::PeerEvent::MetadataPiece { index: 0, total_size: size, bytes });
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
