//! Leases: asked for in order, filled, recalled, choked away, rejected.

use super::*;

#[test]
fn leased_blocks_are_asked_for_in_order_and_in_one_write() {
    let mut peer = Scripted::downloading(true);
    peer.lease(&[(1, 3), (2, 9)]);
    let Some(Outgoing::Bytes(bytes)) = peer.write() else { panic!("one write") };
    assert_eq!(bytes.len(), 5 * 17);
    assert_eq!(peer.write(), None);
    let (last, _) = Message::take(&bytes[4 * 17..]).unwrap().unwrap();
    // The last block of the torrent is short.
    assert_eq!(last, Message::Request(BlockRequest { piece: 9, begin: 0, len: 1_000 }));
}

#[test]
fn a_run_is_filled_in_any_order() {
    let mut peer = Scripted::downloading(true);
    peer.lease(&[(1, 0)]);
    peer.written();
    for block in [2, 0, 3, 1] {
        assert!(peer.news().is_empty());
        peer.block(0, block);
    }
    let [PeerEvent::Filled(run)] = &peer.news()[..] else { panic!() };
    assert!(run.is_complete() && run.want == 0);
    assert!((0..4).all(|block| run.block(block).iter().all(|&byte| byte == block as u8)));
}

#[test]
fn only_wanted_blocks_are_asked_for() {
    let mut peer = Scripted::downloading(true);
    let mut run = peer.run(1, 2);
    (run.have, run.want) = (0b0001, 0b1010);
    peer.command(PeerCommand::Lease(vec![run]));
    assert_eq!(peer.written(), ["REQUEST 2+1", "REQUEST 2+3"]);
    peer.block(2, 1);
    peer.block(2, 3);
    let [PeerEvent::Filled(run)] = &peer.news()[..] else { panic!() };
    assert_eq!((run.have, run.want), (0b1011, 0));
}

#[test]
fn a_recall_cancels_and_late_blocks_are_thrown_away() {
    let mut peer = Scripted::downloading(true);
    peer.lease(&[(1, 0), (2, 1)]);
    peer.written();
    peer.block(0, 0);
    peer.command(PeerCommand::Recall(vec![RunId(1), RunId(77)]));
    assert_eq!(words(&peer.news()), ["returned 1 have 1"]);
    assert_eq!(peer.written(), ["CANCEL 0+1", "CANCEL 0+2", "CANCEL 0+3"]);
    // Two were on their way, one is rejected; the next lease goes on undisturbed.
    peer.block(0, 1);
    peer.block(0, 2);
    peer.says(Message::Reject(request(0, 3)));
    (0..4).for_each(|block| peer.block(1, block));
    assert_eq!(words(&peer.news()), ["filled 2"]);
    assert_eq!(peer.session.tally.wasted, 2 * u64::from(BLOCK_LEN));
}

#[test]
fn a_late_block_that_is_asked_for_again_is_used() {
    let mut peer = Scripted::downloading(true);
    peer.lease(&[(1, 0)]);
    peer.written();
    peer.command(PeerCommand::Recall(vec![RunId(1)]));
    peer.lease(&[(2, 0)]);
    peer.written();
    (0..4).for_each(|block| peer.block(0, block));
    (0..4).for_each(|block| peer.says(Message::Reject(request(0, block))));
    assert_eq!(words(&peer.news()), ["returned 1 have 0", "filled 2"]);
    assert_eq!(peer.session.tally.wasted, 0);
}

#[test]
fn a_recall_in_the_middle_of_a_block_reads_past_the_rest() {
    let mut peer = Scripted::downloading(true);
    peer.lease(&[(1, 0), (2, 1)]);
    peer.written();
    let mut bytes = Vec::new();
    Message::Piece { piece: 0, begin: 0, block: &[5; BLOCK_LEN as usize] }.encode(&mut bytes);
    peer.session.on_bytes(peer.now, &bytes[..5_000]);
    peer.command(PeerCommand::Recall(vec![RunId(1)]));
    peer.session.on_bytes(peer.now, &bytes[5_000..]);
    (0..4).for_each(|block| peer.block(1, block));
    assert_eq!(words(&peer.news()), ["returned 1 have 0", "filled 2"]);
}

#[test]
fn a_choke_without_the_fast_extension_returns_everything_before_it_is_told() {
    let mut peer = Scripted::downloading(false);
    peer.lease(&[(1, 0), (2, 1)]);
    peer.written();
    peer.block(0, 0);
    peer.says(Message::Choke);
    assert_eq!(words(&peer.news()), ["returned 1 have 1", "returned 2 have 0", "choked"]);
    // A lease that crossed the choke comes back too; a block that was on its way does no harm.
    peer.lease(&[(3, 2)]);
    peer.block(0, 1);
    assert_eq!(words(&peer.news()), ["returned 3 have 0"]);
    assert!(peer.written().is_empty());
    peer.says(Message::Unchoke);
    peer.lease(&[(4, 2)]);
    assert_eq!(words(&peer.news()), ["unchoked"]);
    assert_eq!(peer.written().len(), 4);
}

#[test]
fn a_choke_with_the_fast_extension_waits_for_each_answer() {
    let mut peer = Scripted::with(true, |config| config.limits.max_window = 4 * BLOCK_LEN);
    peer.says(Message::HaveAll);
    peer.says(Message::Unchoke);
    peer.lease(&[(1, 0), (2, 1)]);
    assert_eq!(peer.written().len(), 4);
    peer.news();
    peer.says(Message::Choke);
    // Nothing of the second was asked for.
    assert_eq!(words(&peer.news()), ["returned 2 have 0", "choked"]);
    peer.block(0, 0);
    for block in 1..4 {
        assert!(peer.news().is_empty());
        peer.says(Message::Reject(request(0, block)));
    }
    assert_eq!(words(&peer.news()), ["returned 1 have 1"]);
}

#[test]
fn a_rejected_block_sends_its_run_back_once_the_others_are_answered() {
    let mut peer = Scripted::downloading(true);
    peer.lease(&[(1, 0)]);
    peer.written();
    peer.says(Message::Reject(request(0, 0)));
    (1..3).for_each(|block| peer.block(0, block));
    assert!(peer.news().is_empty());
    peer.block(0, 3);
    assert_eq!(words(&peer.news()), ["returned 1 have 1110"]);
}

#[test]
fn allowed_fast_pieces_are_asked_for_while_choked() {
    let mut peer = Scripted::new(true);
    peer.says(Message::HaveAll);
    peer.says(Message::AllowedFast(3));
    assert_eq!(words(&peer.news()), ["has 10", "allowedfast(3)"]);
    peer.lease(&[(1, 3), (2, 4)]);
    assert_eq!(words(&peer.news()), ["returned 2 have 0"]);
    assert_eq!(peer.written(), ["REQUEST 3+0", "REQUEST 3+1", "REQUEST 3+2", "REQUEST 3+3"]);
    (0..4).for_each(|block| peer.block(3, block));
    assert_eq!(words(&peer.news()), ["filled 1"]);
}

#[test]
fn dont_have_returns_what_the_peer_will_not_answer() {
    let dont_have = Message::Extended { id: 3, payload: &[0, 0, 0, 1] };
    let mut slow = Scripted::downloading(false);
    slow.lease(&[(1, 0), (2, 1)]);
    slow.written();
    slow.says(dont_have);
    assert_eq!(words(&slow.news()), ["returned 2 have 0", "donthave(1)"]);
    let mut fast = Scripted::downloading(true);
    fast.lease(&[(1, 0), (2, 1)]);
    fast.written();
    fast.says(dont_have);
    assert_eq!(words(&fast.news()), ["donthave(1)"]);
}

#[test]
fn hunger_is_said_early_once_and_again_after_a_grant() {
    let hunger = |peer: &mut Scripted| {
        let hungry = |event| if let PeerEvent::Hungry { bytes, .. } = event { Some(bytes) } else { None };
        peer.events().into_iter().filter_map(hungry).collect::<Vec<_>>()
    };
    let mut peer = Scripted::new(true);
    peer.says(Message::HaveAll);
    assert!(hunger(&mut peer).is_empty(), "choked");
    peer.says(Message::Unchoke);
    let [first] = hunger(&mut peer)[..] else { panic!("once") };
    assert!(first >= 8 * BLOCK_LEN);
    peer.says(Message::Have(1));
    assert!(hunger(&mut peer).is_empty());
    peer.lease(&[(1, 0)]);
    let [second] = hunger(&mut peer)[..] else { panic!("one piece is not enough") };
    assert_eq!(second, first - PIECE);
    peer.lease(&[(2, 1), (3, 2), (4, 3), (5, 4), (6, 5)]);
    peer.written();
    assert!(hunger(&mut peer).is_empty(), "a window and a half are held");
    (0..4).for_each(|block| peer.block(0, block));
    assert!(!hunger(&mut peer).is_empty(), "before the pipeline drains");
}

#[test]
fn no_more_is_asked_for_than_the_peer_holds() {
    let mut peer = Scripted::downloading(true);
    peer.says(Message::Extended { id: 0, payload: b"d4:reqqi3ee" });
    peer.lease(&[(1, 0), (2, 1)]);
    assert_eq!(peer.written().len(), 3);
    peer.block(0, 0);
    peer.block(0, 1);
    assert_eq!(peer.written(), ["REQUEST 0+3", "REQUEST 1+0"]);
}

#[test]
fn closing_returns_leases_before_the_last_word_and_so_do_those_that_cross() {
    let mut peer = Scripted::downloading(true);
    peer.lease(&[(1, 0)]);
    peer.written();
    peer.session.close(peer.now, CloseReason::Lost("reset".into()));
    peer.lease(&[(2, 1)]);
    assert_eq!(words(&peer.news()), ["returned 1 have 0", "returned 2 have 0", "closed Lost(\"reset\")"]);
}
