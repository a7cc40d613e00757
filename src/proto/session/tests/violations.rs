//! Hostile and broken peers.

use super::*;
use proptest::prelude::*;

fn ends(peer: &mut Scripted) -> bool {
    words(&peer.news()).last().is_some_and(|last| last.starts_with("closed Violation"))
}

#[test]
fn a_block_that_was_not_asked_for_ends_a_fast_connection_and_after_a_few_any() {
    let mut fast = Scripted::downloading(true);
    fast.block(0, 0);
    assert!(ends(&mut fast));
    let mut slow = Scripted::downloading(false);
    (0..16).for_each(|_| slow.block(0, 0));
    assert!(slow.news().is_empty());
    slow.block(0, 0);
    assert!(ends(&mut slow));
}

#[test]
fn the_same_block_twice_or_of_another_length_was_not_asked_for() {
    let mut twice = Scripted::downloading(true);
    twice.lease(&[(1, 0)]);
    twice.written();
    twice.block(0, 0);
    twice.block(0, 0);
    assert!(ends(&mut twice));
    let mut short = Scripted::downloading(true);
    short.lease(&[(1, 0)]);
    short.written();
    short.says(Message::Piece { piece: 0, begin: 0, block: &[0; 100] });
    assert!(ends(&mut short));
}

#[test]
fn frames_that_can_not_be_end_the_connection_at_their_first_bytes() {
    let frames: [&[u8]; 8] = [
        &[0xff, 0xff, 0xff, 0xff, 5],  // a bitfield of 4 GiB
        &[0, 0, 0, 2, 0],              // a CHOKE with a payload
        &[0, 0, 0, 5, 7],              // a PIECE that is too short
        &[0, 2, 0, 10, 7],             // a block of more than 128 KiB
        &[0, 0, 0, 4, 5],              // a bitfield that does not fit the torrent
        &[0, 0, 0, 5, 4, 0, 0, 0, 10], // a HAVE beyond the last piece
        &[0, 4, 0, 1, 20],             // an extension message of more than 256 KiB
        &[0, 0x20, 0, 1, 99],          // an unknown message of more than 2 MiB
    ];
    for frame in frames {
        let mut peer = Scripted::new(true);
        peer.session.on_bytes(peer.now, frame);
        assert!(ends(&mut peer), "{frame:?}");
    }
}

#[test]
fn fast_messages_without_the_fast_extension_end_the_connection() {
    for message in [
        Message::HaveAll,
        Message::HaveNone,
        Message::Suggest(0),
        Message::AllowedFast(0),
        Message::Reject(request(0, 0)),
    ] {
        let mut peer = Scripted::new(false);
        peer.says(message);
        assert!(ends(&mut peer), "{message:?}");
    }
    let mut plain = Scripted::with(true, |config| config.theirs.0[5] = 0);
    plain.says(Message::Extended { id: 0, payload: b"de" });
    assert!(ends(&mut plain));
}

#[test]
fn absurd_requests_and_rejects_end_the_connection() {
    for message in [
        Message::Request(BlockRequest { piece: 10, begin: 0, len: 1 }),
        Message::Request(BlockRequest { piece: 0, begin: PIECE - 1, len: 2 }),
        Message::Request(BlockRequest { piece: 0, begin: 0, len: 0 }),
        Message::Request(BlockRequest { piece: 0, begin: 0, len: u32::MAX }),
        Message::Reject(request(0, 0)),
        Message::Extended { id: 0, payload: b"d" },
        Message::Extended { id: 1, payload: b"de" },
        Message::Extended { id: 3, payload: &[0] },
    ] {
        let mut peer = Scripted::new(true);
        peer.says(message);
        assert!(ends(&mut peer), "{message:?}");
    }
}

#[test]
fn a_peer_that_asks_on_and_takes_nothing_is_dropped() {
    let mut peer = Scripted::new(true);
    for _ in 0..20_000 {
        peer.says(Message::Request(request(0, 0)));
    }
    assert!(ends(&mut peer));
}

#[test]
fn after_the_end_nothing_happens() {
    let mut peer = Scripted::downloading(true);
    peer.session.close(peer.now, CloseReason::Ours);
    peer.news();
    peer.says(Message::Unchoke);
    peer.command(PeerCommand::Interest(true));
    peer.pass(Duration::from_secs(1_000));
    assert!(peer.news().is_empty() && peer.session.poll_write().is_none());
    assert!(!peer.session.read_slices().is_empty());
    peer.session.on_read(peer.now, 10);
    assert!(peer.news().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Leases always come back, whatever a peer sends.
    #[test]
    fn noise_breaks_nothing(
        frames in prop::collection::vec((0u8..25, prop::collection::vec(any::<u8>(), 0..40), any::<bool>()), 0..60),
        fast in any::<bool>(),
        slice in 1usize..50,
    ) {
        let mut peer = Scripted::downloading(fast);
        peer.lease(&[(1, 0), (2, 9)]);
        peer.written();
        let mut bytes = Vec::new();
        for (id, payload, honest) in frames {
            // Most frames have a length that is right, so that what is inside is reached.
            let len = if honest { payload.len() as u32 + 1 } else { u32::from_be_bytes([0, 0, id, 7]) };
            bytes.extend(len.to_be_bytes());
            bytes.push(id);
            bytes.extend(payload);
        }
        for part in bytes.chunks(slice) {
            peer.session.on_bytes(peer.now, part);
            peer.written();
        }
        peer.pass(Duration::from_secs(30));
        peer.session.close(peer.now, CloseReason::Ours);
        let news = words(&peer.news());
        let back = news.iter().filter(|word| word.starts_with("returned") || word.starts_with("filled")).count();
        prop_assert_eq!(back, 2);
        prop_assert!(news.last().unwrap().starts_with("closed"));
    }
}
