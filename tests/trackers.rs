//! Trackers over real sockets on loopback: good ones, and servers that do all the wrong things.

#[path = "common/free_port.rs"]
mod free_port;
#[path = "common/odd_server.rs"]
mod odd_server;
#[path = "common/tracker_server.rs"]
mod tracker_server;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use free_port::ClosedPort;
use odd_server::{Act, OddServer, reply};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rtorrent_cli::base::id::{InfoHashV1, InfoHashV2, PeerId, TorrentId};
use rtorrent_cli::io::announce::Announcer;
use rtorrent_cli::io::http::HttpClient;
use rtorrent_cli::io::resolve::Resolver;
use rtorrent_cli::io::scrape::scrape;
use rtorrent_cli::io::tracker_task::{self, TrackerHandle, TrackerNews, TrackerSetup};
use rtorrent_cli::io::udp_tracker::UdpTrackers;
use rtorrent_cli::proto::tracker::{Scrape, Totals};
use tokio::sync::{mpsc, watch};
use tracker_server::TrackerServer;

const HASH: [u8; 20] = *b"\x00\xFF&=%? torrent hash+";
/// The other hash of the same torrent, where it is a hybrid.
const HASH_V2: InfoHashV2 = InfoHashV2([0xB2; 32]);
const SHORT_V2: [u8; 20] = [0xB2; 20];
const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Far more than anything here takes: only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(60);
/// What nothing waits for; who did would hang far longer than [`PATIENCE`].
const NEVER: Duration = Duration::from_secs(3_600);

/// Asks trackers on loopback whatever their path.
fn announcer(resolver: Resolver) -> Announcer {
    careful_announcer(resolver).trusting(&[], true)
}

fn careful_announcer(resolver: Resolver) -> Announcer {
    let http = HttpClient::new("rtorrent-cli/test", resolver);
    Announcer::new(http, UdpTrackers::spawn(StdRng::seed_from_u64(2), rtorrent_cli::io::net_path::NetPath::open()))
}

/// A torrent's trackers at work.
struct Scene {
    handle: TrackerHandle,
    news: mpsc::UnboundedReceiver<TrackerNews>,
    totals: watch::Sender<Totals>,
}

impl Scene {
    fn start(tiers: &[&[&str]], private: bool) -> Scene {
        Scene::start_with(Resolver::new(), tiers, private)
    }

    fn start_with(resolver: Resolver, tiers: &[&[&str]], private: bool) -> Scene {
        Scene::start_as(TorrentId::from_v1(InfoHashV1(HASH)), resolver, tiers, private)
    }

    fn start_as(id: TorrentId, resolver: Resolver, tiers: &[&[&str]], private: bool) -> Scene {
        let (totals, told) = watch::channel(Totals::default());
        let (sender, news) = mpsc::unbounded_channel();
        let setup = TrackerSetup {
            id,
            peer_id: PeerId(*b"-RC0100-abcdefghijkl"),
            key: 0xFEED_BEEF,
            port: 7000,
            tiers: tiers.iter().map(|tier| tier.iter().map(|url| url.to_string()).collect()).collect(),
            private,
            totals: told,
            rng: StdRng::seed_from_u64(1),
        };
        Scene { handle: tracker_task::spawn(setup, announcer(resolver), sender), news, totals }
    }

    async fn next(&mut self) -> TrackerNews {
        tokio::time::timeout(PATIENCE, self.news.recv()).await.expect("news in time").expect("the task lives")
    }

    async fn peers(&mut self) -> Vec<SocketAddr> {
        match self.next().await {
            TrackerNews::Peers(peers) => peers,
            other => panic!("{other:?}"),
        }
    }
}

fn events(tracker: &TrackerServer) -> Vec<String> {
    tracker.seen().into_iter().map(|seen| seen.event).collect()
}

#[tokio::test]
async fn started_completed_and_stopped_over_http() {
    let tracker = TrackerServer::start(V4).await.unwrap();
    a_whole_life(&tracker, &tracker.http_url()).await;
}

#[tokio::test]
async fn started_completed_and_stopped_over_udp() {
    let tracker = TrackerServer::start(V4).await.unwrap();
    a_whole_life(&tracker, &tracker.udp_url()).await;
    assert_eq!(tracker.seen()[0].url_data, "/announce");
}

async fn a_whole_life(tracker: &TrackerServer, url: &str) {
    let peer: SocketAddr = "10.1.2.3:4567".parse().unwrap();
    tracker.insert(HASH, peer, 0);
    let mut scene = Scene::start(&[&[url]], false);
    assert_eq!(scene.peers().await, [peer]);
    assert_eq!(scene.handle.status().borrow().counts(), (1, 1));
    let seen = &tracker.seen()[0];
    assert_eq!((seen.info_hash, seen.key, seen.left, seen.numwant), (HASH, 0xFEED_BEEF, 16_384, 200));
    assert_eq!((seen.event.as_str(), seen.peer), ("started", SocketAddr::new(V4, 7000)));

    scene.totals.send_replace(Totals { uploaded: 1, downloaded: 2, left: Some(0) });
    scene.handle.completed();
    scene.handle.stop(Duration::from_secs(20)).await;
    assert_eq!(events(tracker)[1..], ["completed", "stopped"]);
    let seen = tracker.seen().pop().unwrap();
    assert_eq!((seen.uploaded, seen.downloaded, seen.left), (1, 2, 0));
}

/// The one error that the status shows, once there is one.
async fn error_of(scene: &Scene) -> String {
    let mut status = scene.handle.status();
    let shown = status.wait_for(|status| status.errors().next().is_some());
    let shown = tokio::time::timeout(PATIENCE, shown).await.expect("an error in time").expect("the task lives");
    shown.errors().next().expect("it was waited for")
}

#[tokio::test]
async fn every_tier_is_asked_at_once_and_the_dead_delay_nobody() {
    let dead = OddServer::start(|_| Act::Hang).await;
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let closed = ClosedPort::new();
    let tracker = TrackerServer::start(V4).await.unwrap();
    let peer: SocketAddr = "10.1.2.3:4567".parse().unwrap();
    tracker.insert(HASH, peer, 0);
    let urls = [
        dead.url("/announce"),
        format!("udp://{}", silent.local_addr().unwrap()),
        format!("http://{}/announce", closed.addr),
        "wss://tracker.example/announce".into(),
        "http://no-such-host.invalid/announce".into(),
        tracker.http_url(),
        tracker.udp_url(),
    ];
    let tiers: Vec<Vec<&str>> = urls.iter().map(|url| vec![url.as_str()]).collect();
    let tiers: Vec<&[&str]> = tiers.iter().map(Vec::as_slice).collect();
    let mut scene = Scene::start(&tiers, false);
    assert!(scene.peers().await.contains(&peer));
    assert!(scene.peers().await.contains(&peer));
    let status = scene.handle.status().borrow().clone();
    assert_eq!(status.counts(), (2, 7));
    let errors: Vec<String> = status.errors().collect();
    assert!(errors.contains(&"tracker: trackers of the kind wss: are not supported".into()), "{errors:?}");

    // The farewell does not wait for the dead.
    tokio::time::timeout(PATIENCE, scene.handle.stop(NEVER)).await.expect("it waits for nobody");
    let stopped =
        |over: &str| tracker.seen().iter().filter(|seen| seen.over == over && seen.event == "stopped").count();
    assert_eq!((stopped("http"), stopped("udp")), (1, 1));
}

#[tokio::test]
async fn within_a_tier_the_next_is_asked_when_one_fails() {
    let page = OddServer::answering("200 OK", b"<html>").await;
    let tracker = TrackerServer::start(V4).await.unwrap();
    tracker.insert(HASH, "10.1.2.3:4567".parse().unwrap(), 0);
    let mut scene = Scene::start(&[&[&page.url("/announce"), &tracker.http_url()]], false);
    assert_eq!(scene.peers().await.len(), 1);
    assert_eq!(scene.handle.status().borrow().counts(), (1, 2));
}

#[tokio::test]
async fn the_deadline_of_the_farewell_holds() {
    let server = OddServer::start(|head| {
        let answer = Act::Send(reply("200 OK", b"d8:intervali1800e5:peers6:\x0A\x01\x02\x03\x11\xD7e"));
        if head.contains("event=started") { answer } else { Act::Hang }
    })
    .await;
    let mut scene = Scene::start(&[&[&server.url("/announce")]], false);
    assert_eq!(scene.peers().await, ["10.1.2.3:4567".parse().unwrap()]);
    scene.handle.completed();
    let begun = std::time::Instant::now();
    scene.handle.stop(Duration::from_millis(250)).await;
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(250) && took < PATIENCE, "{took:?}");
}

#[tokio::test]
async fn both_address_families_are_asked_with_the_same_key() {
    let port = |url: String| -> u16 {
        url.rsplit_once(':').and_then(|(_, rest)| rest.strip_suffix("/announce")?.parse().ok()).unwrap()
    };
    // The same ports on 127.0.0.1 as on ::1: a second server beside the first. Somebody may have them.
    let (v4, v6) = loop {
        let Ok(v6) = TrackerServer::start("::1".parse().unwrap()).await else {
            // Straight to the terminal: what is printed in the usual way is not seen when a test passes.
            let what = "NOT RUN: both_address_families_are_asked_with_the_same_key needs ::1 on the loopback interface";
            std::io::Write::write_all(&mut std::io::stderr(), format!("{what}\n").as_bytes()).unwrap();
            return;
        };
        let (http, udp) = (port(v6.http_url()), port(v6.udp_url()));
        if let Ok(v4) = TrackerServer::start_at((V4, http).into(), (V4, udp).into(), 1800).await {
            break (v4, v6);
        }
    };
    let (http, udp) = (port(v6.http_url()), port(v6.udp_url()));
    v4.insert(HASH, "10.1.2.3:4567".parse().unwrap(), 0);
    v6.insert(HASH, "[2001:db8::1]:4567".parse().unwrap(), 0);
    let resolver = Resolver::new();
    resolver.pin("tracker.example", &[V4, "::1".parse().unwrap()]);
    let http = format!("http://tracker.example:{http}/announce");
    let udp = format!("udp://tracker.example:{udp}/announce");
    let mut scene = Scene::start_with(resolver, &[&[&http], &[&udp]], false);
    let mut peers = Vec::new();
    for _ in 0..4 {
        peers.extend(scene.peers().await);
    }
    assert_eq!(peers.iter().filter(|peer| peer.port() == 4567 && peer.is_ipv4()).count(), 2, "{peers:?}");
    assert_eq!(peers.iter().filter(|peer| peer.port() == 4567 && peer.is_ipv6()).count(), 2, "{peers:?}");
    let seen = [v4.seen(), v6.seen()].concat();
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|seen| seen.key == 0xFEED_BEEF && seen.peer_id == *b"-RC0100-abcdefghijkl"));
    scene.handle.stop(PATIENCE).await;
    assert_eq!(events(&v4).iter().filter(|event| *event == "stopped").count(), 2);
    assert_eq!(events(&v6).iter().filter(|event| *event == "stopped").count(), 2);
}

#[tokio::test]
async fn one_family_that_is_dead_is_no_failure() {
    let tracker = TrackerServer::start(V4).await.unwrap();
    tracker.insert(HASH, "10.1.2.3:4567".parse().unwrap(), 0);
    let resolver = Resolver::new();
    // Nobody listens at this port of ::1, or there is no IPv6 at all.
    resolver.pin("tracker.example", &["::1".parse().unwrap(), V4]);
    let url = tracker.http_url().replace("127.0.0.1", "tracker.example");
    let mut scene = Scene::start_with(resolver, &[&[&url]], false);
    assert_eq!(scene.peers().await.len(), 1);
    scene.handle.stop(PATIENCE).await;
    assert_eq!(events(&tracker), ["started", "stopped"]);
}

#[tokio::test]
async fn what_a_tracker_says_is_shown_without_the_passkey() {
    let server =
        OddServer::answering("200 OK", b"d14:failure reason35:passkey s3cr3tkey\x1B[31m is unknown\r\ne").await;
    let scene = Scene::start(&[&[&server.url("/s3cr3tkey/announce?passkey=0th3rs3cr3t")]], false);
    let error = error_of(&scene).await;
    assert_eq!(error, format!("http://{}/…/announce?…: passkey … [31m is unknown", server.addr));

    let server = OddServer::answering("404 Not Found", b"gone").await;
    let scene = Scene::start(&[&[&server.url("/s3cr3tkey/announce")]], false);
    assert_eq!(error_of(&scene).await, format!("http://{}/…/announce: 404 Not Found", server.addr));

    let server = OddServer::answering("400 Bad Request", b"d14:failure reason3:bade").await;
    let scene = Scene::start(&[&[&server.url("/announce")]], false);
    assert!(error_of(&scene).await.ends_with("/announce: bad"));
}

#[tokio::test]
async fn on_the_local_network_only_what_looks_like_a_tracker_is_asked() {
    let tracker = TrackerServer::start(V4).await.unwrap();
    let printer = OddServer::answering("200 OK", b"d5:filesdee").await;
    let urls = [printer.url("/print/announce"), tracker.http_url()];
    let careful = careful_announcer(Resolver::new());
    let scraped = scrape(&careful, &urls, TorrentId::from_v1(InfoHashV1(HASH)), PATIENCE).await;
    assert!(scraped[0].outcome.as_ref().unwrap_err().contains("on the local network"), "{:?}", scraped[0].outcome);
    assert!(scraped[1].outcome.is_ok(), "{:?}", scraped[1].outcome);
    // The user's own word counts.
    let named = careful.trusting(&urls, false);
    let scraped = scrape(&named, &urls[..1], TorrentId::from_v1(InfoHashV1(HASH)), PATIENCE).await;
    assert!(!scraped[0].outcome.as_ref().is_err_and(|why| why.contains("on the local network")));
}

#[tokio::test]
async fn trackers_may_be_added_and_peers_asked_for() {
    let tracker = TrackerServer::start(V4).await.unwrap();
    tracker.insert(HASH, "10.1.2.3:4567".parse().unwrap(), 0);
    let mut scene = Scene::start(&[], false);
    assert_eq!(scene.handle.status().borrow().counts(), (0, 0));
    scene.handle.add(vec![vec![tracker.udp_url()], vec![tracker.udp_url()]]);
    assert_eq!(scene.peers().await.len(), 1);
    assert_eq!(scene.handle.status().borrow().counts(), (1, 1));
    scene.handle.want_peers(); // not before the min interval: nothing to see, and no harm
    scene.handle.stop(PATIENCE).await;
    assert_eq!(events(&tracker), ["started", "stopped"]);
}

#[tokio::test]
async fn a_magnet_that_turns_out_private_keeps_one_tracker_and_its_peers() {
    let (one, two) = (TrackerServer::start(V4).await.unwrap(), TrackerServer::start(V4).await.unwrap());
    let peer: SocketAddr = "10.1.2.3:4567".parse().unwrap();
    for tracker in [&one, &two] {
        tracker.insert(HASH, peer, 0);
    }
    let mut scene = Scene::start(&[&[&one.http_url()], &[&two.http_url()]], false);
    assert_eq!((scene.peers().await.len(), scene.peers().await.len()), (1, 1));
    scene.handle.become_private();
    assert_eq!(scene.next().await, TrackerNews::Switched);
    assert_eq!(scene.peers().await, [peer]);
    scene.handle.stop(PATIENCE).await;
    assert_eq!(
        (events(&one), events(&two)),
        (vec!["started".into(), "stopped".into()], vec!["started".into(), "stopped".into()])
    );
}

#[tokio::test]
async fn scrapes_over_both_protocols_in_the_order_asked() {
    let tracker = TrackerServer::start(V4).await.unwrap();
    tracker.insert(HASH, "10.1.2.3:4567".parse().unwrap(), 0);
    tracker.insert(HASH, "10.1.2.4:4567".parse().unwrap(), 5);
    tracker.insert(HASH, "10.1.2.5:4567".parse().unwrap(), 5);
    let dead = OddServer::start(|_| Act::Hang).await;
    let urls = [tracker.udp_url(), "wss://t".into(), dead.url("/a"), tracker.http_url()];
    let scraped = scrape(&announcer(Resolver::new()), &urls, TorrentId::from_v1(InfoHashV1(HASH)), PATIENCE).await;
    let counts = Ok(Scrape { seeders: 1, leechers: 2, completed: Some(0) });
    assert_eq!((&scraped[0].outcome, &scraped[3].outcome), (&counts, &counts));
    assert_eq!(scraped[1].outcome, Err("trackers of the kind wss: are not supported".into()));
    assert_eq!(scraped[2].outcome, Err("can't be scraped".into()));

    let unknown =
        scrape(&announcer(Resolver::new()), &urls[3..], TorrentId::from_v1(InfoHashV1([9; 20])), PATIENCE).await;
    assert_eq!(unknown[0].outcome, Ok(Scrape { completed: Some(0), ..Scrape::default() }));
    let silent = [dead.url("/k3yk3y/announce")];
    let silent =
        scrape(&announcer(Resolver::new()), &silent, TorrentId::from_v1(InfoHashV1(HASH)), Duration::from_millis(20))
            .await;
    assert_eq!(silent[0].name, format!("http://{}/…/announce", dead.addr));
    assert!(silent[0].outcome.as_ref().unwrap_err().starts_with("no answer in time"));
}

fn hybrid() -> TorrentId {
    TorrentId::new(Some(InfoHashV1(HASH)), Some(HASH_V2)).unwrap()
}

/// What a tracker was told of one swarm, in order.
fn events_of(tracker: &TrackerServer, hash: [u8; 20]) -> Vec<String> {
    tracker.seen().into_iter().filter(|seen| seen.info_hash == hash).map(|seen| seen.event).collect()
}

/// Peers until all of `wanted` have come.
async fn all_peers(scene: &mut Scene, mut wanted: Vec<SocketAddr>) {
    while !wanted.is_empty() {
        let peers = scene.peers().await;
        wanted.retain(|peer| !peers.contains(peer));
    }
}

#[tokio::test]
async fn a_hybrid_joins_both_swarms_of_a_tracker_and_leaves_both() {
    let tracker = TrackerServer::start(V4).await.unwrap();
    let peers: [SocketAddr; 2] = ["10.1.2.3:4567".parse().unwrap(), "10.1.2.4:4567".parse().unwrap()];
    tracker.insert(HASH, peers[0], 0);
    tracker.insert(SHORT_V2, peers[1], 0);
    tracker.insert(SHORT_V2, "10.1.2.5:4567".parse().unwrap(), 0);
    for url in [tracker.http_url(), tracker.udp_url()] {
        let before = tracker.seen().len();
        let mut scene = Scene::start_as(hybrid(), Resolver::new(), &[&[&url]], false);
        all_peers(&mut scene, peers.to_vec()).await;
        let status = scene.handle.status().borrow().clone();
        assert_eq!((status.counts(), status.trackers[0].seeders), ((1, 1), Some(2)), "{url}: the larger swarm counts");
        scene.handle.completed();
        scene.handle.stop(PATIENCE).await;
        let told: Vec<_> = tracker.seen().drain(before..).map(|seen| (seen.info_hash, seen.event)).collect();
        for hash in [HASH, SHORT_V2] {
            let events: Vec<&str> =
                told.iter().filter(|(of, _)| *of == hash).map(|(_, event)| event.as_str()).collect();
            assert_eq!(events, ["started", "completed", "stopped"], "{url}");
        }
        assert_eq!(told.len(), 6, "{url}: nothing more than that");
    }
}

#[tokio::test]
async fn a_tracker_that_knows_one_hash_of_a_hybrid_is_good_and_the_silent_swarm_delays_nobody() {
    let server = OddServer::start(|head| {
        if head.contains("%B2%B2%B2") {
            return Act::Hang;
        }
        Act::Send(reply("200 OK", b"d8:intervali1800e5:peers6:\x0A\x01\x02\x03\x11\xD7e"))
    })
    .await;
    let mut scene = Scene::start_as(hybrid(), Resolver::new(), &[&[&server.url("/announce")]], false);
    assert_eq!(scene.peers().await, ["10.1.2.3:4567".parse().unwrap()]);
    assert_eq!(scene.handle.status().borrow().counts(), (1, 1));
    let refusing = OddServer::start(|head| {
        let peers = reply("200 OK", b"d8:intervali1800e5:peers6:\x0A\x01\x02\x03\x11\xD7e");
        let refusal = reply("200 OK", b"d14:failure reason20:unregistered torrente");
        Act::Send(if head.contains("%B2%B2%B2") { refusal } else { peers })
    })
    .await;
    let mut scene = Scene::start_as(hybrid(), Resolver::new(), &[&[&refusing.url("/announce")]], true);
    assert_eq!(scene.peers().await, ["10.1.2.3:4567".parse().unwrap()]);
    // The farewell ends after everything else is known.
    let status = scene.handle.status();
    scene.handle.stop(PATIENCE).await;
    assert_eq!((status.borrow().counts(), status.borrow().failed()), ((1, 1), 0));
}

#[tokio::test]
async fn a_magnet_that_proves_to_be_a_hybrid_joins_the_other_swarm_too() {
    let tracker = TrackerServer::start(V4).await.unwrap();
    let peers: [SocketAddr; 2] = ["10.1.2.3:4567".parse().unwrap(), "10.1.2.4:4567".parse().unwrap()];
    tracker.insert(HASH, peers[0], 0);
    tracker.insert(SHORT_V2, peers[1], 0);
    let mut scene = Scene::start_as(TorrentId::from_v2(HASH_V2), Resolver::new(), &[&[&tracker.http_url()]], false);
    assert_eq!(scene.peers().await, [peers[1]]);
    assert!(events_of(&tracker, HASH).is_empty());
    scene.handle.adopt(hybrid());
    assert_eq!(scene.peers().await, [peers[0]]);
    scene.handle.stop(PATIENCE).await;
    for hash in [HASH, SHORT_V2] {
        assert_eq!(events_of(&tracker, hash), ["started", "stopped"]);
    }
}

#[tokio::test]
async fn a_tracker_that_refuses_the_swarm_that_is_joined_late_stays_as_good_as_before() {
    let server = OddServer::start(|head| {
        let peers = reply("200 OK", b"d8:intervali1800e5:peers6:\x0A\x01\x02\x03\x11\xD7e");
        let refusal = reply("200 OK", b"d14:failure reason2:no8:retry in5:nevere");
        Act::Send(if head.contains("%B2%B2%B2") { refusal } else { peers })
    })
    .await;
    let mut scene = Scene::start(&[&[&server.url("/announce")]], false);
    assert_eq!(scene.peers().await.len(), 1);
    scene.handle.adopt(hybrid());
    let status = scene.handle.status();
    scene.handle.stop(PATIENCE).await;
    assert_eq!((status.borrow().counts(), status.borrow().failed()), ((1, 1), 0));
}

#[tokio::test]
async fn both_swarms_of_a_hybrid_are_scraped_as_one() {
    let tracker = TrackerServer::start(V4).await.unwrap();
    tracker.insert(HASH, "10.1.2.3:4567".parse().unwrap(), 0);
    tracker.insert(SHORT_V2, "10.1.2.3:4567".parse().unwrap(), 0);
    tracker.insert(SHORT_V2, "10.1.2.4:4567".parse().unwrap(), 9);
    let urls = [tracker.udp_url(), tracker.http_url()];
    for (id, leechers) in [(hybrid(), 1), (TorrentId::from_v1(InfoHashV1(HASH)), 0), (TorrentId::from_v2(HASH_V2), 1)] {
        let scraped = scrape(&announcer(Resolver::new()), &urls, id, PATIENCE).await;
        for tracker in scraped {
            assert_eq!(tracker.outcome, Ok(Scrape { seeders: 1, leechers, completed: Some(0) }), "{id:?}");
        }
    }
}
