//! BEP 52 through the session, both ways.

use super::*;
use crate::proto::wire::HashRange;

fn range(index: u32) -> HashRange {
    HashRange { root: [5; 32], base: 2, index, length: 2, proof: 3 }
}

/// With metadata, under the v2 hash.
fn v2() -> Scripted {
    Scripted::with(true, |config| config.v2 = true)
}

/// The messages that it writes now, of BEP 52 all.
fn written(peer: &mut Scripted) -> Vec<String> {
    let mut out = Vec::new();
    while let Some(Outgoing::Bytes(bytes)) = peer.write() {
        let mut rest = &bytes[..];
        while let Some((message, len)) = Message::take(rest).unwrap() {
            out.push(match message {
                Message::HashRequest(range) => format!("request {}", range.index),
                Message::Hashes { range, hashes } => format!("hashes {}: {}", range.index, hashes.len()),
                Message::HashReject(range) => format!("reject {}", range.index),
                other => panic!("{other:?}"),
            });
            rest = &rest[len..];
        }
    }
    out
}

fn heard(events: &[PeerEvent]) -> Vec<String> {
    let heard = |event: &PeerEvent| match event {
        PeerEvent::HashRequest(range) => format!("request {}", range.index),
        PeerEvent::Hashes(range, hashes) => format!("hashes {}: {}", range.index, hashes.len()),
        PeerEvent::HashReject(range) => format!("reject {}", range.index),
        other => word(other),
    };
    events.iter().map(heard).collect()
}

#[test]
fn requests_go_up_and_the_torrent_answers() {
    let mut peer = v2();
    [0, 2, 4].into_iter().for_each(|index| peer.says(Message::HashRequest(range(index))));
    assert_eq!(heard(&peer.news()), ["request 0", "request 2", "request 4"]);
    peer.command(PeerCommand::SendHashes(range(2), vec![[1; 32]; 5]));
    peer.command(PeerCommand::RejectHashes(range(0)));
    peer.command(PeerCommand::SendHashes(range(6), vec![[1; 32]; 5]));
    assert_eq!(written(&mut peer), ["reject 0", "hashes 2: 5"], "what was not asked for is not sent");
}

#[test]
fn what_can_not_be_asked_for_is_rejected_at_once() {
    let mut peer = v2();
    for unsound in [HashRange { length: 3, ..range(0) }, HashRange { length: 1_024, ..range(1_024) }, range(1)] {
        peer.says(Message::HashRequest(unsound));
    }
    assert_eq!(written(&mut peer), ["reject 0", "reject 1024", "reject 1"]);
    assert!(peer.news().is_empty());
}

#[test]
fn under_the_v1_hash_or_without_metadata_nobody_is_answered() {
    let mut v1 = Scripted::new(true);
    let mut early = Scripted::with(true, |config| (config.v2, config.torrent) = (true, None));
    for peer in [&mut v1, &mut early] {
        peer.says(Message::HashRequest(range(0)));
        assert_eq!(written(peer), ["reject 0"]);
        assert!(peer.news().is_empty());
    }
}

#[test]
fn requests_beyond_the_bound_are_rejected_until_answers_are_written() {
    let mut peer = v2();
    for index in 0..20 {
        peer.says(Message::HashRequest(range(index * 2)));
    }
    assert_eq!(peer.news().len(), 16);
    assert_eq!(written(&mut peer), ["reject 32", "reject 34", "reject 36", "reject 38"]);
    for index in 0..16 {
        peer.command(PeerCommand::SendHashes(range(index * 2), vec![[0; 32]; 4]));
    }
    peer.says(Message::HashRequest(range(40)));
    assert!(peer.news().is_empty(), "what waits to be written counts");
    assert_eq!(written(&mut peer).len(), 1 + 16);
    peer.says(Message::HashRequest(range(40)));
    assert_eq!(heard(&peer.news()), ["request 40"]);
    peer.says(Message::HashRequest(range(40)));
    assert_eq!(written(&mut peer), ["reject 40"], "the same again while the first is not answered");
}

#[test]
fn nobody_is_answered_without_end() {
    let mut peer = v2();
    let (long, mut taken) = (HashRange { length: 512, proof: 0, ..range(0) }, 0);
    for _ in 0..3_000 {
        peer.says(Message::HashRequest(long));
        taken += peer.news().len();
        peer.command(PeerCommand::SendHashes(long, vec![[0; 32]; 512]));
        written(&mut peer);
    }
    assert_eq!(taken, 1_000_000 / 512);
    peer.now += Duration::from_secs(60);
    peer.says(Message::HashRequest(long));
    assert_eq!(heard(&peer.news()), ["request 0"]);
}

#[test]
fn asked_hashes_come_up_and_others_do_not() {
    let mut peer = v2();
    peer.command(PeerCommand::RequestHashes(vec![range(0), range(2)]));
    assert_eq!(written(&mut peer), ["request 0", "request 2"]);
    let hashes = [[7; 32]; 5];
    peer.says(Message::Hashes { range: range(4), hashes: &hashes });
    peer.says(Message::HashReject(range(4)));
    peer.says(Message::Hashes { range: HashRange { proof: 2, ..range(0) }, hashes: &hashes });
    assert!(peer.news().is_empty());
    peer.says(Message::Hashes { range: range(2), hashes: &hashes });
    peer.says(Message::Hashes { range: range(2), hashes: &hashes });
    peer.says(Message::HashReject(range(0)));
    assert_eq!(heard(&peer.news()), ["hashes 2: 5", "reject 0"]);
}

#[test]
fn who_speaks_only_v1_with_us_is_not_asked() {
    let mut peer = Scripted::new(true);
    peer.command(PeerCommand::RequestHashes(vec![range(0)]));
    assert_eq!(heard(&peer.news()), ["reject 0"]);
    assert!(written(&mut peer).is_empty());
}

#[test]
fn a_wrong_number_of_hashes_ends_the_connection() {
    for count in [0, 2, 4, 6] {
        let mut peer = v2();
        peer.command(PeerCommand::RequestHashes(vec![range(0)]));
        peer.says(Message::Hashes { range: range(0), hashes: &vec![[0; 32]; count] });
        assert_eq!(words(&peer.news()), ["closed Violation(\"a wrong number of hashes\")"], "{count}");
    }
}

#[test]
fn requests_that_nobody_answers_are_given_up() {
    let mut peer = v2();
    peer.command(PeerCommand::RequestHashes(vec![range(0), range(2)]));
    peer.pass(Duration::from_secs(10));
    peer.says(Message::HashReject(range(0)));
    assert_eq!(heard(&peer.news()), ["reject 0"]);
    assert_eq!(peer.session.poll_timeout(), Some(peer.now + Duration::from_secs(15)));
    peer.pass(Duration::from_secs(15));
    assert_eq!(heard(&peer.news()), ["reject 2"]);
    // Its late word is no violation.
    peer.says(Message::Hashes { range: range(2), hashes: &[] });
    assert!(peer.news().is_empty());
}
