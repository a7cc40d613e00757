//! The same stream gives the same, however it is cut and whichever way it is read.

use super::*;
use proptest::prelude::*;

/// One thing that a peer says.
#[derive(Clone, Debug)]
enum Said {
    /// The n-th of the blocks that are still asked for.
    Block(usize),
    /// A block of the recalled run.
    Late(u32),
    Have(u32),
    Reject(usize),
    KeepAlive,
    Unknown(u16),
    Handshake,
    Interested(bool),
    Request(u32),
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        6 => Just(Said::Block(0)),
        2 => (0usize..8).prop_map(Said::Block),
        1 => (0u32..4).prop_map(Said::Late),
        1 => (0u32..10).prop_map(Said::Have),
        1 => (0usize..3).prop_map(Said::Reject),
        1 => Just(Said::KeepAlive),
        1 => any::<u16>().prop_map(Said::Unknown),
        1 => Just(Said::Handshake),
        1 => any::<bool>().prop_map(Said::Interested),
        1 => (0u32..4).prop_map(Said::Request),
    ]
}

/// The stream of `said` to a session that has asked for all of pieces 0, 2, 3 and 9 and taken piece 1 back.
fn stream(said: &[Said]) -> Vec<u8> {
    let layout = layout();
    let mut due: Vec<(u32, u32)> =
        [0, 2, 3, 9].into_iter().flat_map(|piece| (0..layout.blocks(piece)).map(move |block| (piece, block))).collect();
    let mut late = vec![0, 1, 2, 3];
    let mut out = Vec::new();
    let block = |out: &mut Vec<u8>, piece: u32, block: u32| {
        let bytes: Vec<u8> = (0..layout.block_len(piece, block)).map(|i| (i * 7 + piece * 31 + block) as u8).collect();
        Message::Piece { piece, begin: block * BLOCK_LEN, block: &bytes }.encode(out);
    };
    for said in said {
        match *said {
            Said::Block(nth) if nth < due.len() => {
                let (piece, at) = due.remove(nth);
                block(&mut out, piece, at);
            }
            Said::Late(at) if late.contains(&at) => {
                late.retain(|&other| other != at);
                block(&mut out, 1, at);
            }
            Said::Reject(nth) if nth < due.len() => {
                let (piece, at) = due.remove(nth);
                let len = layout.block_len(piece, at);
                Message::Reject(BlockRequest { piece, begin: at * BLOCK_LEN, len }).encode(&mut out);
            }
            Said::Block(_) | Said::Late(_) | Said::Reject(_) => {}
            Said::Have(piece) => Message::Have(piece).encode(&mut out),
            Said::KeepAlive => Message::KeepAlive.encode(&mut out),
            Said::Unknown(len) => {
                out.extend((u32::from(len) + 1).to_be_bytes());
                out.push(99);
                out.extend(vec![0xaa; len.into()]);
            }
            Said::Handshake => Message::Extended { id: 0, payload: b"d4:reqqi100ee" }.encode(&mut out),
            Said::Interested(true) => Message::Interested.encode(&mut out),
            Said::Interested(false) => Message::NotInterested.encode(&mut out),
            Said::Request(block) => Message::Request(request(5, block)).encode(&mut out),
        }
    }
    out
}

fn listening() -> Scripted {
    let mut peer = Scripted::new(true);
    peer.log.push(5);
    peer.command(PeerCommand::Choke(false));
    peer.says(Message::Bitfield(&[0xbf, 0x40]));
    peer.says(Message::Unchoke);
    peer.lease(&[(1, 0), (2, 1), (3, 2), (4, 3), (5, 9)]);
    peer.written();
    peer.command(PeerCommand::Recall(vec![RunId(2)]));
    peer.written();
    peer.events();
    peer
}

/// What comes out in the end: events with the runs' bytes, what is left in the session, what it serves.
fn outcome(mut peer: Scripted) -> Vec<String> {
    let mut out = Vec::new();
    let mut haves = Vec::new();
    let written = peer.written();
    let last = peer.news();
    peer.session.close(peer.now, CloseReason::Ours);
    for event in last.into_iter().chain(peer.news()) {
        match &event {
            // Which HAVEs share an event depends on the reads.
            PeerEvent::Have(pieces) => haves.extend_from_slice(pieces),
            PeerEvent::Filled(run) | PeerEvent::Returned(run) => {
                let there: Vec<&[u8]> =
                    (0..4).filter(|bit| run.have >> bit & 1 == 1).map(|bit| run.block(bit)).collect();
                out.push(format!("{} {:?}", word(&event), crate::base::hash::sha1(&there.concat())));
            }
            _ => out.push(word(&event)),
        }
    }
    out.push(format!("{haves:?} wasted {} {written:?}", peer.session.tally.wasted));
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_slicing_gives_the_same(
        said in prop::collection::vec(said(), 0..40),
        cuts in prop::collection::vec((1usize..40_000, any::<bool>()), 1..60),
        fine in any::<bool>(),
    ) {
        let stream = stream(&said);
        let mut whole = listening();
        whole.session.on_bytes(whole.now, &stream);
        let expected = outcome(whole);

        let mut cut = listening();
        let mut rest = &stream[..];
        for &(len, scatter) in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let len = if fine { len % 23 + 1 } else { len }.min(rest.len());
            if scatter {
                let mut n = 0;
                for slice in cut.session.read_slices().iter_mut() {
                    let part = slice.len().min(len - n);
                    slice[..part].copy_from_slice(&rest[n..n + part]);
                    n += part;
                }
                prop_assert!(n > 0);
                cut.session.on_read(cut.now, n);
                rest = &rest[n..];
            } else {
                cut.session.on_bytes(cut.now, &rest[..len]);
                rest = &rest[len..];
            }
        }
        prop_assert_eq!(outcome(cut), expected);
    }
}

#[test]
fn blocks_in_the_order_asked_are_read_straight_into_their_leases() {
    let mut peer = Scripted::downloading(true);
    peer.lease(&[(1, 0), (2, 9)]);
    peer.written();
    let lens: Vec<usize> = peer.session.read_slices().iter().map(|slice| slice.len()).collect();
    // A header and a block for each of the first four; the window of slices opens with what reads bring.
    assert_eq!(lens, [13, 16_384, 13, 16_384, 13, 16_384, 13, 16_384]);
    peer.block(0, 0);
    let lens: Vec<usize> = peer.session.read_slices().iter().map(|slice| slice.len()).collect();
    assert_eq!(lens, [13, 16_384, 13, 16_384, 13, 16_384, 13, 1_000]);
}

#[test]
fn a_block_out_of_order_moves_what_is_expected_next() {
    let mut peer = Scripted::downloading(true);
    peer.lease(&[(1, 9), (2, 0)]);
    peer.written();
    peer.block(0, 2);
    // Only the block behind it, then room for surprises.
    let lens: Vec<usize> = peer.session.read_slices().iter().map(|slice| slice.len()).collect();
    assert_eq!(lens, [13, 16_384, 4_096]);
    peer.block(0, 3);
    // Then from the first again.
    let lens: Vec<usize> = peer.session.read_slices().iter().map(|slice| slice.len()).collect();
    assert_eq!(lens[..2], [13, 1_000]);
}
