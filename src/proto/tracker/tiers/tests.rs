//! The schedule on a virtual clock.

use rand::SeedableRng;

use super::*;

const T0: u64 = 1_000;

/// A schedule with a clock that only the test moves.
struct Scene {
    tiers: Tiers,
    start: Instant,
    now: Instant,
}

impl Scene {
    fn new(tiers: &[&[&str]], private: bool) -> Scene {
        let start = Instant::now();
        let now = start + Duration::from_secs(T0);
        let urls = |tier: &&[&str]| tier.iter().map(|url| TrackerUrl::parse(url).unwrap()).collect();
        let tiers = Tiers::new(now, tiers.iter().map(urls).collect(), private, StdRng::seed_from_u64(7));
        Scene { tiers, start: now, now }.check_start(start)
    }

    fn check_start(self, before: Instant) -> Scene {
        assert!(before < self.start);
        self
    }

    /// What is asked now: host, event.
    fn asked(&mut self) -> Vec<(String, AnnounceEvent, Ask)> {
        let asks: Vec<Ask> = std::iter::from_fn(|| self.tiers.poll_ask()).collect();
        asks.into_iter().map(|ask| (self.tiers.url(ask.tracker).host().to_owned(), ask.event, ask)).collect()
    }

    fn hosts(&mut self) -> Vec<String> {
        self.asked().into_iter().map(|(host, ..)| host).collect()
    }

    /// The single announce that is due.
    fn one(&mut self) -> (String, AnnounceEvent, AskId) {
        let mut asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        let (host, event, ask) = asked.remove(0);
        (host, event, ask.id)
    }

    fn elapsed(&self) -> f64 {
        (self.now - self.start).as_secs_f64()
    }

    /// Moves the clock to the next time-out and fires it; gives the seconds since the start.
    fn wait(&mut self) -> f64 {
        self.now = self.tiers.poll_timeout().expect("something is due");
        self.tiers.on_timeout(self.now);
        self.elapsed()
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.tiers.on_timeout(self.now);
    }

    fn reply(&mut self, id: AskId, reply: AnnounceReply) -> Heard {
        let heard = self.tiers.on_reply(self.now, id, &reply);
        self.tiers.on_done(id);
        heard
    }

    fn ok(&mut self, id: AskId) -> Heard {
        self.reply(id, interval(1800))
    }

    fn fail(&mut self, id: AskId) {
        self.tiers.on_failure(self.now, id, &TrackerError::Unreachable("refused".into()));
    }
}

fn interval(seconds: u64) -> AnnounceReply {
    AnnounceReply { interval: Some(Duration::from_secs(seconds)), ..AnnounceReply::default() }
}

const YES: Heard = Heard { usable: true, switched: false };
const NO: Heard = Heard { usable: false, switched: false };

#[test]
fn every_tiers_first_is_asked_at_once() {
    let mut scene = Scene::new(&[&["udp://a", "udp://b"], &["udp://c"], &["udp://d"], &["udp://c"]], false);
    let asked = scene.asked();
    assert_eq!(asked.len(), 3);
    assert!(["a", "b"].contains(&asked[0].0.as_str()));
    assert_eq!((asked[1].0.as_str(), asked[2].0.as_str()), ("c", "d"));
    assert!(asked.iter().all(|(_, event, ask)| *event == AnnounceEvent::Started && ask.num_want == 200));
}

#[test]
fn a_tier_is_shuffled_once() {
    let urls: Vec<String> = (0..20).map(|n| format!("udp://t{n}")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let mut scene = Scene::new(&[&urls], false);
    let mut order = scene.hosts();
    for _ in 1..20 {
        scene.wait();
        order.extend(scene.hosts());
    }
    assert_eq!(scene.elapsed(), 19.0 * 3.0);
    let mut sorted = order.clone();
    sorted.sort_by_key(|host| host[1..].parse::<u32>().unwrap());
    assert_eq!(sorted, (0..20).map(|n| format!("t{n}")).collect::<Vec<_>>());
    assert_ne!(order, sorted, "seed 7 does not happen to be the identity");
}

#[test]
fn silence_brings_the_next_and_a_failure_brings_it_at_once() {
    let mut scene = Scene::new(&[&["udp://a", "udp://b", "udp://c"]], false);
    let (first, _, first_id) = scene.one();
    assert_eq!(scene.wait(), 3.0);
    let (second, _, second_id) = scene.one();
    scene.fail(second_id);
    let (third, _, third_id) = scene.one();
    assert!(first != second && second != third && first != third);
    // The third answers: it leads, and the first, which comes late, is heard but does not lead.
    assert_eq!(scene.ok(third_id), YES);
    assert_eq!(scene.ok(first_id), YES);
    assert_eq!(scene.wait(), 3.0 + 1800.0);
    let (again, event, _) = scene.one();
    assert_eq!((again, event), (third, AnnounceEvent::Regular));
}

#[test]
fn one_that_answers_late_leads_if_nobody_else_answered() {
    let mut scene = Scene::new(&[&["udp://a", "udp://b"]], false);
    let (first, _, first_id) = scene.one();
    scene.wait();
    let (_, _, second_id) = scene.one();
    scene.fail(second_id);
    scene.pass(9);
    assert_eq!(scene.ok(first_id), YES);
    assert_eq!(scene.wait(), 12.0 + 1800.0);
    assert_eq!(scene.one().0, first);
}

#[test]
fn a_silent_tracker_does_not_delay_another_of_its_tier() {
    let mut scene = Scene::new(&[&["udp://a", "udp://b"]], false);
    scene.one();
    scene.wait();
    let (second, _, id) = scene.one();
    scene.fail(id);
    // The first is still silent; the second comes again when its back-off is over.
    let at = scene.wait();
    assert!((18.0..21.0).contains(&at), "{at}");
    assert_eq!(scene.one().0, second);
}

#[test]
fn dead_ones_are_asked_ever_less_often() {
    let mut scene = Scene::new(&[&["udp://a"]], false);
    let mut gaps = Vec::new();
    for _ in 0..12 {
        let (_, event, id) = scene.one();
        assert_eq!(event, AnnounceEvent::Started);
        scene.fail(id);
        let before = scene.elapsed();
        gaps.push(scene.wait() - before);
    }
    for (nth, gap) in gaps.iter().enumerate() {
        let nominal = (15u64 << nth).min(1800) as f64;
        assert!((nominal..=nominal * 1.125 + 0.001).contains(gap), "{gaps:?}");
    }
}

#[test]
fn what_a_tracker_wants_is_heeded() {
    let mut scene = Scene::new(&[&["udp://a"], &["udp://b"]], false);
    let asked = scene.asked();
    let refused = |retry| TrackerError::Refused { reason: "no".into(), retry };
    scene.tiers.on_failure(scene.now, asked[0].2.id, &refused(Retry::Never));
    scene.tiers.on_failure(scene.now, asked[1].2.id, &refused(Retry::After(Duration::from_secs(600))));
    let at = scene.wait();
    assert!((600.0..=675.0).contains(&at), "{at}");
    assert_eq!(scene.one().0, "b");
    // The one that never wants to be asked again is not.
    scene.wait();
    assert_eq!(scene.tiers.poll_timeout(), None);
}

#[test]
fn intervals_are_clamped() {
    for (said, kept) in [(0, 15.0), (5, 15.0), (900, 900.0), (1_000_000_000, 7200.0)] {
        let mut scene = Scene::new(&[&["udp://a"]], false);
        let (_, _, id) = scene.one();
        scene.reply(id, interval(said));
        assert_eq!(scene.wait(), kept, "{said}");
    }
    let mut scene = Scene::new(&[&["udp://a"]], false);
    let (_, _, id) = scene.one();
    scene.reply(id, AnnounceReply::default());
    assert_eq!(scene.wait(), 1800.0);
}

#[test]
fn wanted_peers_come_at_the_min_interval() {
    let min = |seconds| AnnounceReply { min_interval: Some(Duration::from_secs(seconds)), ..interval(1800) };
    for (reply, at) in
        [(min(60), 60.0), (min(1), 15.0), (min(99_999), 1800.0), (interval(1800), 300.0), (interval(90), 90.0)]
    {
        let mut scene = Scene::new(&[&["udp://a"]], false);
        let (_, _, id) = scene.one();
        scene.reply(id, reply);
        scene.tiers.want_peers(scene.now);
        assert_eq!(scene.hosts(), [""; 0], "not at once");
        assert_eq!(scene.wait(), at);
        assert_eq!(scene.hosts(), ["a"]);
    }
}

#[test]
fn peers_wanted_after_the_min_interval_are_asked_for_at_once() {
    let mut scene = Scene::new(&[&["udp://a"]], false);
    let (_, _, id) = scene.one();
    scene.ok(id);
    scene.pass(400);
    scene.tiers.want_peers(scene.now);
    assert_eq!(scene.hosts(), ["a"]);
    scene.tiers.want_peers(scene.now);
    assert_eq!(scene.hosts(), [""; 0], "not twice");
}

#[test]
fn started_until_it_is_heard_then_regular_then_completed_and_stopped() {
    let mut scene = Scene::new(&[&["udp://a"], &["udp://dead"]], false);
    let asked = scene.asked();
    scene.reply(asked[0].2.id, AnnounceReply { tracker_id: Some(b"id".to_vec()), ..interval(60) });
    scene.fail(asked[1].2.id);
    scene.pass(60);
    let asked = scene.asked();
    let events: Vec<_> = asked.iter().map(|(host, event, _)| (host.as_str(), *event)).collect();
    assert_eq!(events, [("a", AnnounceEvent::Regular), ("dead", AnnounceEvent::Started)]);
    assert_eq!(asked[0].2.tracker_id.as_deref(), Some(&b"id"[..]));
    scene.fail(asked[1].2.id);

    scene.tiers.on_completed();
    scene.tiers.stop();
    let asked = scene.asked();
    let events: Vec<_> =
        asked.iter().map(|(host, event, ask)| (host.as_str(), *event, ask.num_want, ask.awaited)).collect();
    assert_eq!(events, [("a", AnnounceEvent::Completed, 200, true), ("a", AnnounceEvent::Stopped, 0, true)]);
    assert_eq!(scene.tiers.poll_timeout(), None);
    scene.tiers.stop();
    assert_eq!(scene.hosts(), [""; 0]);
}

#[test]
fn completed_waits_for_started_and_is_said_again_if_it_was_lost() {
    let mut scene = Scene::new(&[&["udp://a"]], false);
    let (_, _, started) = scene.one();
    scene.tiers.on_completed();
    assert_eq!(scene.hosts(), [""; 0]);
    scene.ok(started);
    let (_, event, completed) = scene.one();
    assert_eq!(event, AnnounceEvent::Completed);
    scene.fail(completed);
    let at = scene.wait();
    assert!((15.0..17.0).contains(&at), "{at}");
    let (_, event, completed) = scene.one();
    assert_eq!(event, AnnounceEvent::Completed);
    scene.ok(completed);
    scene.wait();
    assert_eq!(scene.one().1, AnnounceEvent::Regular);
}

#[test]
fn a_tracker_that_joins_after_completion_hears_nothing_of_it() {
    let mut scene = Scene::new(&[&["udp://a"]], false);
    let (_, _, id) = scene.one();
    scene.fail(id);
    scene.tiers.on_completed();
    scene.wait();
    let (_, event, id) = scene.one();
    assert_eq!(event, AnnounceEvent::Started);
    scene.ok(id);
    assert_eq!(scene.hosts(), [""; 0]);
}

#[test]
fn one_that_may_have_heard_of_us_is_told_farewell_on_the_chance() {
    let mut scene = Scene::new(&[&["udp://a"]], false);
    scene.one();
    scene.tiers.stop();
    let asked = scene.asked();
    assert_eq!((asked.len(), asked[0].1, asked[0].2.awaited), (1, AnnounceEvent::Stopped, false));
    // But not one to which nothing has gone out yet.
    let mut scene = Scene::new(&[&["udp://a"]], false);
    scene.tiers.stop();
    assert_eq!(scene.hosts(), [""; 0]);
}

#[test]
fn a_second_address_family_is_heard_too() {
    let mut scene = Scene::new(&[&["udp://a"]], false);
    let (_, _, id) = scene.one();
    assert_eq!(scene.tiers.on_reply(scene.now, id, &interval(600)), YES);
    assert_eq!(scene.tiers.on_reply(scene.now, id, &interval(1200)), YES);
    scene.tiers.on_done(id);
    assert_eq!(scene.wait(), 1200.0);
    assert_eq!(scene.tiers.on_reply(scene.now, id, &interval(600)), NO, "it is over");
}

#[test]
fn a_private_torrent_has_one_tracker_at_a_time() {
    let mut scene = Scene::new(&[&["udp://a"], &["udp://b"], &["udp://c"]], true);
    let (first, _, first_id) = scene.one();
    assert_eq!(first, "a");
    assert_eq!(scene.wait(), 20.0);
    let (second, _, second_id) = scene.one();
    assert_eq!(second, "b");
    // What the abandoned one says late is not used, and it is told that we are gone.
    assert_eq!(scene.ok(first_id), NO);
    assert_eq!(scene.one().1, AnnounceEvent::Stopped);
    assert_eq!(scene.ok(second_id), YES);

    // The current one fails: the next in the row, and peers are dropped.
    assert_eq!(scene.wait(), 1820.0);
    let (again, event, id) = scene.one();
    assert_eq!((again.as_str(), event), ("b", AnnounceEvent::Regular));
    scene.fail(id);
    let (next, event, id) = scene.one();
    assert_eq!((next.as_str(), event), ("a", AnnounceEvent::Started));
    assert_eq!(scene.ok(id), Heard { usable: true, switched: true });
    scene.tiers.add(scene.now, vec![vec![TrackerUrl::parse("udp://more").unwrap()]]);
    assert_eq!(scene.hosts(), [""; 0]);
}

#[test]
fn a_magnet_that_turns_out_private_keeps_the_first_tracker_that_answered() {
    let mut scene = Scene::new(&[&["udp://a"], &["udp://b"], &["udp://c"], &["udp://d"]], false);
    let asked = scene.asked();
    scene.ok(asked[2].2.id);
    scene.ok(asked[1].2.id);
    scene.fail(asked[0].2.id);
    let kept = scene.tiers.become_private(scene.now).unwrap();
    assert_eq!(scene.tiers.url(kept).host(), "b");
    let farewells = scene.asked();
    assert_eq!((farewells.len(), farewells[0].0.as_str(), farewells[0].1), (1, "c", AnnounceEvent::Stopped));
    // The one that was still silent answers: not used, and left.
    assert_eq!(scene.ok(asked[3].2.id), NO);
    assert_eq!(scene.one().0, "d");
    assert_eq!(scene.wait(), 1800.0);
    assert_eq!(scene.hosts(), ["b"]);
}

#[test]
fn a_tracker_that_was_added_is_none_of_a_private_torrents() {
    let mut scene = Scene::new(&[&["udp://own"]], false);
    scene.tiers.add(scene.now, vec![vec![TrackerUrl::parse("udp://added").unwrap()]]);
    let asked = scene.asked();
    assert_eq!((asked.len(), asked[1].0.as_str()), (2, "added"));
    scene.ok(asked[1].2.id);
    scene.fail(asked[0].2.id);
    assert_eq!(scene.tiers.become_private(scene.now), None);
    let asked = scene.asked();
    let events: Vec<_> = asked.iter().map(|(host, event, _)| (host.as_str(), *event)).collect();
    assert_eq!(events, [("added", AnnounceEvent::Stopped)]);
    scene.wait();
    assert_eq!(scene.hosts(), ["own"]);
    scene.wait();
    assert_eq!(scene.hosts(), [""; 0], "its back-off is not over, and nobody else is asked");
}

#[test]
fn trackers_are_capped_and_empty_lists_are_nothing() {
    let urls: Vec<Vec<TrackerUrl>> =
        (0..1_000).map(|n| vec![TrackerUrl::parse(&format!("udp://t{n}")).unwrap()]).collect();
    let mut tiers = Tiers::new(Instant::now(), urls, false, StdRng::seed_from_u64(1));
    assert_eq!(std::iter::from_fn(|| tiers.poll_ask()).count(), MAX_TRACKERS);
    let mut tiers = Tiers::new(Instant::now(), vec![vec![]], true, StdRng::seed_from_u64(1));
    assert_eq!((tiers.poll_ask(), tiers.poll_timeout()), (None, None));
    tiers.want_peers(Instant::now());
    tiers.stop();
}
