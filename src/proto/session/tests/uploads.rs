//! Serving the peer: queue, chokes, cancels, the allowed fast set.

use super::*;

/// We have pieces 0 to 4 and the peer knows; it is unchoked.
fn serving(fast: bool) -> Scripted {
    let mut peer = Scripted::new(fast);
    (0..5).for_each(|piece| peer.log.push(piece));
    peer.command(PeerCommand::Choke(false));
    peer.says(Message::Interested);
    peer.written();
    peer.news();
    peer
}

#[test]
fn requests_are_served_in_order_and_small_frames_go_first() {
    let mut peer = serving(true);
    peer.says(Message::Request(request(1, 2)));
    peer.says(Message::Request(request(0, 0)));
    peer.log.push(6);
    assert_eq!(peer.written(), ["HAVE(6)", "PIECE 1+2", "PIECE 0+0"]);
    peer.session.close(peer.now, CloseReason::Ours);
    let Some(PeerEvent::Tally(tally)) = peer.session.poll_event() else { panic!() };
    assert_eq!(tally.up, 2 * u64::from(BLOCK_LEN));
}

#[test]
fn a_choke_rejects_what_is_queued_behind_the_choke() {
    let mut peer = serving(true);
    (0..3).for_each(|block| peer.says(Message::Request(request(0, block))));
    let Some(Outgoing::Block(first)) = peer.session.poll_write() else { panic!() };
    assert_eq!(first, request(0, 0));
    peer.command(PeerCommand::Choke(true));
    // What is being served is served to its end.
    peer.session.on_write_progress(peer.now, 13 + 16_384);
    peer.session.on_block_sent(peer.now, first);
    assert_eq!(peer.written(), ["CHOKE", "REJECT 0+1", "REJECT 0+2"]);
    peer.says(Message::Request(request(0, 3)));
    assert_eq!(peer.written(), ["REJECT 0+3"]);
}

#[test]
fn without_the_fast_extension_refusals_are_silent() {
    let mut peer = serving(false);
    (0..2).for_each(|block| peer.says(Message::Request(request(0, block))));
    peer.says(Message::Cancel(request(0, 1)));
    peer.says(Message::Request(request(8, 0)));
    assert_eq!(peer.written(), ["PIECE 0+0"]);
    peer.says(Message::Request(request(0, 2)));
    peer.command(PeerCommand::Choke(true));
    peer.says(Message::Request(request(0, 3)));
    assert_eq!(peer.written(), ["CHOKE"]);
    assert!(peer.news().is_empty());
}

#[test]
fn a_fast_peer_gets_one_answer_to_each_request() {
    let mut peer = serving(true);
    peer.says(Message::Request(request(0, 0)));
    peer.says(Message::Request(request(0, 0)));
    peer.says(Message::Request(request(8, 0)));
    peer.says(Message::Request(request(0, 1)));
    peer.says(Message::Cancel(request(0, 1)));
    peer.says(Message::Cancel(request(0, 2)));
    assert_eq!(peer.written(), ["REJECT 0+0", "REJECT 8+0", "REJECT 0+1", "PIECE 0+0"]);
}

#[test]
fn a_block_that_can_not_be_read_is_rejected() {
    let mut peer = serving(true);
    peer.says(Message::Request(request(0, 0)));
    let Some(Outgoing::Block(block)) = peer.session.poll_write() else { panic!() };
    peer.session.on_block_failed(peer.now, block);
    assert_eq!(peer.written(), ["REJECT 0+0"]);
    assert_eq!(words(&peer.news()), ["unreadable(0)"]);
    // Nothing counts as stuck on the way out.
    peer.pass(Duration::from_secs(70));
    assert!(peer.news().is_empty());
}

#[test]
fn more_requests_than_we_said_are_refused() {
    let mut peer = Scripted::with(true, |config| config.limits.reqq = 2);
    peer.log.push(0);
    peer.command(PeerCommand::Choke(false));
    peer.written();
    (0..4).for_each(|block| peer.says(Message::Request(request(0, block))));
    assert_eq!(peer.written(), ["REJECT 0+2", "REJECT 0+3", "PIECE 0+0", "PIECE 0+1"]);
}

#[test]
fn a_beginner_is_offered_its_allowed_fast_set_and_gets_it_choked() {
    let mut peer = Scripted::with(true, |config| config.allowed_fast = 3);
    (0..10).for_each(|piece| peer.log.push(piece));
    peer.written();
    peer.says(Message::HaveNone);
    let offered = peer.written();
    assert_eq!(offered.len(), 3);
    let piece = offered[0].trim_start_matches("ALLOWEDFAST(").trim_end_matches(')').parse().unwrap();
    let other = (0..10).find(|piece| !offered.contains(&format!("ALLOWEDFAST({piece})"))).unwrap();
    peer.says(Message::Request(request(piece, 0)));
    peer.says(Message::Request(request(other, 0)));
    assert_eq!(peer.written(), [format!("REJECT {other}+0"), format!("PIECE {piece}+0")]);
    // A choke does not drop it either.
    peer.command(PeerCommand::Choke(false));
    peer.written();
    peer.says(Message::Request(request(piece, 1)));
    peer.command(PeerCommand::Choke(true));
    assert_eq!(peer.written(), ["CHOKE".to_string(), format!("PIECE {piece}+1")]);
}

#[test]
fn who_has_pieces_already_is_offered_none() {
    let mut peer = Scripted::with(true, |config| config.allowed_fast = 3);
    peer.says(Message::Bitfield(&[0xe0, 0]));
    assert!(peer.written().is_empty());
}

#[test]
fn chokes_and_interest_are_latest_state() {
    let mut peer = Scripted::new(true);
    for flip in [true, false, true] {
        peer.command(PeerCommand::Interest(flip));
        peer.command(PeerCommand::Choke(!flip));
    }
    assert_eq!(peer.written(), ["INTERESTED", "UNCHOKE"]);
    for flip in [false, true] {
        peer.command(PeerCommand::Interest(flip));
    }
    assert!(peer.written().is_empty());
}
