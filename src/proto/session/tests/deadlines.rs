//! What takes too long.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Lets time pass until the session has something to say, going from deadline to deadline.
fn until_news(peer: &mut Scripted, most: Duration) -> (Duration, Vec<String>) {
    let start = peer.now;
    loop {
        let next = peer.session.poll_timeout().expect("not closed");
        assert!(next >= peer.now && next <= start + most, "nothing within {most:?}");
        peer.pass(next - peer.now);
        let news = words(&peer.news());
        if !news.is_empty() {
            return (peer.now - start, news);
        }
    }
}

#[test]
fn an_idle_connection_is_kept_alive_and_a_dead_one_ends() {
    let mut peer = Scripted::new(true);
    assert_eq!(peer.session.poll_timeout(), Some(peer.now + 100 * SECOND));
    peer.pass(100 * SECOND);
    assert_eq!(peer.written(), ["KEEPALIVE"]);
    peer.says(Message::KeepAlive);
    peer.pass(100 * SECOND);
    assert_eq!(peer.written(), ["KEEPALIVE"]);
    assert_eq!(until_news(&mut peer, 100 * SECOND), (80 * SECOND, vec!["closed TimedOut".to_string()]));
    assert_eq!(peer.session.poll_timeout(), None);
}

#[test]
fn a_peer_that_drains_nothing_for_a_minute_is_dropped() {
    let mut peer = Scripted::new(true);
    peer.command(PeerCommand::Interest(true));
    assert!(peer.session.poll_write().is_some());
    peer.pass(59 * SECOND);
    peer.session.on_write_progress(peer.now, 1);
    peer.pass(59 * SECOND);
    assert!(peer.news().is_empty());
    assert_eq!(until_news(&mut peer, SECOND), (SECOND, vec!["closed TimedOut".to_string()]));
}

#[test]
fn silence_about_requests_is_told_and_taken_back() {
    let mut peer = Scripted::downloading(true);
    peer.lease(&[(1, 0)]);
    peer.written();
    assert_eq!(until_news(&mut peer, 60 * SECOND), (10 * SECOND, vec!["snubbed(true)".to_string()]));
    peer.block(0, 0);
    assert_eq!(words(&peer.news()), ["snubbed(false)"]);
    // From now on it is known how long this peer takes.
    assert_eq!(until_news(&mut peer, 60 * SECOND), (60 * SECOND, vec!["snubbed(true)".to_string()]));
    peer.lease(&[(2, 1)]);
    peer.command(PeerCommand::Recall(vec![RunId(1), RunId(2)]));
    let hungry = peer.events().into_iter().find(|event| matches!(event, PeerEvent::Hungry { .. }));
    assert!(matches!(hungry, Some(PeerEvent::Hungry { bytes: 1..=0x8000, .. })), "{hungry:?}");
}

#[test]
fn a_fast_peer_is_expected_to_be_fast() {
    let mut peer = Scripted::downloading(true);
    peer.lease(&[(1, 0)]);
    peer.written();
    peer.now += Duration::from_millis(20);
    peer.block(0, 0);
    peer.news();
    assert_eq!(until_news(&mut peer, 60 * SECOND), (4 * SECOND, vec!["snubbed(true)".to_string()]));
}

#[test]
fn a_request_that_others_overtake_comes_back() {
    let mut peer = Scripted::downloading(false);
    peer.lease(&[(1, 0), (2, 1), (3, 2)]);
    peer.written();
    peer.block(0, 0);
    (0..4).for_each(|block| peer.block(1, block));
    assert_eq!(words(&peer.news()), ["filled 2"]);
    for second in 1..20 {
        peer.pass(SECOND);
        if second % 5 == 0 {
            peer.block(2, second as u32 / 5 - 1);
        }
        assert!(peer.news().iter().all(|event| matches!(event, PeerEvent::Snubbed(_))));
    }
    peer.pass(SECOND);
    assert_eq!(words(&peer.news()), ["returned 1 have 1"]);
    assert_eq!(peer.written(), ["CANCEL 0+1", "CANCEL 0+2", "CANCEL 0+3"]);
}

#[test]
fn a_fast_peer_that_never_answers_after_its_choke_is_not_waited_for() {
    let mut peer = Scripted::downloading(true);
    peer.lease(&[(1, 0)]);
    peer.written();
    peer.says(Message::Choke);
    peer.news();
    assert_eq!(until_news(&mut peer, 60 * SECOND).1, ["snubbed(true)"]);
    assert_eq!(until_news(&mut peer, 60 * SECOND), (10 * SECOND, vec!["returned 1 have 0".to_string()]));
    // Its late word is no violation.
    peer.says(Message::Reject(request(0, 0)));
    peer.block(0, 1);
    assert_eq!(words(&peer.news()), ["snubbed(false)"]);
}

#[test]
fn metadata_requests_that_nobody_answers_are_given_up() {
    let mut peer = Scripted::new(true);
    peer.says(Message::Extended { id: 0, payload: b"d1:md11:ut_metadatai3eee" });
    peer.news();
    peer.command(PeerCommand::RequestMetadata(vec![0]));
    let rejected = vec!["metadatarejected { index: 0 }".to_string()];
    assert_eq!(until_news(&mut peer, 60 * SECOND), (15 * SECOND, rejected));
}

#[test]
fn a_peer_that_rejects_without_choking_is_left_in_peace_for_a_second() {
    let mut peer = Scripted::downloading(true);
    peer.lease(&[(1, 0)]);
    peer.written();
    peer.events();
    (0..4).for_each(|block| peer.says(Message::Reject(request(0, block))));
    assert_eq!(words(&peer.events()), ["returned 1 have 0"]);
    peer.lease(&[(2, 0)]);
    assert!(peer.written().is_empty());
    peer.pass(SECOND);
    assert_eq!(peer.written().len(), 4);
    assert!(matches!(peer.events()[..], [PeerEvent::Hungry { .. }]));
}

#[test]
fn tallies_come_at_most_once_a_second_and_the_last_is_not_lost() {
    let mut peer = Scripted::downloading(true);
    peer.lease(&[(1, 0)]);
    peer.written();
    peer.pass(2 * SECOND);
    let tallies = |peer: &mut Scripted| {
        let down =
            |event| if let PeerEvent::Tally(tally) = event { Some(tally.down / u64::from(BLOCK_LEN)) } else { None };
        peer.events().into_iter().filter_map(down).collect::<Vec<_>>()
    };
    peer.block(0, 0);
    peer.block(0, 1);
    assert_eq!(tallies(&mut peer), [1]);
    peer.pass(SECOND);
    assert_eq!(tallies(&mut peer), [2]);
    peer.block(0, 2);
    peer.session.close(peer.now, CloseReason::Ours);
    assert_eq!(tallies(&mut peer), [3]);
}

#[test]
fn a_close_waits_for_what_is_queued_but_not_forever() {
    let mut peer = Scripted::new(true);
    peer.command(PeerCommand::Interest(true));
    let Some(Outgoing::Bytes(bytes)) = peer.session.poll_write() else { panic!() };
    peer.command(PeerCommand::Close);
    assert!(peer.news().is_empty());
    let mut other = Scripted::new(true);
    other.command(PeerCommand::Interest(true));
    other.command(PeerCommand::Close);
    assert_eq!(until_news(&mut other, 60 * SECOND), (5 * SECOND, vec!["closed Ours".to_string()]));
    peer.session.on_write_progress(peer.now, bytes.len());
    assert_eq!(words(&peer.news()), ["closed Ours"]);
}
