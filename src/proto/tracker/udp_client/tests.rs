//! The exchange on a virtual clock.

use rand::SeedableRng;

use super::*;
use crate::base::id::PeerId;
use crate::proto::tracker::announce::{AnnounceEvent, Totals};

struct Scene {
    client: UdpClient,
    start: Instant,
    now: Instant,
}

fn addr(last: u8) -> SocketAddr {
    ([10, 0, 0, last], 80).into()
}

fn announce() -> Query {
    let request = AnnounceRequest {
        info_hash: InfoHashV1([1; 20]),
        peer_id: PeerId([2; 20]),
        key: 3,
        port: 4,
        totals: Totals::default(),
        event: AnnounceEvent::Started,
        num_want: 200,
        tracker_id: None,
    };
    Query::Announce { request, url_data: String::new() }
}

/// A packet of ours: action and transaction; connects are the ones with action 0.
fn read(packet: &[u8]) -> (u32, u32) {
    (u32::from_be_bytes(packet[8..12].try_into().unwrap()), u32::from_be_bytes(packet[12..16].try_into().unwrap()))
}

fn answer(action: u32, transaction: u32, body: &[u8]) -> Vec<u8> {
    [&action.to_be_bytes(), &transaction.to_be_bytes(), body].concat()
}

impl Scene {
    fn new() -> Scene {
        let start = Instant::now();
        Scene { client: UdpClient::new(StdRng::seed_from_u64(5)), start, now: start }
    }

    fn ask(&mut self, at: SocketAddr, seconds: u64) -> QueryId {
        self.client.start(self.now, at, announce(), self.now + Duration::from_secs(seconds))
    }

    /// The packets that go out now: to whom, action, transaction.
    fn sent(&mut self) -> Vec<(SocketAddr, u32, u32)> {
        let packets = std::iter::from_fn(|| self.client.poll_packet());
        packets.map(|(to, packet)| (to, read(&packet).0, read(&packet).1)).collect()
    }

    fn one(&mut self) -> (u32, u32) {
        let sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        (sent[0].1, sent[0].2)
    }

    fn hear(&mut self, from: SocketAddr, packet: &[u8]) {
        self.client.on_packet(self.now, from, packet);
    }

    /// Moves the clock to the next time-out and fires it.
    fn wait(&mut self) -> u64 {
        self.now = self.client.poll_timeout().expect("something is due");
        self.client.on_timeout(self.now);
        (self.now - self.start).as_secs()
    }

    fn connect(&mut self, from: SocketAddr) {
        let (action, transaction) = self.one();
        assert_eq!(action, 0);
        self.hear(from, &answer(0, transaction, &77u64.to_be_bytes()));
    }

    fn outcomes(&mut self) -> Vec<(QueryId, Outcome)> {
        std::iter::from_fn(|| self.client.poll_outcome()).collect()
    }
}

const EMPTY: [u8; 12] = [0, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];

#[test]
fn connect_then_announce() {
    let mut scene = Scene::new();
    let id = scene.ask(addr(1), 60);
    scene.connect(addr(1));
    let (action, transaction) = scene.one();
    assert_eq!(action, 1);
    scene.hear(addr(1), &answer(1, transaction, &EMPTY));
    let outcomes = scene.outcomes();
    assert!(matches!(&outcomes[..], [(done, Ok(UdpAnswer::Announced(_)))] if *done == id));
    assert_eq!(scene.client.poll_timeout(), None, "nothing under way, no timer");
}

#[test]
fn retransmissions_as_in_the_examples_of_bep_15() {
    // Connect times out: 0, 15, 45, 105.
    let mut scene = Scene::new();
    scene.ask(addr(1), 200);
    let first = scene.one();
    for at in [15, 45, 105] {
        assert_eq!(scene.wait(), at);
        assert_eq!(scene.one(), first, "the same packet again");
    }
    // Announce times out: announces at 0, 15, 45; at 105 the connection id has expired: connects at 105, 225.
    let mut scene = Scene::new();
    scene.ask(addr(1), 300);
    scene.connect(addr(1));
    assert_eq!(scene.one().0, 1);
    for (at, action) in [(15, 1), (45, 1), (105, 0)] {
        assert_eq!(scene.wait(), at);
        assert_eq!(scene.one().0, action);
    }
    assert_eq!(scene.wait(), 225);
    assert_eq!(scene.one().0, 0);
}

#[test]
fn a_connection_id_is_used_for_a_minute_and_by_all() {
    let mut scene = Scene::new();
    scene.ask(addr(1), 60);
    scene.ask(addr(1), 60);
    scene.connect(addr(1)); // one connect for both
    let sent = scene.sent();
    assert_eq!(sent.len(), 2);
    for (_, action, transaction) in sent {
        assert_eq!(action, 1);
        scene.hear(addr(1), &answer(1, transaction, &EMPTY));
    }
    scene.now += Duration::from_secs(59);
    scene.ask(addr(1), 60);
    let (action, transaction) = scene.one();
    assert_eq!(action, 1);
    scene.hear(addr(1), &answer(1, transaction, &EMPTY));
    scene.now += Duration::from_secs(1);
    scene.ask(addr(1), 60);
    assert_eq!(scene.one().0, 0);
    assert_eq!(scene.outcomes().len(), 3);
}

#[test]
fn a_forgotten_connection_id_is_asked_for_again_once() {
    let mut scene = Scene::new();
    scene.ask(addr(1), 60);
    scene.connect(addr(1));
    let (_, transaction) = scene.one();
    scene.hear(addr(1), &answer(1, transaction, &EMPTY));
    scene.outcomes();

    let id = scene.ask(addr(1), 60);
    let (action, transaction) = scene.one();
    assert_eq!(action, 1);
    scene.hear(addr(1), &answer(3, transaction, b"bad connection id"));
    scene.connect(addr(1));
    let (action, transaction) = scene.one();
    assert_eq!(action, 1);
    scene.hear(addr(1), &answer(3, transaction, b"no such torrent"));
    let error = TrackerError::Refused { reason: "no such torrent".into(), retry: Retry::Unsaid };
    assert_eq!(scene.outcomes(), [(id, Err(error))]);
}

#[test]
fn answers_of_strangers_and_of_the_wrong_kind_do_not_count() {
    let mut scene = Scene::new();
    scene.ask(addr(1), 60);
    let (_, transaction) = scene.one();
    scene.hear(addr(2), &answer(0, transaction, &77u64.to_be_bytes()));
    scene.hear(addr(1), &answer(0, transaction ^ 1, &77u64.to_be_bytes()));
    scene.hear(addr(1), &answer(1, transaction, &EMPTY));
    scene.hear(addr(1), b"short");
    assert_eq!(scene.sent(), []);
    scene.hear(addr(1), &answer(0, transaction, &77u64.to_be_bytes()));
    let (_, announce) = scene.one();
    assert_ne!(announce, transaction);
    scene.hear(addr(2), &answer(1, announce, &EMPTY));
    scene.hear(addr(1), &answer(2, announce, &EMPTY));
    scene.hear(addr(1), &answer(0, announce, &EMPTY));
    assert_eq!(scene.outcomes(), []);
    scene.hear(addr(1), &answer(1, announce, &EMPTY));
    scene.hear(addr(1), &answer(1, announce, &EMPTY));
    assert_eq!(scene.outcomes().len(), 1);
}

#[test]
fn giving_up_cancelling_and_a_system_that_refuses() {
    let mut scene = Scene::new();
    let (given_up, cancelled, unsent) = (scene.ask(addr(1), 10), scene.ask(addr(2), 60), scene.ask(addr(3), 60));
    scene.client.cancel(cancelled);
    scene.client.on_send_failed(addr(3), "network unreachable");
    assert_eq!(scene.outcomes(), [(unsent, Err(TrackerError::Unreachable("network unreachable".into())))]);
    assert_eq!(scene.wait(), 10);
    assert_eq!(scene.outcomes(), [(given_up, Err(TrackerError::Unreachable("no answer".into())))]);
    assert_eq!(scene.client.poll_timeout(), None);
    scene.now += Duration::from_secs(100);
    scene.client.on_timeout(scene.now);
    assert!(scene.client.connections.is_empty() && scene.client.queries.is_empty());
}

#[test]
fn an_error_to_a_connect_ends_all_that_wait_for_it() {
    let mut scene = Scene::new();
    scene.ask(addr(1), 60);
    scene.ask(addr(1), 60);
    let (_, transaction) = scene.one();
    scene.hear(addr(1), &answer(3, transaction, b""));
    assert_eq!(scene.outcomes().len(), 2);
    scene.ask(addr(1), 60);
    assert_eq!(scene.one().0, 0);
}

#[test]
fn a_scrape_gets_its_entries() {
    let mut scene = Scene::new();
    let query = Query::Scrape(vec![InfoHashV1([1; 20])]);
    let id = scene.client.start(scene.now, addr(1), query, scene.now + Duration::from_secs(60));
    scene.connect(addr(1));
    let (action, transaction) = scene.one();
    assert_eq!(action, 2);
    scene.hear(addr(1), &answer(2, transaction, &[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]));
    let entry = Scrape { seeders: 1, completed: Some(2), leechers: 3 };
    assert_eq!(scene.outcomes(), [(id, Ok(UdpAnswer::Scraped(vec![entry])))]);
}

proptest::proptest! {
    #[test]
    fn hostile_packets_change_nothing(packets: Vec<Vec<u8>>) {
        let mut scene = Scene::new();
        scene.ask(addr(1), 60);
        let (_, transaction) = scene.one();
        for packet in &packets {
            scene.hear(addr(1), packet);
            scene.hear(addr(1), &answer(1, transaction, packet));
        }
        proptest::prop_assert!(scene.outcomes().is_empty());
    }
}
