//! BEP 9 through the session, both ways, and what else rides on BEP 10.

use super::*;
use crate::proto::ext::{HolepunchMessage, MetadataMessage, PexFlags, PexMessage, PexPeer};

fn handshake(peer: &mut Scripted) {
    peer.says(Message::Extended { id: 0, payload: b"d1:md11:ut_metadatai3e6:ut_pexi4eee" });
    assert_eq!(words(&peer.news()), ["extended"]);
}

fn says(peer: &mut Scripted, message: MetadataMessage<'_>) {
    peer.says(Message::Extended { id: 1, payload: &message.encode() });
}

/// The metadata messages that it writes now.
fn answers(peer: &mut Scripted) -> Vec<String> {
    let mut out = Vec::new();
    while let Some(Outgoing::Bytes(bytes)) = peer.write() {
        let mut rest = &bytes[..];
        while let Some((message, len)) = Message::take(rest).unwrap() {
            let Message::Extended { id: 3, payload } = message else { panic!("{message:?}") };
            out.push(match MetadataMessage::decode(payload).unwrap() {
                MetadataMessage::Data { piece, total_size, bytes } => {
                    format!("{piece}: {} of {total_size}", bytes.len())
                }
                other => format!("{other:?}"),
            });
            rest = &rest[len..];
        }
    }
    out
}

#[test]
fn the_info_dictionary_is_served_in_pieces() {
    let mut peer = Scripted::new(true);
    handshake(&mut peer);
    for piece in [2, 0, 3] {
        says(&mut peer, MetadataMessage::Request { piece });
    }
    assert_eq!(answers(&mut peer), ["Reject { piece: 3 }", "2: 7232 of 40000", "0: 16384 of 40000"]);
}

#[test]
fn nobody_is_served_the_same_over_and_over() {
    let mut peer = Scripted::new(true);
    handshake(&mut peer);
    let mut served = 0;
    for _ in 0..100 {
        says(&mut peer, MetadataMessage::Request { piece: 0 });
        served += answers(&mut peer).iter().filter(|answer| answer.starts_with("0:")).count();
    }
    assert_eq!(served, 3 * 3 + 8);
}

#[test]
fn a_flood_of_requests_is_not_queued() {
    let mut peer = Scripted::new(true);
    handshake(&mut peer);
    (0..200).for_each(|_| says(&mut peer, MetadataMessage::Request { piece: 0 }));
    let answers = answers(&mut peer);
    assert_eq!(answers.len(), 200);
    assert!(answers.iter().filter(|answer| answer.starts_with("0:")).count() <= 17);
}

#[test]
fn asked_pieces_come_up_and_others_do_not() {
    let mut peer = Scripted::new(true);
    peer.command(PeerCommand::RequestMetadata(vec![4]));
    assert_eq!(words(&peer.news()), ["metadatarejected { index: 4 }"], "it has not said that it serves any");
    handshake(&mut peer);
    peer.command(PeerCommand::RequestMetadata(vec![0, 1, 2]));
    assert_eq!(answers(&mut peer), ["Request { piece: 0 }", "Request { piece: 1 }", "Request { piece: 2 }"]);
    says(&mut peer, MetadataMessage::Data { piece: 1, total_size: 20_000, bytes: &[3; 3_616] });
    says(&mut peer, MetadataMessage::Data { piece: 1, total_size: 20_000, bytes: &[3; 3_616] });
    says(&mut peer, MetadataMessage::Reject { piece: 2 });
    let news = peer.news();
    let [PeerEvent::MetadataPiece { index: 1, total_size: 20_000, bytes }, PeerEvent::MetadataRejected { index: 2 }] =
        &news[..]
    else {
        panic!("{:?}", words(&news))
    };
    assert_eq!(bytes[..], [3; 3_616]);
}

#[test]
fn pieces_of_wrong_lengths_or_absurd_sizes_end_the_connection() {
    for (piece, total_size, len) in
        [(0, 20_000, 16_383), (1, 20_000, 16_384), (1, 16_384, 0), (0, u32::MAX, 16_384), (0, 0, 0)]
    {
        let mut peer = Scripted::new(true);
        handshake(&mut peer);
        peer.command(PeerCommand::RequestMetadata(vec![piece]));
        says(&mut peer, MetadataMessage::Data { piece, total_size, bytes: &vec![0; len] });
        let news = words(&peer.news());
        assert!(news.len() == 1 && news[0].starts_with("closed Violation"), "{piece} {total_size} {len}: {news:?}");
    }
}

#[test]
fn addresses_come_and_go_and_too_many_messages_are_not_read() {
    let mut peer = Scripted::new(true);
    peer.command(PeerCommand::Pex(pex_of("10.0.0.1:1")));
    assert!(peer.written().is_empty(), "it has not said that it reads them");
    handshake(&mut peer);
    peer.command(PeerCommand::Pex(pex_of("10.0.0.1:1")));
    assert_eq!(peer.written(), ["EXTENDED 4"]);
    let pex = Message::Extended { id: 2, payload: b"d5:added6:\x0a\0\0\x02\0\x05e" };
    peer.says(pex);
    peer.says(pex);
    assert_eq!(
        words(&peer.news()),
        ["pex(pexmessage { added: [pexpeer { addr: 10.0.0.2:5, flags: pexflags(0) }], dropped: [] })"]
    );
    peer.now += Duration::from_secs(60);
    peer.says(pex);
    assert_eq!(peer.news().len(), 1);
}

#[test]
fn a_flood_of_pex_messages_ends_the_connection() {
    let mut peer = Scripted::new(true);
    handshake(&mut peer);
    peer.news();
    for _ in 0..11 {
        peer.says(Message::Extended { id: 2, payload: b"d5:added6:\x0a\0\0\x02\0\x05e" });
    }
    assert_eq!(peer.news().len(), 1);
    peer.says(Message::Extended { id: 2, payload: b"de" });
    assert!(words(&peer.news())[0].starts_with("closed Violation"));
}

#[test]
fn holepunching_is_heard_only_from_who_takes_part_and_not_for_ever() {
    let word = HolepunchMessage::Connect("10.0.0.9:9".parse().unwrap());
    let mut peer = Scripted::new(true);
    handshake(&mut peer);
    peer.news();
    peer.says(Message::Extended { id: 4, payload: &word.encode() });
    peer.command(PeerCommand::Holepunch(word));
    assert!(peer.news().is_empty() && peer.written().is_empty());
    peer.says(Message::Extended { id: 0, payload: b"d1:md12:ut_holepunchi9eee" });
    peer.news();
    for _ in 0..300 {
        peer.says(Message::Extended { id: 4, payload: &word.encode() });
    }
    assert_eq!(peer.news().len(), 100);
    peer.command(PeerCommand::Holepunch(word));
    assert_eq!(peer.written(), ["EXTENDED 9"]);
}

#[test]
fn a_torrent_that_turns_out_private_takes_its_word_back() {
    let mut peer = Scripted::new(true);
    handshake(&mut peer);
    peer.news();
    peer.command(PeerCommand::NoExchange);
    assert_eq!(peer.written(), ["EXTENDED 0"]);
    peer.says(Message::Extended { id: 2, payload: b"d5:added6:\x0a\0\0\x02\0\x05e" });
    peer.command(PeerCommand::Pex(pex_of("10.0.0.1:1")));
    assert!(peer.news().is_empty() && peer.written().is_empty());
}

fn pex_of(addr: &str) -> PexMessage {
    PexMessage { added: vec![PexPeer { addr: addr.parse().unwrap(), flags: PexFlags::default() }], dropped: vec![] }
}

#[test]
fn a_private_torrent_neither_reads_nor_offers_pex() {
    let mut peer = Scripted::with(true, |config| config.pex = false);
    handshake(&mut peer);
    peer.says(Message::Extended { id: 2, payload: b"d5:added6:\x0a\0\0\x02\0\x05e" });
    peer.command(PeerCommand::Pex(pex_of("10.0.0.1:1")));
    assert!(peer.news().is_empty() && peer.written().is_empty());
}

#[test]
fn becoming_a_partial_seed_is_told() {
    let mut peer = Scripted::new(true);
    peer.command(PeerCommand::UploadOnly(true));
    let Some(Outgoing::Bytes(bytes)) = peer.write() else { panic!() };
    let (Message::Extended { id: 0, payload }, _) = Message::take(&bytes).unwrap().unwrap() else { panic!() };
    let mut read = crate::proto::ext::ExtHandshake::default();
    read.update(payload).unwrap();
    assert!(read.upload_only);
    assert_eq!((read.metadata_size, read.reqq, read.port), (Some(40_000), Some(2_000), Some(6881)));
}
