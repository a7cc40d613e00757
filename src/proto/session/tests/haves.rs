//! Who has what: the first message, the log, what comes before the metadata.

use super::*;

/// What a session with these pieces of ours says at first.
fn opening(fast: bool, extended: bool, pieces: std::ops::Range<u32>) -> Vec<String> {
    let (layout, now) = (layout(), Instant::now());
    let log = HaveLog::new(layout.pieces());
    pieces.for_each(|piece| log.push(piece));
    let facts = TorrentFacts { layout: layout.clone(), log: log.clone(), info: vec![9; 10].into() };
    let mut config = SessionConfig { torrent: Some(facts), dht_port: Some(6881), ..config() };
    config.theirs = Reserved([0, 0, 0, 0, 0, if extended { 0x10 } else { 0 }, 0, if fast { 0x05 } else { 0 }]);
    Scripted { session: Session::new(config, now), now, layout, log }.written()
}

#[test]
fn the_first_message_says_what_we_have_exactly_once() {
    assert_eq!(opening(true, true, 0..0), ["HAVENONE", "EXTENDED 0", "PORT(6881)"]);
    assert_eq!(opening(true, true, 0..10), ["HAVEALL", "EXTENDED 0", "PORT(6881)"]);
    assert_eq!(opening(true, false, 0..3), ["BITFIELD([224, 0])", "PORT(6881)"]);
    assert_eq!(opening(false, true, 0..0), ["EXTENDED 0"]);
    assert_eq!(opening(false, false, 0..10), ["BITFIELD([255, 192])"]);
    assert!(opening(false, false, 0..0).is_empty());
}

#[test]
fn before_the_metadata_a_fast_peer_hears_have_none_and_others_nothing() {
    let say = |theirs| {
        let now = Instant::now();
        let session = Session::new(SessionConfig { theirs, ..config() }, now);
        let mut peer = Scripted { session, now, layout: layout(), log: HaveLog::new(10) };
        let before = peer.written();
        peer.log.push(4);
        let (layout, log) = (peer.layout.clone(), peer.log.clone());
        peer.command(PeerCommand::Layout { layout, log, info: vec![1].into() });
        (before, peer.written())
    };
    let owned = |words: &[&str]| words.iter().map(|word| word.to_string()).collect::<Vec<_>>();
    // What resume data brought goes out as HAVE; the second handshake tells of the metadata.
    assert_eq!(say(Reserved::OURS), (owned(&["HAVENONE", "EXTENDED 0"]), owned(&["EXTENDED 0", "HAVE(4)"])));
    assert_eq!(say(Reserved::default()), (vec![], owned(&["HAVE(4)"])));
}

#[test]
fn the_log_is_followed_and_what_the_peer_has_is_not_told() {
    let mut peer = Scripted::new(true);
    peer.says(Message::Bitfield(&[0b1000_0000, 0]));
    for piece in [3, 0, 7] {
        peer.log.push(piece);
    }
    peer.command(PeerCommand::HavesGrew);
    assert_eq!(peer.written(), ["HAVE(3)", "HAVE(7)"]);
    peer.says(Message::Have(8));
    peer.log.push(8);
    peer.log.push(9);
    assert_eq!(peer.written(), ["HAVE(9)"]);
}

#[test]
fn what_a_peer_says_before_the_metadata_is_replayed() {
    let now = Instant::now();
    let session = Session::new(config(), now);
    let mut peer = Scripted { session, now, layout: layout(), log: HaveLog::new(10) };
    peer.says(Message::Bitfield(&[0b0100_0000, 0]));
    peer.says(Message::AllowedFast(4));
    peer.says(Message::Suggest(5));
    peer.says(Message::Have(9));
    peer.says(Message::Unchoke);
    assert_eq!(words(&peer.events()), ["unchoked"]);
    let (layout, log) = (peer.layout.clone(), peer.log.clone());
    peer.command(PeerCommand::Layout { layout, log, info: vec![1].into() });
    assert_eq!(words(&peer.news()), ["has 2", "allowedfast(4)", "suggested(5)"]);
    peer.says(Message::Have(9));
    peer.says(Message::Have(0));
    peer.says(Message::Have(2));
    assert_eq!(words(&peer.news()), ["have([0, 2])"]);
}

#[test]
fn a_wrong_bitfield_or_have_is_a_violation_also_when_it_came_early() {
    let early = |messages: &[Message]| {
        let now = Instant::now();
        let session = Session::new(config(), now);
        let mut peer = Scripted { session, now, layout: layout(), log: HaveLog::new(10) };
        messages.iter().for_each(|message| peer.says(*message));
        assert!(peer.news().is_empty());
        let (layout, log) = (peer.layout.clone(), peer.log.clone());
        peer.command(PeerCommand::Layout { layout, log, info: vec![1].into() });
        words(&peer.news())
    };
    for bad in [&[Message::Bitfield(&[0])][..], &[Message::Bitfield(&[0, 0x20])], &[Message::Have(10)]] {
        assert!(early(bad)[0].starts_with("closed Violation"), "{bad:?}");
        let mut late = Scripted::new(true);
        bad.iter().for_each(|message| late.says(*message));
        assert!(words(&late.news())[0].starts_with("closed Violation"), "{bad:?}");
    }
}

#[test]
fn a_peer_without_a_bitfield_has_nothing_and_a_late_one_adds_to_it() {
    let mut peer = Scripted::new(false);
    peer.says(Message::Unchoke);
    assert_eq!(words(&peer.news()), ["has 0", "unchoked"]);
    peer.says(Message::Have(1));
    peer.says(Message::Bitfield(&[0b1100_0000, 0]));
    assert_eq!(words(&peer.news()), ["have([1])", "have([0])"]);
}

#[test]
fn nobody_makes_us_keep_endless_haves() {
    let now = Instant::now();
    let mut session = Session::new(config(), now);
    let mut bytes = Vec::new();
    (0..100_000).for_each(|piece| Message::Have(piece).encode(&mut bytes));
    session.on_bytes(now, &bytes);
    let layout = Arc::new(Layout::v1(1, [(200_000, false)]));
    session.on_command(now, PeerCommand::Layout { log: HaveLog::new(200_000), layout, info: vec![1].into() });
    assert!(matches!(session.poll_event(), Some(PeerEvent::Has(bits)) if bits.count() == 1 << 16));
}

#[test]
fn a_piece_that_is_lost_is_taken_back_from_who_knows_the_word() {
    let mut peer = Scripted::new(true);
    peer.log.push(3);
    assert_eq!(peer.written(), ["HAVE(3)"]);
    peer.log.lose(3);
    assert!(peer.written().is_empty(), "it has not said that it knows DONT HAVE");
    peer.says(Message::Extended { id: 0, payload: b"d1:md11:lt_donthavei7eee" });
    peer.log.push(3);
    peer.log.lose(3);
    assert_eq!(peer.written(), ["HAVE(3)", "EXTENDED 7"]);
}

#[test]
fn a_super_seed_owns_up_to_what_is_offered_and_serves_nothing_else() {
    let (layout, now) = (layout(), Instant::now());
    let log = HaveLog::new(layout.pieces());
    (0..10).for_each(|piece| log.push(piece));
    let facts = TorrentFacts { layout: layout.clone(), log: log.clone(), info: vec![9; 10].into() };
    let mut config = SessionConfig { torrent: Some(facts), super_seed: true, upload_only: true, ..config() };
    config.theirs = Reserved([0, 0, 0, 0, 0, 0x10, 0, 0x04]);
    let mut peer = Scripted { session: Session::new(config, now), now, layout, log };
    assert_eq!(peer.written(), ["HAVENONE", "EXTENDED 0"]);
    peer.says(Message::Interested);
    peer.command(PeerCommand::Choke(false));
    peer.command(PeerCommand::Offer(4));
    peer.command(PeerCommand::Offer(4));
    assert_eq!(peer.written(), ["HAVE(4)", "UNCHOKE"]);
    let request = |piece| Message::Request(BlockRequest { piece, begin: 0, len: 16_384 });
    peer.says(request(5));
    assert!(peer.written()[0].starts_with("REJECT"));
    peer.says(request(4));
    assert_eq!(peer.write(), Some(Outgoing::Block(BlockRequest { piece: 4, begin: 0, len: 16_384 })));
    peer.command(PeerCommand::OwnUp);
    assert_eq!(peer.written().len(), 11, "a handshake, and HAVE of all ten");
}
