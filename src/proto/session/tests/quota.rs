//! Limits: payload waits for leave, and nothing else does.

use super::*;
use crate::proto::wire::HashRange;

fn grant(peer: &mut Scripted, direction: Direction, bytes: u32) {
    let grant = Grant { direction, bytes: bytes.into(), share: 1 << 30 };
    peer.session.on_grant(peer.now, grant);
}

fn words(peer: &mut Scripted) -> Vec<QuotaWord> {
    std::iter::from_fn(|| peer.session.poll_quota()).collect()
}

#[test]
fn blocks_are_asked_for_as_leave_is_had() {
    let mut peer = Scripted::downloading(true);
    peer.session.set_limited(peer.now, true, false);
    peer.lease(&[(1, 0)]);
    assert_eq!(peer.written(), Vec::<String>::new(), "four blocks, and no leave");
    assert_eq!(words(&mut peer), [QuotaWord::Wish(Direction::Down, 4 * u64::from(BLOCK_LEN))]);
    grant(&mut peer, Direction::Down, 2 * BLOCK_LEN);
    assert_eq!(peer.written().len(), 2);
    assert_eq!(words(&mut peer), [], "it wants the rest, as the limiter knows");
    // Too little for a block counts all the same.
    grant(&mut peer, Direction::Down, 100);
    assert_eq!((peer.written().len(), words(&mut peer)), (0, vec![]));
    peer.session.set_limited(peer.now, false, false);
    assert_eq!(peer.written().len(), 2, "without a limit all is asked for at once");
}

#[test]
fn under_a_new_limit_the_same_wish_is_said_again() {
    let mut peer = Scripted::downloading(true);
    let four = QuotaWord::Wish(Direction::Down, 4 * u64::from(BLOCK_LEN));
    for nth in 0..2 {
        peer.session.set_limited(peer.now, true, false);
        peer.lease(&[(1 + nth, nth as u32)]);
        peer.written();
        assert_eq!(words(&mut peer), [four]);
        peer.session.set_limited(peer.now, false, false);
        assert_eq!(peer.written().len(), 4);
    }
}

#[test]
fn who_is_gone_keeps_nothing_that_is_granted_later() {
    let mut peer = Scripted::downloading(true);
    peer.session.set_limited(peer.now, true, false);
    peer.lease(&[(1, 0)]);
    peer.written();
    words(&mut peer);
    peer.command(PeerCommand::Close);
    assert!(words(&mut peer).contains(&QuotaWord::Wish(Direction::Down, 0)));
    grant(&mut peer, Direction::Down, BLOCK_LEN);
    assert_eq!(words(&mut peer), [QuotaWord::Adjust(Direction::Down, BLOCK_LEN.into())]);
}

#[test]
fn what_was_granted_in_vain_goes_back() {
    let mut peer = Scripted::downloading(true);
    peer.session.set_limited(peer.now, true, false);
    peer.lease(&[(1, 0)]);
    peer.written();
    words(&mut peer);
    grant(&mut peer, Direction::Down, 3 * BLOCK_LEN);
    assert_eq!(peer.written().len(), 3);
    // One comes, one is rejected, one is taken back and comes all the same.
    peer.block(0, 0);
    peer.says(Message::Reject(BlockRequest { piece: 0, begin: BLOCK_LEN, len: BLOCK_LEN }));
    let back = |words: Vec<QuotaWord>| {
        let adjusted = |word: &QuotaWord| if let QuotaWord::Adjust(_, bytes) = word { *bytes } else { 0 };
        words.iter().map(adjusted).sum::<i64>()
    };
    let block = i64::from(BLOCK_LEN);
    assert_eq!(back(words(&mut peer)), block);
    peer.command(PeerCommand::Recall(vec![RunId(1)]));
    assert_eq!(back(words(&mut peer)), block);
    peer.block(0, 2);
    assert_eq!(back(words(&mut peer)), -block);
}

#[test]
fn a_choke_gives_all_leave_back() {
    let mut peer = Scripted::downloading(false);
    peer.session.set_limited(peer.now, true, false);
    peer.lease(&[(1, 0)]);
    peer.written();
    words(&mut peer);
    grant(&mut peer, Direction::Down, BLOCK_LEN + 100);
    peer.written();
    peer.says(Message::Choke);
    peer.written();
    let said = words(&mut peer);
    assert!(said.contains(&QuotaWord::Adjust(Direction::Down, i64::from(BLOCK_LEN) + 100)), "{said:?}");
    assert!(said.contains(&QuotaWord::Wish(Direction::Down, 0)), "{said:?}");
}

/// Under a limit up, the peer may ask for piece 0.
fn limited_and_unchoked(peer: &mut Scripted) {
    peer.session.set_limited(peer.now, false, true);
    peer.log.push(0);
    peer.command(PeerCommand::HavesGrew);
    peer.says(Message::Interested);
    peer.command(PeerCommand::Choke(false));
    peer.written();
}

#[test]
fn blocks_are_served_as_leave_is_had_and_small_frames_pass() {
    let mut peer = Scripted::new(true);
    limited_and_unchoked(&mut peer);
    for nth in 0..2 {
        peer.says(Message::Request(BlockRequest { piece: 0, begin: nth * BLOCK_LEN, len: BLOCK_LEN }));
    }
    assert_eq!(peer.written(), Vec::<String>::new());
    assert_eq!(words(&mut peer), [QuotaWord::Wish(Direction::Up, 2 * u64::from(BLOCK_LEN))]);
    peer.log.push(1);
    peer.command(PeerCommand::HavesGrew);
    assert_eq!(peer.written().len(), 1, "a HAVE does not wait");
    grant(&mut peer, Direction::Up, BLOCK_LEN);
    assert_eq!(peer.written(), ["PIECE 0+0"]);
    peer.says(Message::Cancel(BlockRequest { piece: 0, begin: BLOCK_LEN, len: BLOCK_LEN }));
    peer.written();
    assert_eq!(words(&mut peer), [QuotaWord::Wish(Direction::Up, 0)]);
}

/// Hashes are no payload, but up to 32 MiB of them may be had: the limit holds for them too.
#[test]
fn hashes_wait_for_leave_go_before_blocks_and_are_no_upload() {
    let mut peer = Scripted::with(true, |config| config.v2 = true);
    limited_and_unchoked(&mut peer);
    let range = HashRange { root: [5; 32], base: 2, index: 0, length: 512, proof: 8 };
    peer.says(Message::Request(BlockRequest { piece: 0, begin: 0, len: BLOCK_LEN }));
    peer.says(Message::HashRequest(range));
    peer.command(PeerCommand::SendHashes(range, vec![[1; 32]; 512]));
    assert_eq!(peer.written(), Vec::<String>::new());
    assert!(!peer.session.wants_write());
    assert_eq!(words(&mut peer), [QuotaWord::Wish(Direction::Up, 512 * 32 + u64::from(BLOCK_LEN))]);
    grant(&mut peer, Direction::Up, 512 * 32 - 1);
    assert_eq!(peer.written(), Vec::<String>::new(), "not the block either");
    grant(&mut peer, Direction::Up, 1);
    assert!(peer.session.wants_write());
    let Some(Outgoing::Bytes(bytes)) = peer.write() else { panic!("no answer") };
    assert!(matches!(Message::take(&bytes), Ok(Some((Message::Hashes { .. }, _)))));
    assert_eq!(peer.written(), Vec::<String>::new());
    assert_eq!(peer.session.tally.up, 0);
    grant(&mut peer, Direction::Up, BLOCK_LEN);
    assert_eq!(peer.written(), ["PIECE 0+0"]);
    peer.written();
    assert_eq!(words(&mut peer), [], "it has what it wished for");
}

#[test]
fn a_slow_share_holds_little_and_a_quick_one_the_window() {
    let mut peer = Scripted::downloading(true);
    peer.session.set_limited(peer.now, true, false);
    let hunger = |peer: &mut Scripted, share| {
        peer.lease(&[(1, 0)]);
        peer.written();
        for nth in 0..4 {
            // A small share asks for one at a time, and gives back what it has no use for.
            peer.session.on_grant(peer.now, Grant { direction: Direction::Down, bytes: 1 << 20, share });
            peer.written();
            peer.block(0, nth);
        }
        let events = peer.events();
        events.iter().rev().find_map(|event| match event {
            PeerEvent::Hungry { bytes, rate } => Some((*bytes, *rate)),
            _ => None,
        })
    };
    assert_eq!(hunger(&mut peer, 1_000).unwrap(), (BLOCK_LEN, 1_000));
    let (bytes, _) = hunger(&mut peer, 1 << 40).unwrap();
    assert!(bytes >= 16 * BLOCK_LEN, "{bytes}");
}
